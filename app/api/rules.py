"""Rules over HTTP: create, list, read, change, validate, simulate, reset a budget, history."""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Any

from app.api.models.rules import (
    Action,
    Budget,
    BudgetSpec,
    ConditionValidity,
    ResetBudgetQuery,
    Rule,
    RuleCreate,
    RuleHistory,
    RuleHistoryQuery,
    RuleList,
    RulePatch,
    RuleSimulation,
    RulesQuery,
    SimulateRule,
    ValidateCondition,
)
from app.api.pages import envelope, listing, page_of
from app.api.render import present
from app.api.routing import Reply, Request, route
from app.db import connection, read_clock
from app.domain import errors
from app.domain.amounts import ZERO, format_amount
from app.domain.rules import Budget as BudgetWish
from app.domain.rules import CronSchedule, IntervalSchedule, RuleStatus, Schedule, ScheduleType
from app.engine import cel
from app.engine.rule_simulation import ImaginedState
from app.engine.schedules import roll
from app.flows import rules as rule_flows
from app.flows.reset_budget import reset_budget
from app.flows.rules import RuleDraft, RuleView
from app.flows.simulate_rule import simulate_rule
from app.store import budgets, rule_history, rules
from app.store.budgets import BudgetState

_TAG = "Rules"
_VALID = "CEL condition is valid"
_NOTE = "Validation checks syntax only. Field references are not verified against an event schema."


def rule_view(view: RuleView) -> dict[str, Any]:
    """Show a rule with its budgets."""
    row = view.row
    shown: dict[str, Any] = {"id": row.id, "program_id": row.program_id, "name": row.name}
    if row.description is not None:
        shown["description"] = row.description
    shown |= {
        "condition": row.condition, "actions": row.actions, "order": row.order,
        "stop_after_match": row.stop_after_match, "active_from": row.active_from,
        "active_to": row.active_to, "budgets": [budget_view(each, view.now) for each in view.budgets],
        "status": row.status.value, "created_at": row.created_at, "updated_at": row.updated_at,
    }
    if row.deleted_at is not None:
        shown["deleted_at"] = row.deleted_at
    return shown


def budget_view(state: BudgetState, now: datetime) -> dict[str, Any]:
    """Show a budget as of `now`: one whose reset is due stands at zero, though no event has met it yet."""
    schedule, due, consumed = state.budget.schedule, state.next_reset_at, state.consumed
    shown: dict[str, Any] = {"asset_id": state.budget.asset_id}
    if schedule is not None and due is not None and due <= now:
        consumed, due = ZERO, roll(schedule, due, now)
    shown["limit"] = _amount(state.budget.limit, state.scale)
    shown["consumed"] = _amount(consumed, state.scale)
    match schedule:
        case CronSchedule(expression):
            shown |= {"schedule_type": ScheduleType.CRON.value, "cron_expression": expression}
        case IntervalSchedule(interval):
            shown |= {"schedule_type": ScheduleType.INTERVAL.value, "interval": interval}
        case None:
            pass
    return shown | {"next_reset_at": due}


def _amount(value: Decimal, scale: int) -> str:
    return format_amount(value, scale)


def budget_wishes(given: Iterable[BudgetSpec]) -> tuple[BudgetWish, ...]:
    """Return the budgets that a body asks for."""
    return tuple(BudgetWish(each.asset_id, each.limit, _schedule(each)) for each in given)


def _schedule(given: BudgetSpec) -> Schedule | None:
    if given.cron_expression is not None:
        return CronSchedule(given.cron_expression)
    if given.interval is not None:
        return IntervalSchedule(given.interval)
    return None


def words(actions: Iterable[Action]) -> list[dict[str, Any]]:
    """Return actions word for word as they were given, without what was null."""
    return [_given(action) for action in actions]


def _given(model: Any) -> dict[str, Any]:
    given = {}
    for name in type(model).model_fields:
        value = getattr(model, name)
        if name in model.model_fields_set and value is not None:
            given[name] = _given(value) if name == "target" else value
    return given


@route(
    "POST", "/v1/rules", summary="Create a rule", tag=_TAG, body=RuleCreate, responses={201: Rule},
    errors=[
        errors.NotFound, errors.ProgramArchived, errors.OrderConflict, errors.AssetNotLinked,
        errors.LotAssetRequired, errors.AssetArchived, errors.LimitExceeded, errors.InvalidAmount,
    ],
    description=(
        "Everything that can be checked is checked: expressions, templates, durations, times, schedules; "
        "assets are linked, tiers and levels exist. An error names the path, such as `actions[2].amount`, "
        "and the column. Without `order` the rule goes 10 behind the last one."
    ),
    example={
        "program_id": "8f14e45f-ceea-467f-9a36-dedd4bea2543", "name": "10 Points per Purchase",
        "condition": 'event.type == "purchase"',
        "actions": [
            {"type": "CREDIT", "asset_id": "45c48cce-2e2d-4fbd-aa11-59a8f3f0c4a1", "amount": "10"}
        ],
    },
)
def create_rule(request: Request) -> Reply:
    """Create a rule."""
    body: RuleCreate = request.body
    draft = RuleDraft(
        program_id=body.program_id, name=body.name, description=body.description, condition=body.condition,
        actions=words(body.actions), order=body.order, stop_after_match=bool(body.stop_after_match),
        active_from=body.active_from, active_to=body.active_to, budgets=budget_wishes(body.budgets or ()),
        status=RuleStatus(body.status or RuleStatus.ACTIVE),
    )
    return Reply(201, rule_view(rule_flows.create(request.organization_id, request.api_key_id, draft)))


