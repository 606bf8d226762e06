"""The shapes of rules, their actions, budgets, versions and simulations."""

from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    ConfigDict,
    Field,
    PlainValidator,
    StrictBool,
    StrictStr,
    WithJsonSchema,
    model_validator,
)

from app.api.fields import (
    DURATION_PATTERN,
    Amount,
    AmountText,
    Answer,
    Body,
    Description,
    Instant,
    InstantText,
    Name,
    Patch,
    Query,
    QueryBoolean,
    Text,
    Uuid,
    UuidText,
    bounded_integer,
    fault,
    fault_at,
    parse_uuid,
    query_integer,
)
from app.api.models import action_shapes
from app.api.models.events import EventData
from app.api.pages import Cursor, Paged, Search, SortDirection, Window, list_of
from app.domain.actions import ACTIONS_MAX
from app.domain.rules import BUDGETS_MAX, ORDER_MAX
from app.engine.schedules import EXPRESSION_LENGTH_MAX

CONDITION_LENGTH_MAX = 8192

Status = Literal["ACTIVE", "SUSPENDED", "ARCHIVED"]
ChangeTypes = Literal["created", "updated", "archived", "suspended", "activated"]
Expression = Annotated[Text, Field(min_length=1, max_length=CONDITION_LENGTH_MAX)]
Order = Annotated[bounded_integer(1, ORDER_MAX), Field(
    description="Rules run by ascending order; no two ACTIVE rules of a program share one."
)]
_Cel = Annotated[Text, Field(description="A CEL expression, or a literal.")]
_Template = Annotated[Text, Field(description="A literal; `{{ expression }}` parts are filled in.")]


def _kept(value: str) -> str:
    """Check a UUID and keep its text: actions are answered word for word as they were given."""
    parse_uuid(value)
    return value


def _number(value: Any) -> Decimal:
    """Read a number of JSON; a boolean is none."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise fault("must be a number")
    return Decimal(value)


Number = Annotated[Decimal, PlainValidator(_number), WithJsonSchema({"type": "number"})]
KeptUuid = Annotated[StrictStr, AfterValidator(_kept), WithJsonSchema({"type": "string", "format": "uuid"})]


class ActionTarget(Body):
    """Whom an action concerns; at most one of the ids. Without ids: the event's own."""

    model_config = ConfigDict(json_schema_extra={"anyOf": action_shapes.TARGETS})

    type: Literal["PARTICIPANT", "RECIPIENT", "PROGRAM", "GROUP"]
    id: _Template | None = None
    external_id: _Cel | None = None
    participant_id: _Cel | None = None
    group_id: _Cel | None = None


class Action(Body):
    """What a matching rule does. Which fields count depends on `type`; the others are ignored."""

    model_config = ConfigDict(json_schema_extra={"anyOf": action_shapes.ACTIONS})

    type: Literal[
        "CREDIT", "DEBIT", "HOLD", "RELEASE", "FORFEIT", "VOID_HOLD", "TAG", "UNTAG", "COUNTER",
        "SET_ATTRIBUTE", "SET_TIER", "SCHEDULE_EVENT", "BROADCAST",
    ]
    asset_id: KeptUuid | None = None
    amount: _Cel | None = None
    bucket: Literal["AVAILABLE", "HELD"] | None = None
    description: _Template | None = None
    reference_id: _Cel | None = None
    expires_at: Annotated[Text | None, Field(
        description="A duration counted from the credit (`8760h`), or an RFC 3339 date-time."
    )] = None
    matures_at: Annotated[Text | None, Field(
        description="A duration counted from the credit, or an RFC 3339 date-time."
    )] = None
    allow_negative: StrictBool | None = None
    tag: _Template | None = None
    key: _Template | None = None
    value: Annotated[Text | None, Field(
        description="COUNTER: a CEL expression or number to add. SET_ATTRIBUTE: a literal with `{{ }}` parts."
    )] = None
    reset_after: Annotated[Text | None, Field(description="A Go duration; an empty text removes it.")] = None
    tier: Text | None = None
    level: Text | None = None
    event_name: _Template | None = None
    delay: Annotated[Text | None, Field(description="A Go duration from 1s to 5 years.")] = None
    payload: dict[str, Any] | None = None
    target: ActionTarget | None = None


class BudgetSpec(Body):
    """How much of an asset a rule may issue, and when that starts anew."""

    model_config = ConfigDict(json_schema_extra={"anyOf": action_shapes.BUDGETS})

    asset_id: Uuid
    limit: Amount
    schedule_type: Annotated[Literal["CRON", "INTERVAL"] | None, Field(
        description="Absent: a lifetime budget."
    )] = None
    cron_expression: Annotated[
        Annotated[Text, Field(min_length=1, max_length=EXPRESSION_LENGTH_MAX)] | None,
        Field(description="Five fields, in UTC.", examples=["0 0 1 * *"]),
    ] = None
    interval: Annotated[Text | None, Field(
        description="A Go duration such as `720h`.", json_schema_extra={"pattern": DURATION_PATTERN}
    )] = None

    @model_validator(mode="after")
    def _schedule_is_whole(self) -> "BudgetSpec":
        for word, name in (("CRON", "cron_expression"), ("INTERVAL", "interval")):
            given = getattr(self, name) is not None
            if self.schedule_type == word and not given:
                raise fault_at(name, f"is required with schedule_type {word}")
            if self.schedule_type != word and given:
                raise fault_at(name, f"needs schedule_type {word}")
        return self


