"""Reads actions from JSON: a request's or a stored rule's. Every field at fault is named, not only the first.

What lives here: shapes, required fields, closed words, lengths. What a text means (is it an expression, a
duration?) is checked where it is compiled, in app/engine/compiled.
"""

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar
from uuid import UUID

from app.domain import actions as a
from app.domain.errors import ValidationError
from app.domain.events import EVENT_DATA_BYTES_MAX, EVENT_DATA_DEPTH_MAX, is_deeper
from app.domain.json import dumps
from app.domain.names import Bucket
from app.domain.texts import KEY_LENGTH_MAX, has_control, read_uuid

Word = TypeVar("Word", a.ActionType, a.TargetType, Bucket)

SPENDABLE = (Bucket.AVAILABLE, Bucket.HELD)
TARGETS = tuple(word for word in a.TargetType if word is not a.TargetType.DEFAULT)
FIELDS = frozenset({
    "type", "asset_id", "amount", "bucket", "description", "reference_id", "expires_at", "matures_at",
    "allow_negative", "tag", "key", "value", "reset_after", "tier", "level", "event_name", "delay", "payload",
    "target",
})
TARGET_FIELDS = frozenset({"type", "id", "external_id", "participant_id", "group_id"})



def actions_from_json(items: object) -> tuple[a.Action, ...]:
    """Read a rule's actions. Raises ValidationError with `actions[i].field` → message for each fault."""
    errors: dict[str, str] = {}
    actions = read_actions(items, errors)
    if errors:
        raise ValidationError(details=errors)
    return tuple(actions.values())


def read_actions(items: object, errors: dict[str, str]) -> dict[int, a.Action]:
    """Read the actions that are well formed, by their place; note the faults of the others in `errors`."""
    if not isinstance(items, Sequence) or isinstance(items, str) or not 1 <= len(items) <= a.ACTIONS_MAX:
        errors["actions"] = f"must be a list of 1 to {a.ACTIONS_MAX} actions"
        return {}
    actions: dict[int, a.Action] = {}
    for index, item in enumerate(items):
        before = len(errors)
        action = _read(_Fields(item, f"actions[{index}]", errors))
        if action is not None and len(errors) == before:
            actions[index] = action
    return actions


class _Fields:
    """The fields of one JSON object; notes what is wrong with them and goes on with a harmless value."""

    def __init__(
        self, item: object, path: str, errors: dict[str, str], known: frozenset[str] = FIELDS
    ) -> None:
        self.path = path
        self.errors = errors
        self._fields: Mapping[str, Any] = item if isinstance(item, Mapping) else {}
        if not isinstance(item, Mapping):
            errors[path] = "must be an object"
        for name in self._fields.keys() - known:
            errors[f"{path}.{name}"] = "is not a known field"

    def fault(self, name: str, message: str) -> None:
        """Note what is wrong with a field; the first fault of a field stays."""
        self.errors.setdefault(f"{self.path}.{name}", message)

    def get(self, name: str) -> Any:
        """Return a field as it stands; absent and null are the same."""
        return self._fields.get(name)

    def optional(self, name: str, longest: int = a.TEXT_LENGTH_MAX, shortest: int = 1) -> str | None:
        """Return a text within bounds, or None where it is absent."""
        value = self.get(name)
        if value is None:
            return None
        if not isinstance(value, str):
            self.fault(name, "must be a string")
        elif "\x00" in value:
            self.fault(name, "must not contain the character NUL")
        elif not shortest <= len(value) <= longest:
            self.fault(name, f"must have {shortest} to {longest} characters")
        else:
            return value
        return None

    def text(self, name: str, longest: int = a.TEXT_LENGTH_MAX) -> str:
        """Return a required text within bounds."""
        value = self.optional(name, longest)
        if value is None:
            self.fault(name, "is required")
        return value or ""

    def name(self, name: str) -> str:
        """Return a required tag, key or event name: up to 255 characters, no control characters."""
        value = self.text(name, KEY_LENGTH_MAX)
        if has_control(value):
            self.fault(name, "must not contain control characters")
        return value

    def word(self, name: str, words: Sequence[Word], default: Word) -> Word:
        """Return a word of a closed list, `default` where it is absent."""
        value = self.get(name)
        if value is None:
            return default
        for word in words:
            if value == word.value:
                return word
        self.fault(name, "must be one of " + ", ".join(word.value for word in words))
        return default

    def flag(self, name: str) -> bool:
        """Return a boolean, false where it is absent."""
        value = self.get(name)
        if value is None or isinstance(value, bool):
            return bool(value)
        self.fault(name, "must be true or false")
        return False

    def asset(self) -> UUID:
        """Return the required `asset_id`."""
        value = self.get("asset_id")
        if value is None:
            self.fault("asset_id", "is required")
        elif not isinstance(value, str) or (found := read_uuid(value)) is None:
            self.fault("asset_id", "must be a UUID")
        else:
            return found
        return UUID(int=0)

    def payload(self) -> Mapping[str, Any]:
        """Return the `payload`, an object as large as the event's data may be; empty where it is absent."""
        value = self.get("payload")
        if value is None:
            return {}
        if not isinstance(value, dict):
            self.fault("payload", "must be an object")
        elif is_deeper(value, EVENT_DATA_DEPTH_MAX):
            self.fault("payload", f"must not be nested more than {EVENT_DATA_DEPTH_MAX} levels deep")
        elif len(dumps(value).encode()) > EVENT_DATA_BYTES_MAX:
            self.fault("payload", f"must not be larger than {EVENT_DATA_BYTES_MAX} bytes")
        else:
            return value
        return {}

    def target(self) -> a.Target:
        """Return whom the action concerns; ids that do not belong to the target's type are ignored."""
        value = self.get("target")
        if value is None:
            return a.DEFAULT_TARGET
        fields = _Fields(value, f"{self.path}.target", self.errors, TARGET_FIELDS)
        if isinstance(value, Mapping) and fields.get("type") is None:
            fields.fault("type", "is required")
        kind = fields.word("type", TARGETS, a.TargetType.PARTICIPANT)
        names = {a.TargetType.PARTICIPANT: ("id", "external_id", "participant_id"),
                 a.TargetType.GROUP: ("id", "group_id")}.get(kind, ())
        ids = {name: fields.optional(name) for name in names}
        given = [name for name in names if ids[name] is not None]
        for name in given[1:]:
            fields.fault(name, f"must not be given together with {given[0]}")
        return a.Target(kind, **ids)