@route(
    "GET", "/v1/rules", summary="List rules", tag=_TAG, query=RulesQuery, responses={200: RuleList},
    description="Archived rules are left out unless `status` or `include_archived` asks for them.",
)
def list_rules(request: Request) -> Reply:
    """List rules."""
    query: RulesQuery = request.query
    order = rules.order(query.sort_by, descending=query.sort_dir == "desc")
    with connection() as c:
        found = rules.page(
            c, request.organization_id, order, page_of(request, order), program_id=query.program_id,
            status=query.status, include_archived=query.include_archived, search=query.search,
        )
        rows = [rules.row_of(row) for row in found.rows]
        states = budgets.of_rules(c, request.organization_id, [row.id for row in rows])
        now = read_clock(c)
    shown = [rule_view(RuleView(row, tuple(states.get(row.id, ())), now)) for row in rows]
    return envelope(request, order, shown, found.next)


@route("GET", "/v1/rules/{id}", summary="Get a rule", tag=_TAG, responses={200: Rule},
       errors=[errors.NotFound])
def get_rule(request: Request) -> Reply:
    """Return a rule, its budgets with what is consumed now and when they start anew."""
    with connection() as c:
        return Reply(200, rule_view(rule_flows.get(c, request.organization_id, request.path["id"])))


@route(
    "PATCH", "/v1/rules/{id}", summary="Change a rule", tag=_TAG, body=RulePatch, responses={200: Rule},
    errors=[
        errors.NotFound, errors.RuleArchived, errors.ProgramArchived, errors.OrderConflict,
        errors.AssetNotLinked, errors.LotAssetRequired, errors.AssetArchived, errors.InvalidAmount,
    ],
    description=(
        "Only fields present in the body change. `status` suspends, activates or archives; an archived rule "
        "stays so. `actions` and `budgets` replace the whole list; a budget of an asset that stays keeps "
        "what it has consumed."
    ),
    example={"status": "SUSPENDED"},
)
def update_rule(request: Request) -> Reply:
    """Change a rule."""
    body: RulePatch = request.body
    changes: dict[str, Any] = {name: getattr(body, name) for name in body.model_fields_set}
    if body.actions is not None:
        changes["actions"] = words(body.actions)
    if body.budgets is not None:
        changes["budgets"] = budget_wishes(body.budgets)
    if body.status is not None:
        changes["status"] = RuleStatus(body.status)
    return Reply(200, rule_view(rule_flows.change(
        request.organization_id, request.api_key_id, request.path["id"], changes
    )))


@route(
    "POST", "/v1/rules/validate", summary="Validate a condition", tag=_TAG, body=ValidateCondition,
    responses={200: ConditionValidity},
    description="An invalid condition is no error of the request: `valid` is false and `message` says why.",
    example={"condition": 'event.type == "purchase" && event.amount > 0'},
)
def validate_condition(request: Request) -> Reply:
    """Say whether a condition compiles."""
    try:
        cel.compile(request.body.condition, cel.Kind.CONDITION)
    except cel.CelError as error:
        return Reply(200, {"valid": False, "message": str(error)})
    return Reply(200, {"valid": True, "message": _VALID, "note": _NOTE})


@route(
    "POST", "/v1/rules/{id}/simulate", summary="Simulate a rule", tag=_TAG, body=SimulateRule,
    responses={200: RuleSimulation}, errors=[errors.NotFound],
    description=(
        "A preview of this one rule: nothing is written; balances, budgets and windows are left out. "
        "Without `participant_state` the state is empty."
    ),
    example={"event": {"type": "purchase", "amount": 75}},
)
def simulate_one_rule(request: Request) -> Reply:
    """Try a rule on an imagined event."""
    body: SimulateRule = request.body
    given = body.participant_state
    state = ImaginedState() if given is None else ImaginedState(
        tuple(tag.lower() for tag in given.tags or ()), given.counters, given.attributes
    )
    return Reply(200, simulate_rule(request.organization_id, request.path["id"], body.event, state))


@route(
    "POST", "/v1/rules/{id}/reset-budget", summary="Reset a budget", tag=_TAG, query=ResetBudgetQuery,
    responses={200: Budget}, errors=[errors.NotFound],
    description="`consumed` becomes zero and the schedule starts from now.",
)
def reset_rule_budget(request: Request) -> Reply:
    """Start a budget anew."""
    state = reset_budget(request.organization_id, request.path["id"], request.query.asset_id)
    with connection() as c:
        now = read_clock(c)
    return Reply(200, budget_view(state, now))


@route(
    "GET", "/v1/rules/{id}/history", summary="List a rule's history", tag=_TAG, query=RuleHistoryQuery,
    responses={200: RuleHistory}, errors=[errors.NotFound],
    description="Newest first. The `id` of an entry is the `rule_history_id` of evaluations.",
)
def list_rule_history(request: Request) -> Reply:
    """List the versions of a rule."""
    query: RuleHistoryQuery = request.query
    with connection() as c:
        if rules.get(c, request.organization_id, request.path["id"]) is None:
            raise errors.NotFound("Rule not found")
        return listing(request, rule_history.ORDER, lambda page: rule_history.page(
            c, request.organization_id, request.path["id"], page, change_type=query.change_type,
            start=query.from_, end=query.to,
        ), _version_view)


def _version_view(row: Any) -> dict[str, Any]:
    return present(
        row, optional=("changed_by_api_key_id",),
        required=("id", "rule_id", "program_id", "change_type", "changed_at", "changes", "snapshot"),
    )
