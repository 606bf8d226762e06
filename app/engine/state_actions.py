"""TAG, UNTAG, COUNTER, SET_ATTRIBUTE, SET_TIER: changes of state, with their history."""

from decimal import Decimal
from typing import Any

from app.domain import actions as a
from app.domain.amounts import ZERO, AmountError, add_to_counter, format_plain
from app.domain.names import EventErrorCode, StateOperation, StateType
from app.domain.texts import ATTRIBUTE_BYTES_MAX, KEY_LENGTH_MAX
from app.domain.tiers import TierReason
from app.engine.compiled import CompiledAttribute, CompiledCounter, CompiledState, CompiledTag, CompiledTier
from app.engine.resolving import amount_of, name_of, text_of
from app.engine.scope import ActionFailed, Scope
from app.engine.state import Counter, Owner, StateChange, TierChange, TierState, with_state
from app.engine.tiers import first_check

KEYS_MAX = 500  # Tags, counters and attributes of one owner, each.
ATTRIBUTES_BYTES_MAX = 64 * 1024  # All attributes of one owner together.

Recorded = dict[str, Any]


def run(scope: Scope, action: CompiledState, owner: Owner) -> Recorded:
    """Change the owner's state in the draft; return what to record. Raises ActionFailed."""
    match action:
        case CompiledTag():
            return _tag(scope, action, owner)
        case CompiledCounter():
            return _counter(scope, action, owner)
        case CompiledAttribute():
            return _attribute(scope, action, owner)
        case CompiledTier():
            return _tier(scope, action, owner)


def _tag(scope: Scope, action: CompiledTag, owner: Owner) -> Recorded:
    tag = name_of(action.tag, scope.variables, "tag").lower()
    if len(tag) > KEY_LENGTH_MAX:
        raise ActionFailed(
            EventErrorCode.EXPRESSION_ERROR, f"the tag has more than {KEY_LENGTH_MAX} characters"
        )
    adds = isinstance(action.action, a.Tag)
    if (tag in owner.tags) is adds:
        return {"tag": tag, "skipped": "unchanged"}
    if adds:
        _refuse_too_many(len(owner.tags), "tags")
        tags = (*owner.tags, tag)
        change = StateChange(StateType.TAG, tag, StateOperation.ADD, None, tag, scope.rule.id)
    else:
        tags = tuple(kept for kept in owner.tags if kept != tag)
        change = StateChange(StateType.TAG, tag, StateOperation.REMOVE, tag, None, scope.rule.id)
    scope.draft.owners[owner.id] = with_state(owner, tags=tags)
    scope.draft.record(owner.id, change)
    return {"tag": tag}


def _counter(scope: Scope, action: CompiledCounter, owner: Owner) -> Recorded:
    key = name_of(action.key, scope.variables, "key")
    step = amount_of(action.value, scope.variables)
    stored = owner.counters.get(key)
    if stored is None:
        _refuse_too_many(len(owner.counters), "counters")
    before = _reset_where_due(scope, owner, key, stored)
    try:
        value = add_to_counter(before, step)
    except AmountError as error:
        raise ActionFailed(EventErrorCode.LIMIT_EXCEEDED, str(error)) from None
    if abs(value.adjusted()) > 100:
        raise ActionFailed(EventErrorCode.LIMIT_EXCEEDED, "a counter lies between 1e-100 and 1e100")
    counter = _with_reset(scope, action.action.reset_after, stored, value)
    scope.draft.owners[owner.id] = with_state(owner, counters={**owner.counters, key: counter})
    shown = format_plain(value)
    scope.draft.record(owner.id, StateChange(
        StateType.COUNTER, key, StateOperation.SET, None if stored is None else format_plain(before),
        shown, scope.rule.id,
    ))
    return {"key": key, "value": format_plain(step), "new_value": shown}


def _reset_where_due(scope: Scope, owner: Owner, key: str, stored: Counter | None) -> Decimal:
    """Return the value that the step is added to; a due auto-reset is recorded now, as it is written."""
    if stored is None:
        return ZERO
    if not stored.is_due(scope.now):
        return stored.value
    scope.draft.record(owner.id, StateChange(
        StateType.COUNTER, key, StateOperation.AUTO_RESET, format_plain(stored.value), "0", None
    ))
    return ZERO


def _with_reset(scope: Scope, reset_after: str | None, stored: Counter | None, value: Decimal) -> Counter:
    """Return the counter with its new value; increments do not restart its clock, resets do."""
    after = (stored.reset_after if stored else None) if reset_after is None else reset_after or None
    started = stored.reset_at if stored else None
    if started is None or (stored is not None and stored.is_due(scope.now)):
        started = scope.now
    return Counter(value, after, started if after else None)


def _attribute(scope: Scope, action: CompiledAttribute, owner: Owner) -> Recorded:
    key = name_of(action.key, scope.variables, "key")
    value = text_of(action.value, scope.variables)
    size = len(value.encode())
    if size > ATTRIBUTE_BYTES_MAX:
        raise ActionFailed(
            EventErrorCode.LIMIT_EXCEEDED, f"an attribute has at most {ATTRIBUTE_BYTES_MAX} bytes"
        )
    before = owner.attributes.get(key)
    if before is None:
        _refuse_too_many(len(owner.attributes), "attributes")
    if before == value:
        return {"key": key, "value": value, "skipped": "unchanged"}
    attributes = {**owner.attributes, key: value}
    if sum(len(k.encode()) + len(v.encode()) for k, v in attributes.items()) > ATTRIBUTES_BYTES_MAX:
        raise ActionFailed(
            EventErrorCode.LIMIT_EXCEEDED, f"attributes have at most {ATTRIBUTES_BYTES_MAX} bytes in all"
        )
    scope.draft.owners[owner.id] = with_state(owner, attributes=attributes)
    scope.draft.record(
        owner.id, StateChange(StateType.ATTRIBUTE, key, StateOperation.SET, before, value, scope.rule.id)
    )
    return {"key": key, "value": value}


def _tier(scope: Scope, action: CompiledTier, owner: Owner) -> Recorded:
    named = action.action
    recorded: Recorded = {"tier": named.tier, "level": named.level}
    tier = scope.ruleset.tiers.get(named.tier)
    level = tier.level(named.level) if tier else None
    if tier is None or level is None or tier.archived:
        return recorded | {"skipped": "tier_archived" if tier and tier.archived else "tier_not_found"}
    before = owner.tiers.get(tier.key)
    # Also where the level stays: an assignment by rule renews it and ends a pending expiry.
    after = TierState(level.key, level.rank, level.benefits, scope.now, None)
    scope.draft.owners[owner.id] = with_state(
        owner, tiers={**owner.tiers, tier.key: after}, tracked=owner.tracked | {tier.id}
    )
    scope.draft.tiers.append(TierChange(
        owner.id, tier.id, tier.key, before, after, TierReason.RULE, first_check(tier.lifecycle, scope.now)
    ))
    old = before.level if before else None
    if old != level.key:
        scope.draft.record(owner.id, StateChange(
            StateType.TIER, tier.key, StateOperation.SET, old, level.key, scope.rule.id, TierReason.RULE
        ))
    return recorded


def _refuse_too_many(count: int, what: str) -> None:
    if count >= KEYS_MAX:
        raise ActionFailed(EventErrorCode.LIMIT_EXCEEDED, f"an owner has at most {KEYS_MAX} {what}")
