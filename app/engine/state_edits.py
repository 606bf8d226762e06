"""State set through the API: pure functions from an owner to the changed owner and its lines of history.

What rules do to state stands in state_actions.py. An edit that changes nothing returns no lines.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from app.domain.amounts import format_plain
from app.domain.errors import LimitExceeded
from app.domain.names import StateOperation, StateType
from app.engine.state import Counter, Owner, StateChange
from app.engine.state_actions import ATTRIBUTES_BYTES_MAX, KEYS_MAX

Edited = tuple[Owner, list[StateChange]]


def replace_tags(owner: Owner, tags: Iterable[str]) -> Edited:
    """Make `tags` (lower case) the owner's only tags."""
    wanted = tuple(dict.fromkeys(tags))
    if len(wanted) > KEYS_MAX:
        raise _too_many("tags")
    changes = [_tag(tag, added=False) for tag in owner.tags if tag not in wanted]
    changes += [_tag(tag, added=True) for tag in wanted if tag not in owner.tags]
    return (replace(owner, tags=wanted), changes) if changes else (owner, [])


def add_tag(owner: Owner, tag: str) -> Edited:
    """Put one tag on the owner."""
    return replace_tags(owner, (*owner.tags, tag))


def remove_tag(owner: Owner, tag: str) -> Edited:
    """Take one tag off the owner, if it is there."""
    return replace_tags(owner, (kept for kept in owner.tags if kept != tag))


def merge_attributes(owner: Owner, attributes: Mapping[str, str]) -> Edited:
    """Set some attributes and leave the others."""
    merged = {**owner.attributes, **attributes}
    if len(merged) > KEYS_MAX:
        raise _too_many("attributes")
    if sum(len(key.encode()) + len(value.encode()) for key, value in merged.items()) > ATTRIBUTES_BYTES_MAX:
        raise LimitExceeded(f"An owner's attributes have at most {ATTRIBUTES_BYTES_MAX} bytes in all")
    changes = [
        StateChange(StateType.ATTRIBUTE, key, StateOperation.SET, owner.attributes.get(key), value, None)
        for key, value in attributes.items() if owner.attributes.get(key) != value
    ]
    return (replace(owner, attributes=merged), changes) if changes else (owner, [])


def remove_attribute(owner: Owner, key: str) -> Edited:
    """Take one attribute off the owner, if it is there."""
    if key not in owner.attributes:
        return owner, []
    kept = {name: value for name, value in owner.attributes.items() if name != key}
    change = StateChange(
        StateType.ATTRIBUTE, key, StateOperation.DELETE, owner.attributes[key], None, None
    )
    return replace(owner, attributes=kept), [change]


def set_counter(owner: Owner, key: str, value: Decimal, reset_after: str | None, now: datetime) -> Edited:
    """Set a counter, which starts its reset clock; `reset_after` None leaves the setting, "" removes it."""
    stored = owner.counters.get(key)
    if stored is None and len(owner.counters) >= KEYS_MAX:
        raise _too_many("counters")
    after = (stored.reset_after if stored else None) if reset_after is None else reset_after or None
    counter = Counter(value, after, now if after else None)
    changes = []
    if stored is not None and stored.is_due(now) and stored.value:
        changes.append(StateChange(
            StateType.COUNTER, key, StateOperation.AUTO_RESET, format_plain(stored.value), "0", None
        ))
    before = None if stored is None else format_plain(stored.effective(now))
    changes.append(StateChange(
        StateType.COUNTER, key, StateOperation.SET, before, format_plain(value), None
    ))
    return replace(owner, counters={**owner.counters, key: counter}), changes


def remove_counter(owner: Owner, key: str, now: datetime) -> Edited:
    """Remove a counter with its reset setting, if it is there."""
    stored = owner.counters.get(key)
    if stored is None:
        return owner, []
    kept = {name: value for name, value in owner.counters.items() if name != key}
    change = StateChange(
        StateType.COUNTER, key, StateOperation.DELETE, format_plain(stored.effective(now)), None, None
    )
    return replace(owner, counters=kept), [change]


def _tag(tag: str, *, added: bool) -> StateChange:
    if added:
        return StateChange(StateType.TAG, tag, StateOperation.ADD, None, tag, None)
    return StateChange(StateType.TAG, tag, StateOperation.REMOVE, tag, None, None)


def _too_many(what: str) -> LimitExceeded:
    return LimitExceeded(f"An owner has at most {KEYS_MAX} {what}")
