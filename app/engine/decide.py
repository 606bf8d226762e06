"""The decision about one event: a pure function of the event, the state, the rules and the instant.

The live worker, the dry run, the simulation and the replay all call `decide`. It reads no clock and does no
input or output; what it returns is written down by app/flows/process.
"""

from collections.abc import Callable
from dataclasses import field

from app.domain.actions import action_type, blocked_while_inactive
from app.domain.events import CHAIN_DEPTH_MAX, Event
from app.domain.ids import TimeOrdered
from app.domain.names import (
    EvaluationStatus,
    EventErrorCode,
    EventStatus,
    OwnerType,
    SkipReason,
)
from app.domain.values import value
from app.engine import asset_actions, emit_actions, qualify, state_actions
from app.engine.cel import CelBudgetError, CelError, CelEvaluationError
from app.engine.compiled import CompiledAction, CompiledAsset, CompiledBroadcast, CompiledSchedule
from app.engine.evaluations import Evaluation
from app.engine.ruleset import NumberedRule, Ruleset
from app.engine.scope import ActionFailed, Scope
from app.engine.state import Draft, Owner, World
from app.engine.targets import resolve
from app.engine.variables import Inputs, activation, inputs_of


@value
class Decision:
    """What was decided about an event; a FAILED one has no draft: nothing of it is kept but this."""

    event: Event
    status: EventStatus
    ruleset_version: int
    evaluations: tuple[Evaluation, ...] = ()
    inputs: Inputs = field(default_factory=dict)
    draft: Draft | None = None
    error_code: EventErrorCode | None = None
    error_message: str | None = None


def decide(
    event: Event, world: World, ruleset: Ruleset, ids: TimeOrdered, account_number: Callable[[], int]
) -> Decision:
    """Decide an event on the world's state, which stays as it is until `decision.draft.commit()`.

    Raises NeedsMore where rows are needed that are not loaded and locked.
    """
    if event.depth > CHAIN_DEPTH_MAX:
        return Decision(
            event, EventStatus.FAILED, ruleset.version, error_code=EventErrorCode.CHAIN_TOO_DEEP,
            error_message=f"events caused by events go at most {CHAIN_DEPTH_MAX} deep",
        )
    candidates = ruleset.candidates(event.event_data)
    variables = activation(event, world, ruleset, candidates)
    inputs = inputs_of(variables, candidates.paths)
    draft = Draft(world)
    evaluations: list[Evaluation] = []
    stopped_by: NumberedRule | None = None
    scope: Scope | None = None
    for rule in candidates.rules:
        if stopped_by is not None:
            evaluations.append(Evaluation(
                rule.number, EvaluationStatus.SKIPPED, SkipReason.STOPPED_BY_RULE, None, stopped_by.number
            ))
            continue
        evaluation = evaluate_condition(rule, world, variables)
        if evaluation is None:
            continue
        evaluations.append(evaluation)
        if evaluation.status is not EvaluationStatus.SUCCESS:
            continue
        if scope is None:
            scope = Scope(event, rule.compiled.rule, ruleset, variables, draft, ids, account_number)
        scope.rule = rule.compiled.rule
        failure = _run_actions(scope, rule, evaluation)
        if failure is not None:
            for each in evaluations:
                each.forget_entries()
            return Decision(
                event, EventStatus.FAILED, ruleset.version, tuple(evaluations), inputs,
                error_code=failure.code, error_message=failure.message,
            )
        if rule.compiled.rule.stop_after_match:
            stopped_by = rule
    qualify.qualify(draft, ruleset)
    return Decision(event, EventStatus.COMPLETED, ruleset.version, tuple(evaluations), inputs, draft)


def evaluate_condition(
    rule: NumberedRule, world: World, variables: dict[str, object]
) -> Evaluation | None:
    """Return the evaluation of a rule that matched, erred or is outside its window; None for no match."""
    compiled = rule.compiled
    if not compiled.rule.in_window(world.now):
        return Evaluation(rule.number, EvaluationStatus.SKIPPED, SkipReason.OUTSIDE_TIME_WINDOW)
    try:
        matched = compiled.condition.evaluate(variables)
    except CelBudgetError as error:
        return Evaluation(rule.number, EvaluationStatus.SKIPPED_TIMEOUT, error=str(error))
    except CelEvaluationError as error:
        return Evaluation(
            rule.number, EvaluationStatus.SKIPPED_ERROR, error=f"condition evaluation failed: {error}"
        )
    return Evaluation(rule.number, EvaluationStatus.SUCCESS) if matched else None


def _run_actions(scope: Scope, rule: NumberedRule, evaluation: Evaluation) -> ActionFailed | None:
    """Run the actions of a rule that matched; return the failure that ends the event, if any."""
    for action in rule.compiled.actions:
        try:
            recorded = _run(scope, action)
        except (ActionFailed, CelError) as error:
            code = error.code if isinstance(error, ActionFailed) else EventErrorCode.EXPRESSION_ERROR
            message = f"action {action_type(action.action)} failed: {error}"
            evaluation.status, evaluation.error = EvaluationStatus.FAILED, message
            return ActionFailed(code, message)
        evaluation.actions.append(recorded)
        if recorded.get("skipped") == "budget_exceeded":
            evaluation.status, evaluation.reason = EvaluationStatus.SKIPPED, SkipReason.BUDGET_EXCEEDED
    return None


def _run(scope: Scope, action: CompiledAction) -> dict[str, object]:
    if isinstance(action, CompiledBroadcast):
        return emit_actions.broadcast(scope, action)
    moves_value = isinstance(action, CompiledAsset)
    owner = resolve(scope, action.target, moves_value=moves_value)
    # An archived group keeps even its tags; of a participant only value and counters are closed.
    changes_group = owner.kind is OwnerType.GROUP and not isinstance(action, CompiledSchedule)
    if changes_group or blocked_while_inactive(action.action):
        _refuse_inactive(owner)
    if isinstance(action, CompiledAsset):
        recorded = asset_actions.run(scope, action, owner)
    elif isinstance(action, CompiledSchedule):
        recorded = emit_actions.schedule(scope, action, owner)
    else:
        recorded = state_actions.run(scope, action, owner)
    person = scope.event.participant_id
    if owner.id is not person and owner.id != person:
        recorded["target"] = {"type": owner.kind.value, "id": str(owner.id)}
    return recorded


def _refuse_inactive(owner: Owner) -> None:
    if owner.status != "ACTIVE" and owner.kind in (OwnerType.PARTICIPANT, OwnerType.GROUP):
        raise ActionFailed(
            EventErrorCode.PARTICIPANT_INACTIVE, f"the {owner.kind.value.lower()} is {owner.status}"
        )
