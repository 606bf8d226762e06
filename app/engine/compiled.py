"""Rules ready to run: every text compiled once, for `decide`, for the check at save, for simulations.

What lives here: the compiled rule and its actions. What becomes of each single text is app/engine/texts, the
evaluation of compiled texts app/engine/resolving.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeAlias

from app.domain import actions as a
from app.domain.rules import Rule
from app.engine import cel
from app.engine.cel import Kind, Program, Reads
from app.engine.texts import Amount, CompiledTarget, Moment, Text, Texts

DELAY_MIN, DELAY_MAX = timedelta(seconds=1), timedelta(days=5 * 366)  # Decision C11: up to five years.


class RuleFault(ValueError):
    """A rule cannot be compiled; `details` maps the path of each text at fault to what is wrong with it."""

    def __init__(self, details: Mapping[str, str]) -> None:
        super().__init__("; ".join(f"{path}: {message}" for path, message in details.items()))
        self.details = dict(details)


@dataclass(frozen=True, slots=True)
class CompiledAsset:
    """An action that moves value; `amount` None means everything there."""

    action: a.AssetAction
    target: CompiledTarget
    amount: Amount | None
    description: Text | None
    reference_id: Text | Program | None
    expires_at: Moment | None
    matures_at: Moment | None


@dataclass(frozen=True, slots=True)
class CompiledTag:
    """TAG or UNTAG; a literal is in lower case already, a template's result still has to be made so."""

    action: a.Tag | a.Untag
    target: CompiledTarget
    tag: Text


@dataclass(frozen=True, slots=True)
class CompiledCounter:
    """COUNTER; `reset_after` as saved (it is stored as text), checked to be a duration, "" or None."""

    action: a.Counter
    target: CompiledTarget
    key: Text
    value: Amount


@dataclass(frozen=True, slots=True)
class CompiledAttribute:
    """SET_ATTRIBUTE."""

    action: a.SetAttribute
    target: CompiledTarget
    key: Text
    value: Text


@dataclass(frozen=True, slots=True)
class CompiledTier:
    """SET_TIER: both keys are literals, so that they can be checked when the rule is saved."""

    action: a.SetTier
    target: CompiledTarget


@dataclass(frozen=True, slots=True)
class CompiledSchedule:
    """SCHEDULE_EVENT; the leaves of `payload` may be templates."""

    action: a.ScheduleEvent
    target: CompiledTarget
    event_name: Text
    delay: timedelta
    payload: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class CompiledBroadcast:
    """BROADCAST; the leaves of `payload` may be templates."""

    action: a.Broadcast
    event_name: Text
    payload: Mapping[str, Any]


CompiledState: TypeAlias = CompiledTag | CompiledCounter | CompiledAttribute | CompiledTier
CompiledAction: TypeAlias = CompiledAsset | CompiledState | CompiledSchedule | CompiledBroadcast


@dataclass(frozen=True, slots=True)
class CompiledRule:
    """A rule ready to run. `event_types`: the only values of event.type under which the condition can be
    true, None for any. `reads`: everything that some text of the rule can read."""

    rule: Rule
    condition: Program
    actions: tuple[CompiledAction, ...]
    event_types: frozenset[str] | None
    reads: Reads


def compile_rule(rule: Rule) -> CompiledRule:
    """Compile every text of a rule. Raises RuleFault, which names all texts at fault, not only the first."""
    texts = Texts()
    condition = compile_condition(rule.condition, texts)
    actions = [compile_action(action, index, texts) for index, action in enumerate(rule.actions)]
    if texts.faults:
        raise RuleFault(texts.faults)
    assert condition is not None, "no fault, so the condition was compiled"
    reads = condition.reads
    for read in texts.reads:
        reads |= read
    return CompiledRule(rule, condition, tuple(actions), cel.event_types(condition), reads)


def compile_condition(condition: str, texts: Texts) -> Program | None:
    """Compile a condition; None where it is at fault, which `texts` then tells."""
    return texts.read("condition", lambda: cel.compile(condition, Kind.CONDITION))


def compile_action(action: a.Action, index: int, texts: Texts) -> CompiledAction:
    """Compile the texts of the action at a place; faults are noted in `texts`, harmless values stand in."""
    path = f"actions[{index}]"
    if isinstance(action, a.Broadcast):
        name = texts.text(f"{path}.event_name", action.event_name)
        return CompiledBroadcast(action, name, texts.payload(f"{path}.payload", action.payload))
    target = texts.target(f"{path}.target", action.target)
    match action:
        case a.Tag() | a.Untag():
            return CompiledTag(action, target, texts.tag(f"{path}.tag", action.tag))
        case a.Counter():
            if action.reset_after:
                texts.duration(f"{path}.reset_after", action.reset_after)
            key = texts.text(f"{path}.key", action.key)
            return CompiledCounter(
                action, target, key, texts.amount(f"{path}.value", action.value, signed=True)
            )
        case a.SetAttribute():
            key = texts.text(f"{path}.key", action.key)
            return CompiledAttribute(action, target, key, texts.attribute(f"{path}.value", action.value))
        case a.SetTier():
            return CompiledTier(action, target)
        case a.ScheduleEvent():
            delay = texts.duration(f"{path}.delay", action.delay)
            if not DELAY_MIN <= delay <= DELAY_MAX:
                texts.faults[f"{path}.delay"] = "must be between 1s and 5 years (43920h)"
            return CompiledSchedule(
                action, target, texts.text(f"{path}.event_name", action.event_name), delay,
                texts.payload(f"{path}.payload", action.payload),
            )
        case _:
            return _compile_asset_action(action, target, path, texts)


def _compile_asset_action(
    action: a.AssetAction, target: CompiledTarget, path: str, texts: Texts
) -> CompiledAsset:
    amount = None if isinstance(action, a.VoidHold) else action.amount
    expires_at, matures_at = (
        (action.expires_at, action.matures_at) if isinstance(action, a.Credit) else (None, None)
    )
    return CompiledAsset(
        action=action,
        target=target,
        amount=None if amount is None else texts.amount(f"{path}.amount", amount),
        description=texts.optional(f"{path}.description", action.description),
        reference_id=texts.reference(
            f"{path}.reference_id",
            None if isinstance(action, a.Debit | a.Forfeit) else action.reference_id,
        ),
        expires_at=texts.moment(f"{path}.expires_at", expires_at),
        matures_at=texts.moment(f"{path}.matures_at", matures_at),
    )