Actions = Annotated[list[Action], Field(min_length=1, max_length=ACTIONS_MAX)]
Budgets = Annotated[list[BudgetSpec], Field(max_length=BUDGETS_MAX)]


class RuleCreate(Body):
    """A new rule."""

    program_id: Uuid
    name: Name
    description: Description | None = None
    condition: Expression
    actions: Actions
    order: Order | None = None
    stop_after_match: StrictBool | None = None
    active_from: Instant | None = None
    active_to: Instant | None = None
    budgets: Budgets | None = None
    status: Literal["ACTIVE", "SUSPENDED"] | None = None


class RulePatch(Patch):
    """The fields to change; absent ones stay. `actions` and `budgets` replace the whole list."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1})
    nullable = frozenset(("description", "active_from", "active_to"))

    name: Name | None = None
    description: Description | None = None
    condition: Expression | None = None
    actions: Actions | None = None
    order: Order | None = None
    stop_after_match: StrictBool | None = None
    active_from: Instant | None = None
    active_to: Instant | None = None
    budgets: Budgets | None = None
    status: Status | None = None

    @model_validator(mode="after")
    def _says_something(self) -> "RulePatch":
        if not self.model_fields_set:
            raise fault_at("body", "must have at least one field")
        return self


class RulesQuery(Paged):
    """Filters of the list of rules."""

    program_id: Uuid | None = None
    status: Status | None = None
    include_archived: QueryBoolean = False
    search: Search = None
    sort_by: Literal["order", "name", "created_at"] = "order"
    sort_dir: SortDirection = "asc"


class RuleHistoryQuery(Window):
    """Filters of a rule's history."""

    change_type: ChangeTypes | None = None
    limit: Annotated[query_integer(1, 100), Field(description="Rows per page.")] = 20
    cursor: Cursor = None


class ResetBudgetQuery(Query):
    """Which budget to reset."""

    asset_id: Uuid


class ValidateCondition(Body):
    """A condition to check."""

    condition: Expression


class ParticipantState(Body):
    """The state to simulate with; what is absent is empty."""

    tags: Annotated[list[Text], Field(max_length=500)] | None = None
    counters: Annotated[dict[str, Number], Field(max_length=500)] | None = None
    attributes: Annotated[dict[str, Text], Field(max_length=500)] | None = None


class SimulateRule(Body):
    """An event, and optionally the participant's state, to try a rule on."""

    event: EventData
    participant_state: ParticipantState | None = None


class Budget(Answer):
    """A budget as it stands."""

    asset_id: UuidText
    limit: AmountText
    consumed: AmountText
    schedule_type: Literal["CRON", "INTERVAL"] | None = None
    cron_expression: str | None = None
    interval: str | None = None
    next_reset_at: InstantText | None


class Rule(Answer):
    """A rule: a condition on events, and the actions that follow."""

    id: UuidText
    program_id: UuidText
    name: str
    description: str | None = None
    condition: str
    actions: list[Action]
    order: int
    stop_after_match: bool
    active_from: InstantText | None
    active_to: InstantText | None
    budgets: list[Budget]
    status: Status
    created_at: InstantText
    updated_at: InstantText
    deleted_at: InstantText | None = None


class RuleVersion(Answer):
    """One change of a rule; its `id` is the `rule_history_id` of evaluations."""

    id: UuidText
    rule_id: UuidText
    program_id: UuidText
    change_type: ChangeTypes
    changed_at: InstantText
    changed_by_api_key_id: UuidText | None = None
    changed_by_user_id: UuidText | None = None
    changes: dict[str, Any]
    snapshot: dict[str, Any]


class ConditionValidity(Answer):
    """Whether a condition compiles."""

    valid: bool
    message: str
    note: str | None = None


class SimulatedRule(Answer):
    """The rule that was simulated."""

    id: UuidText
    name: str
    condition: str
    order: int
    stop_after_match: bool


class SimulatedAction(Answer):
    """An action and what it would do."""

    action: Action
    result: dict[str, Any]


class SimulatedEvaluation(Answer):
    """What the rule would do."""

    matched: bool
    status: Literal["evaluated", "condition_failed"]
    reason: str | None = None
    results: list[SimulatedAction] | None = None


class RuleSimulation(Answer):
    """The outcome of a dry run of one rule."""

    rule: SimulatedRule
    evaluation: SimulatedEvaluation


RuleList = list_of(Rule)
RuleHistory = list_of(RuleVersion, "RuleHistory")
