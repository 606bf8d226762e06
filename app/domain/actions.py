"""What a rule can do: one frozen type per action, in a closed union. Fields keep the text that was saved.

What lives here: the types and their bounds. Reading them from JSON is app/domain/action_reading; compiling
their texts (expressions, templates, durations) is app/engine/compiled.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeAlias
from uuid import UUID

from app.domain.names import Bucket

ACTIONS_MAX = 100  # Actions of one rule: what one event can be asked to do stays a bounded amount of work.
TEXT_LENGTH_MAX = 8192  # Any text of an action; the same bound as an expression's.
DESCRIPTION_LENGTH_MAX = 500  # As in the API's money operations.


class ActionType(StrEnum):
    """The thirteen actions, as `type` spells them."""

    CREDIT = "CREDIT"
    DEBIT = "DEBIT"
    HOLD = "HOLD"
    RELEASE = "RELEASE"
    FORFEIT = "FORFEIT"
    VOID_HOLD = "VOID_HOLD"
    TAG = "TAG"
    UNTAG = "UNTAG"
    COUNTER = "COUNTER"
    SET_ATTRIBUTE = "SET_ATTRIBUTE"
    SET_TIER = "SET_TIER"
    SCHEDULE_EVENT = "SCHEDULE_EVENT"
    BROADCAST = "BROADCAST"


class TargetType(StrEnum):
    """Whom an action concerns. DEFAULT is the absence of a target and cannot be written."""

    DEFAULT = "DEFAULT"
    PARTICIPANT = "PARTICIPANT"
    RECIPIENT = "RECIPIENT"
    PROGRAM = "PROGRAM"
    GROUP = "GROUP"


@dataclass(frozen=True, slots=True)
class Target:
    """Whom an action concerns; at most one of the four ids is set, and none means the event's own.

    With DEFAULT, asset actions go to the event's recipient where it has one, all others to its participant
    (decision C10). `id` is a literal with `{{ }}` parts; the other three are expressions.
    """

    type: TargetType = TargetType.DEFAULT
    id: str | None = None
    external_id: str | None = None
    participant_id: str | None = None
    group_id: str | None = None


DEFAULT_TARGET = Target()


@dataclass(frozen=True, slots=True)
class Credit:
    """Add value; into HELD with a reference it is provisional, and a later one into AVAILABLE settles it."""

    asset_id: UUID
    amount: str
    bucket: Bucket = Bucket.AVAILABLE
    description: str | None = None
    reference_id: str | None = None
    expires_at: str | None = None
    matures_at: str | None = None
    target: Target = DEFAULT_TARGET


@dataclass(frozen=True, slots=True)
class Debit:
    """Take value away; `allow_negative` permits an overdraft of AVAILABLE."""

    asset_id: UUID
    amount: str
    bucket: Bucket = Bucket.AVAILABLE
    allow_negative: bool = False
    description: str | None = None
    target: Target = DEFAULT_TARGET


@dataclass(frozen=True, slots=True)
class Hold:
    """Move value from AVAILABLE to HELD; without `amount`, all that is available."""

    asset_id: UUID
    amount: str | None = None
    description: str | None = None
    reference_id: str | None = None
    target: Target = DEFAULT_TARGET


@dataclass(frozen=True, slots=True)
class Release:
    """Move value from HELD to AVAILABLE; without `amount`, all that is held (under the reference)."""

    asset_id: UUID
    amount: str | None = None
    description: str | None = None
    reference_id: str | None = None
    target: Target = DEFAULT_TARGET


@dataclass(frozen=True, slots=True)
class Forfeit:
    """Take value away for good, to breakage; without `amount`, all that stands in the bucket."""

    asset_id: UUID
    amount: str | None = None
    bucket: Bucket = Bucket.AVAILABLE
    description: str | None = None
    target: Target = DEFAULT_TARGET


@dataclass(frozen=True, slots=True)
class VoidHold:
    """Return provisionally held value to its source."""

    asset_id: UUID
    reference_id: str
    description: str | None = None
    target: Target = DEFAULT_TARGET


@dataclass(frozen=True, slots=True)
class Tag:
    """Add a tag, in lower case; nothing happens where it is there already."""

    tag: str
    target: Target = DEFAULT_TARGET


@dataclass(frozen=True, slots=True)
class Untag:
    """Remove a tag; nothing happens where it is not there."""

    tag: str
    target: Target = DEFAULT_TARGET


@dataclass(frozen=True, slots=True)
class Counter:
    """Add to a counter. `reset_after`: a duration sets its auto-reset, "" removes it, None leaves it."""

    key: str
    value: str
    reset_after: str | None = None
    target: Target = DEFAULT_TARGET


@dataclass(frozen=True, slots=True)
class SetAttribute:
    """Set an attribute to a text."""

    key: str
    value: str
    target: Target = DEFAULT_TARGET


@dataclass(frozen=True, slots=True)
class SetTier:
    """Put the target on a level of a tier."""

    tier: str
    level: str
    target: Target = DEFAULT_TARGET


@dataclass(frozen=True, slots=True)
class ScheduleEvent:
    """Have one SYSTEM event happen after a delay, for the target."""

    event_name: str
    delay: str
    payload: Mapping[str, Any]
    target: Target = DEFAULT_TARGET


@dataclass(frozen=True, slots=True)
class Broadcast:
    """Have one SYSTEM event happen for each participant who is enrolled in the program and ACTIVE."""

    event_name: str
    payload: Mapping[str, Any]


AssetAction: TypeAlias = Credit | Debit | Hold | Release | Forfeit | VoidHold
StateAction: TypeAlias = Tag | Untag | Counter | SetAttribute | SetTier
EmitAction: TypeAlias = ScheduleEvent | Broadcast
Action: TypeAlias = AssetAction | StateAction | EmitAction

TYPE_OF: Mapping[type[Action], ActionType] = {
    Credit: ActionType.CREDIT,
    Debit: ActionType.DEBIT,
    Hold: ActionType.HOLD,
    Release: ActionType.RELEASE,
    Forfeit: ActionType.FORFEIT,
    VoidHold: ActionType.VOID_HOLD,
    Tag: ActionType.TAG,
    Untag: ActionType.UNTAG,
    Counter: ActionType.COUNTER,
    SetAttribute: ActionType.SET_ATTRIBUTE,
    SetTier: ActionType.SET_TIER,
    ScheduleEvent: ActionType.SCHEDULE_EVENT,
    Broadcast: ActionType.BROADCAST,
}


# A tuple made once: a union would be put together anew at every call, on the hot path.
_BLOCKED_WHILE_INACTIVE = (Credit, Debit, Hold, Release, Forfeit, VoidHold, Counter)


def action_type(action: Action) -> ActionType:
    """Return the word that names this action in `type`."""
    return TYPE_OF[type(action)]


def blocked_while_inactive(action: Action) -> bool:
    """Say whether the action fails for a participant who is SUSPENDED or CLOSED (sheet 2, 5.5)."""
    return isinstance(action, _BLOCKED_WHILE_INACTIVE)
