"""Explaining a decision: every rule taken again on the stored inputs, compared with what was stored.

Conditions, amounts, texts, order, windows and stopping follow from the inputs and the rule set alone; what
depended on funds, budgets or other rows is not judged again, only told as it was stored.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from app.domain import actions as a
from app.domain.actions import action_type
from app.domain.amounts import format_any, format_plain
from app.domain.events import Event
from app.domain.instants import format_instant
from app.domain.names import EvaluationStatus, SkipReason
from app.engine.cel import CelError, Explanation, Program, Template
from app.engine.compiled import (
    CompiledAction,
    CompiledAsset,
    CompiledAttribute,
    CompiledBroadcast,
    CompiledCounter,
    CompiledSchedule,
    CompiledTag,
    CompiledTier,
)
from app.engine.decide import evaluate_condition
from app.engine.evaluations import Evaluation
from app.engine.resolving import amount_of, name_of, reference_of, text_of
from app.engine.ruleset import NumberedRule, Ruleset
from app.engine.scope import ActionFailed
from app.engine.state import World
from app.engine.texts import CompiledTarget
from app.engine.variables import Inputs, activation_of

_MATCHED = frozenset((EvaluationStatus.SUCCESS, EvaluationStatus.FAILED))


@dataclass(frozen=True, slots=True)
class Mismatch:
    """A stored value that does not follow from the stored inputs."""

    path: str
    stored: Any
    recomputed: Any


@dataclass(frozen=True, slots=True)
class ExplainedAction:
    """An action: what was recorded (None for one that failed or was not reached), and its expressions."""

    action: a.Action
    recorded: Mapping[str, Any] | None
    expressions: tuple[tuple[str, Explanation], ...]


@dataclass(frozen=True, slots=True)
class ExplainedRule:
    """A rule: whether the event's type admits it, its condition where it was looked at, what was stored."""

    rule: NumberedRule
    candidate: bool
    condition: Explanation | None
    stored: Evaluation | None
    actions: tuple[ExplainedAction, ...]


@dataclass(slots=True)
class ExplainedDecision:
    """All rules of the rule set in order, and what does not fit."""

    rules: list[ExplainedRule] = field(default_factory=list)
    mismatches: list[Mismatch] = field(default_factory=list)


def explain(
    event: Event, ruleset: Ruleset, decided_at: datetime, inputs: Inputs, stored: Sequence[Evaluation]
) -> ExplainedDecision:
    """Take every rule again and compare."""
    candidates = ruleset.candidates(event.event_data)
    variables = activation_of(event, inputs, candidates)
    world = World(decided_at)
    left = {evaluation.number: evaluation for evaluation in stored}
    found = ExplainedDecision()
    admitted = {rule.number for rule in candidates.rules}
    stopped_by: int | None = None
    failed = False
    for rule in ruleset.rules:
        if rule.number not in admitted:
            found.rules.append(ExplainedRule(rule, False, None, left.pop(rule.number, None), ()))
            continue
        was = left.pop(rule.number, None)
        expected: Evaluation | None = None
        if stopped_by is not None:
            expected = Evaluation(
                rule.number, EvaluationStatus.SKIPPED, SkipReason.STOPPED_BY_RULE, None, stopped_by
            )
        elif not failed:
            expected = evaluate_condition(rule, world, variables)
        _compare(found, rule, was, expected)
        looked = stopped_by is None and not failed and not _outside(expected)
        condition = rule.compiled.condition.explain(variables) if looked else None
        matched = looked and expected is not None and expected.status is EvaluationStatus.SUCCESS
        actions = tuple(_actions(found, rule, was, variables, ruleset, decided_at)) if matched else ()
        found.rules.append(ExplainedRule(rule, True, condition, was, actions))
        if matched:
            failed = was is not None and was.status is EvaluationStatus.FAILED
            if rule.compiled.rule.stop_after_match:
                stopped_by = rule.number
        if failed:
            stopped_by = None
    for number, evaluation in left.items():
        found.mismatches.append(Mismatch(f"rule number {number}", evaluation.status.value, None))
    return found


def _outside(expected: Evaluation | None) -> bool:
    return expected is not None and expected.reason is SkipReason.OUTSIDE_TIME_WINDOW


