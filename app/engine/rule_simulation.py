"""One rule on one imagined event and state: what would its actions do? (sheet 2, 9.1)

A preview of a single rule, not a decision: funds, budgets and windows are left out. The whole decision on the
real state is the program's dry run, which calls `decide`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from app.domain import actions as a
from app.domain.amounts import (
    INTEGER_DIGITS_MAX,
    AmountError,
    add_to_counter,
    fits_scale,
    format_any,
    format_plain,
    is_vast,
)
from app.domain.assets import Asset
from app.engine.cel import CelError
from app.engine.compiled import (
    CompiledAction,
    CompiledAsset,
    CompiledAttribute,
    CompiledBroadcast,
    CompiledCounter,
    CompiledRule,
    CompiledSchedule,
    CompiledTag,
    CompiledTier,
)
from app.engine.resolving import Activation, amount_of, name_of, text_of
from app.engine.texts import CompiledTarget

_VERBS = {
    a.Credit: "Credit", a.Debit: "Debit", a.Hold: "Hold", a.Release: "Release", a.Forfeit: "Forfeit",
}
_WHOM = {
    a.TargetType.DEFAULT: "participant", a.TargetType.PARTICIPANT: "participant",
    a.TargetType.RECIPIENT: "recipient", a.TargetType.PROGRAM: "program", a.TargetType.GROUP: "group",
}


@dataclass(frozen=True, slots=True)
class ImaginedState:
    """The participant's state that a simulation assumes."""

    tags: tuple[str, ...] = ()
    counters: Mapping[str, Decimal] | None = None
    attributes: Mapping[str, str] | None = None


def simulate(
    rule: CompiledRule, event: Mapping[str, Any], state: ImaginedState, program: Mapping[str, Any],
    assets: Mapping[Any, Asset], now: datetime,
) -> dict[str, Any]:
    """Return the `evaluation` of a rule: whether it matches, and what each action would do."""
    variables: dict[str, object] = {
        "event": event, "participant": _participant(state, assets), "recipient": None, "group": None,
        "program": program, "now": now,
    }
    try:
        matched = rule.condition.evaluate(variables)
    except CelError as error:
        return {"matched": False, "status": "condition_failed", "reason": error.message}
    if not matched:
        return {"matched": False, "status": "evaluated"}
    results = [_result(action, variables, state, assets) for action in rule.actions]
    return {"matched": True, "status": "evaluated", "results": results}


def _participant(state: ImaginedState, assets: Mapping[Any, Asset]) -> dict[str, Any]:
    nothing = {"available": Decimal(0), "held": Decimal(0), "deferred": Decimal(0)}
    return {
        "id": None, "external_id": None, "status": "ACTIVE", "tags": list(state.tags),
        "counters": dict(state.counters or {}), "attributes": dict(state.attributes or {}), "tiers": {},
        "balances": {asset.symbol: dict(nothing) for asset in assets.values()}, "created_at": None,
        "groups": [],
    }


def _result(
    action: CompiledAction, variables: Activation, state: ImaginedState, assets: Mapping[Any, Asset]
) -> dict[str, Any]:
    try:
        return _preview(action, variables, state, assets)
    except (CelError, AmountError) as error:
        return {"description": f"{a.action_type(action.action)} would fail", "error": str(error)}


def _preview(
    action: CompiledAction, variables: Activation, state: ImaginedState, assets: Mapping[Any, Asset]
) -> dict[str, Any]:
    match action:
        case CompiledAsset():
            return _asset(action, variables, assets.get(action.action.asset_id))
        case CompiledTag():
            return _tag(action, name_of(action.tag, variables, "tag").lower(), state)
        case CompiledCounter():
            key, value = name_of(action.key, variables, "key"), amount_of(action.value, variables)
            before = (state.counters or {}).get(key, Decimal(0))
            return _with_projection(action.target, lambda: {
                "current_value": format_plain(before),
                "projected_value": format_plain(add_to_counter(before, value)),
            }) | {
                "value": format_plain(value),
                "description": f"Add {format_plain(value)} to counter {key} of {_whom(action.target)}",
            }
        case CompiledAttribute():
            key, text = name_of(action.key, variables, "key"), text_of(action.value, variables)
            current = (state.attributes or {}).get(key)
            return _with_projection(action.target, lambda: {
                "current_value": current, "would_change": current != text,
            }) | {"description": f"Set attribute {key} of {_whom(action.target)} to {text}"}
        case CompiledTier():
            level, tier = action.action.level, action.action.tier
            return {"description": f"Put {_whom(action.target)} on level {level} of tier {tier}"}
        case CompiledSchedule():
            name = name_of(action.event_name, variables, "event name")
            return {"description": f"Schedule event {name} in {action.action.delay}"}
        case CompiledBroadcast():
            name = name_of(action.event_name, variables, "event name")
            return {"description": f"Broadcast event {name} to all participants"}


def _asset(action: CompiledAsset, variables: Activation, asset: Asset | None) -> dict[str, Any]:
    whom = _whom(action.target)
    if isinstance(action.action, a.VoidHold):
        return {"description": "VOID_HOLD is not supported in simulation"}
    if asset is None:
        return {"description": f"{_VERBS[type(action.action)]} would fail", "error": "asset is not linked"}
    verb, side = _VERBS[type(action.action)], "from" if isinstance(action.action, a.Debit) else "to"
    if not isinstance(action.action, a.Credit | a.Debit):
        side = "of"
    if action.amount is None:
        return {"asset_symbol": asset.symbol, "description": f"{verb} all {asset.symbol} of {whom}"}
    amount = amount_of(action.amount, variables)
    result = {
        "amount": format_any(amount, asset.scale), "asset_symbol": asset.symbol,
        "description": f"{verb} {format_any(amount, asset.scale)} {asset.symbol} {side} {whom}",
    }
    if not fits_scale(amount, asset.scale):
        result["error"] = "amount exceeds asset scale"
    elif amount < 0:
        result["error"] = "amount is negative"
    elif is_vast(amount):
        result["error"] = f"amount has more than {INTEGER_DIGITS_MAX} digits before the decimal point"
    return result


def _tag(action: CompiledTag, tag: str, state: ImaginedState) -> dict[str, Any]:
    whom, there = _whom(action.target), tag in state.tags
    if isinstance(action.action, a.Tag):
        return _with_projection(action.target, lambda: {
            "current_tags": list(state.tags), "would_add": not there,
        }) | {"description": f"Add tag {tag} to {whom}"}
    return _with_projection(action.target, lambda: {
        "current_tags": list(state.tags), "would_remove": there,
    }) | {"description": f"Remove tag {tag} from {whom}"}


def _with_projection(target: CompiledTarget, project: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """The state is imagined for the event's participant alone; nobody else's can be projected."""
    own = target.type is a.TargetType.DEFAULT or (
        target.type is a.TargetType.PARTICIPANT
        and target.id is None and target.external_id is None and target.participant_id is None
    )
    return project() if own else {}


def _whom(target: CompiledTarget) -> str:
    return _WHOM[target.type]