def _read(f: _Fields) -> a.Action | None:
    """Read one action by its type; None where the type is missing or unknown (noted as a fault)."""
    if f.get("type") is None:
        if f.path not in f.errors:
            f.fault("type", "is required")
        return None
    before = len(f.errors)
    kind = f.word("type", tuple(a.ActionType), a.ActionType.TAG)
    if len(f.errors) > before:
        return None
    if kind in (a.ActionType.CREDIT, a.ActionType.DEBIT, a.ActionType.HOLD, a.ActionType.RELEASE,
                a.ActionType.FORFEIT, a.ActionType.VOID_HOLD):
        return _asset_action(kind, f)
    return _other_action(kind, f)


def _asset_action(kind: a.ActionType, f: _Fields) -> a.AssetAction | None:
    asset, target = f.asset(), f.target()
    description = f.optional("description", a.DESCRIPTION_LENGTH_MAX)
    match kind:
        case a.ActionType.CREDIT:
            return a.Credit(
                asset, f.text("amount"), f.word("bucket", SPENDABLE, Bucket.AVAILABLE), description,
                f.optional("reference_id"), f.optional("expires_at"), f.optional("matures_at"), target,
            )
        case a.ActionType.DEBIT:
            bucket = f.word("bucket", SPENDABLE, Bucket.AVAILABLE)
            negative = f.flag("allow_negative")
            if negative and bucket is Bucket.HELD:
                f.fault("allow_negative", "must not be true with bucket HELD")
            return a.Debit(asset, f.text("amount"), bucket, negative, description, target)
        case a.ActionType.HOLD:
            return a.Hold(asset, f.optional("amount"), description, f.optional("reference_id"), target)
        case a.ActionType.RELEASE:
            return a.Release(asset, f.optional("amount"), description, f.optional("reference_id"), target)
        case a.ActionType.FORFEIT:
            bucket = f.word("bucket", SPENDABLE, Bucket.AVAILABLE)
            return a.Forfeit(asset, f.optional("amount"), bucket, description, target)
        case a.ActionType.VOID_HOLD:
            return a.VoidHold(asset, f.text("reference_id"), description, target)
        case _:
            raise AssertionError(f"{kind} moves no asset")


def _other_action(kind: a.ActionType, f: _Fields) -> a.StateAction | a.EmitAction | None:
    match kind:
        case a.ActionType.TAG:
            return a.Tag(f.name("tag"), f.target())
        case a.ActionType.UNTAG:
            return a.Untag(f.name("tag"), f.target())
        case a.ActionType.COUNTER:
            return a.Counter(
                f.name("key"), f.text("value"), f.optional("reset_after", shortest=0), f.target()
            )
        case a.ActionType.SET_ATTRIBUTE:
            if f.get("value") is None:
                f.fault("value", "is required")
            return a.SetAttribute(f.name("key"), f.optional("value", shortest=0) or "", f.target())
        case a.ActionType.SET_TIER:
            return a.SetTier(f.name("tier"), f.name("level"), _tier_target(f))
        case a.ActionType.SCHEDULE_EVENT:
            return a.ScheduleEvent(f.name("event_name"), f.text("delay"), f.payload(), f.target())
        case a.ActionType.BROADCAST:
            return a.Broadcast(f.name("event_name"), f.payload())
        case _:
            raise AssertionError(f"{kind} moves an asset")


def _tier_target(f: _Fields) -> a.Target:
    target = f.target()
    if target.type is a.TargetType.PROGRAM:
        f.errors.setdefault(f"{f.path}.target.type", "a program has no tiers")
    return target