def _compare(
    found: ExplainedDecision, rule: NumberedRule, was: Evaluation | None, expected: Evaluation | None
) -> None:
    path = str(rule.compiled.rule.id)
    if was is None or expected is None:
        if was is not expected:
            found.mismatches.append(Mismatch(
                f"{path}.status", None if was is None else was.status.value,
                None if expected is None else expected.status.value,
            ))
        return
    matched = expected.status is EvaluationStatus.SUCCESS
    fits = was.status in _MATCHED or was.reason is SkipReason.BUDGET_EXCEEDED
    if not (fits if matched else was.status is expected.status):
        found.mismatches.append(Mismatch(f"{path}.status", was.status.value, expected.status.value))
    elif not matched:
        for name in ("reason", "error", "stopped_by"):
            if getattr(was, name) != getattr(expected, name):
                found.mismatches.append(
                    Mismatch(f"{path}.{name}", getattr(was, name), getattr(expected, name))
                )


def _actions(
    found: ExplainedDecision, rule: NumberedRule, was: Evaluation | None, variables: Mapping[str, Any],
    ruleset: Ruleset, decided_at: datetime,
) -> Iterator[ExplainedAction]:
    recorded = [] if was is None else was.actions
    path = str(rule.compiled.rule.id)
    ended = was is not None and was.status is EvaluationStatus.FAILED
    if was is not None and not ended and len(recorded) != len(rule.compiled.actions):
        found.mismatches.append(Mismatch(f"{path}.actions", len(recorded), len(rule.compiled.actions)))
    for index, action in enumerate(rule.compiled.actions):
        told = recorded[index] if index < len(recorded) else None
        if told is not None:
            try:
                expected = dict(_resolved(action, variables, ruleset, decided_at))
            except (CelError, ActionFailed) as error:
                found.mismatches.append(Mismatch(f"{path}.actions[{index}]", "executed", str(error)))
            else:
                found.mismatches += (
                    Mismatch(f"{path}.actions[{index}].{name}", told.get(name), value)
                    for name, value in expected.items() if told.get(name) != value
                )
        yield ExplainedAction(
            action.action, told,
            tuple((name, program.explain(variables)) for name, program in expressions(action)),
        )


def _resolved(
    action: CompiledAction, variables: Mapping[str, Any], ruleset: Ruleset, decided_at: datetime
) -> Iterator[tuple[str, Any]]:
    """Yield what an executed action must have recorded, as far as the inputs tell."""
    match action:
        case CompiledAsset():
            asset = ruleset.assets.get(action.action.asset_id)
            # A release takes up to its amount; everything else moves exactly that.
            if action.amount is not None and asset is not None and not isinstance(action.action, a.Release):
                # Told by data that somebody may have changed since: it need not be an amount any more.
                yield "amount", format_any(amount_of(action.amount, variables), asset.scale)
            if action.reference_id is not None:
                reference = reference_of(action.reference_id, variables)
                if action.amount is None or amount_of(action.amount, variables):
                    yield "reference_id", reference
        case CompiledTag():
            yield "tag", name_of(action.tag, variables, "tag").lower()
        case CompiledCounter():
            yield "key", name_of(action.key, variables, "key")
            yield "value", format_plain(amount_of(action.value, variables))
        case CompiledAttribute():
            yield "key", name_of(action.key, variables, "key")
            yield "value", text_of(action.value, variables)
        case CompiledTier():
            yield "tier", action.action.tier
            yield "level", action.action.level
        case CompiledSchedule():
            yield "event_name", name_of(action.event_name, variables, "event_name")
            yield "scheduled_for", format_instant(decided_at + action.delay)
        case CompiledBroadcast():
            yield "event_name", name_of(action.event_name, variables, "event_name")


def expressions(action: CompiledAction) -> Iterator[tuple[str, Program]]:
    """Yield the expressions of an action with the paths of their fields."""
    for name in type(action).__dataclass_fields__:
        yield from _programs(name, getattr(action, name))


def _programs(path: str, value: Any) -> Iterator[tuple[str, Program]]:
    match value:
        case Program():
            yield path, value
        case Template():
            for part in value.parts:
                if isinstance(part, Program):
                    yield path, part
        case CompiledTarget():
            for name in ("id", "external_id", "participant_id", "group_id"):
                yield from _programs(f"{path}.{name}", getattr(value, name))
        case Mapping():
            for name, inner in value.items():
                yield from _programs(f"{path}.{name}", inner)
        case list():
            for index, inner in enumerate(value):
                yield from _programs(f"{path}[{index}]", inner)


def kind_of(action: a.Action) -> str:
    """Return the type of an action as the contract names it."""
    return action_type(action).value
