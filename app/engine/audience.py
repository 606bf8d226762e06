"""Who belongs to an automation and whom it may address now: its filter and its guard, on the state.

Both are expressions; a filter sees `participant` alone, a guard all that a rule sees, with the event that is
about to be made as `event`.
"""

from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

from app.domain.events import Event
from app.domain.names import EventType
from app.engine import cel
from app.engine.cel import CelError, Kind, Program
from app.engine.ruleset import Candidates, Ruleset, fields_of, reads_field
from app.engine.state import World
from app.engine.variables import activation

CONDITIONS_KEPT = 2_000


@dataclass(frozen=True, slots=True)
class Conditions:
    """A filter and a guard, compiled; what they read stands in `reads`."""

    filter: Program | None = None
    guard: Program | None = None
    reads: Candidates | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a participant is addressed, or why that cannot be told."""

    wanted: bool
    error: str | None = None


WANTED = Verdict(True)
UNWANTED = Verdict(False)


@lru_cache(maxsize=CONDITIONS_KEPT)
def compile_conditions(filter_text: str | None, guard_text: str | None) -> Conditions:
    """Compile both texts. Raises CelError."""
    found = Conditions(
        None if filter_text is None else cel.compile(filter_text, Kind.FILTER),
        None if guard_text is None else cel.compile(guard_text, Kind.CONDITION),
    )
    programs = [one for one in (found.filter, found.guard) if one is not None]
    if not programs:
        return found
    paths = sorted(
        path for one in programs for path in one.reads.paths if path[0] not in ("event", "now")
    )
    return Conditions(found.filter, found.guard, Candidates(
        (), tuple(paths), fields_of(paths),
        reads_groups=any(reads_field(path, "groups") for path in paths),
        reads_tiers=any(reads_field(path, "tiers") for path in paths),
        reads_balances=any(reads_field(path, "balances") for path in paths),
        budget_rules=(), wallet_assets=(), program_state=any(path[0] == "program" for path in paths),
    ))


@dataclass(frozen=True, slots=True)
class Occasion:
    """What is about to happen: the event's data, for which time, in which program."""

    program_id: UUID
    event_data: dict[str, Any]
    at: datetime
    skip_filter: bool = field(default=False)


def judge(
    conditions: Conditions, occasion: Occasion, participant_id: UUID, world: World, ruleset: Ruleset
) -> Verdict:
    """Say whether a participant is addressed. A filter that fails for somebody's data does not match it."""
    if conditions.reads is None:
        return WANTED
    owner = world.owner(participant_id)
    event = Event(
        owner.organization_id, 0, participant_id, occasion.program_id, EventType.SYSTEM, participant_id,
        None, None, None, "", occasion.at, occasion.at, occasion.event_data, 0, participant_id,
    )
    variables = activation(event, world, ruleset, conditions.reads)
    if conditions.filter is not None and not occasion.skip_filter:
        try:
            if not conditions.filter.evaluate(variables):
                return UNWANTED
        except CelError:
            return UNWANTED
    if conditions.guard is None:
        return WANTED
    try:
        return WANTED if conditions.guard.evaluate(variables) else UNWANTED
    except CelError as error:
        return Verdict(False, f"guard_condition failed: {error}")
