"""The shapes of automations and their subscriptions."""

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, PlainValidator, StrictStr, WithJsonSchema, model_validator

from app.api.fields import (
    Answer,
    Body,
    Description,
    Instant,
    InstantText,
    Key,
    Name,
    Patch,
    Uuid,
    UuidText,
    fault,
    fault_at,
)
from app.api.pages import Paged, Search, list_of
from app.domain.automations import HINTS_MAX
from app.domain.events import EVENT_DATA_BYTES_MAX, EVENT_DATA_DEPTH_MAX, is_deeper
from app.domain.json import dumps

CONDITION_LENGTH_MAX = 8192

TriggerTypes = Literal["cron", "one_time", "immediate", "participant_state"]
ScheduleTypes = Literal["ATTRIBUTE_DATE", "INTERVAL", "CRON", "THRESHOLD"]
Scopes = Literal["program", "participants"]
Statuses = Literal["active", "paused", "archived", "completed"]
Runs = Literal["idle", "pending", "executing", "completed", "failed"]


def _payload(value: Any) -> Any:
    if not isinstance(value, dict):
        raise fault("must be an object")
    if is_deeper(value, EVENT_DATA_DEPTH_MAX):
        raise fault(f"must not be nested more than {EVENT_DATA_DEPTH_MAX} levels deep")
    if len(dumps(value).encode()) > EVENT_DATA_BYTES_MAX:
        raise fault(f"must not be larger than {EVENT_DATA_BYTES_MAX} bytes")
    return value


def _object(value: Any) -> Any:
    if not isinstance(value, dict):
        raise fault("must be an object")
    return value


Payload = Annotated[dict[str, Any], PlainValidator(_payload), WithJsonSchema({"type": "object"})]
Config = Annotated[dict[str, Any], PlainValidator(_object), WithJsonSchema({"type": "object"})]
Expression = Annotated[StrictStr, Field(min_length=1, max_length=CONDITION_LENGTH_MAX)]
CronText = Annotated[StrictStr, Field(min_length=1, max_length=255, examples=["0 9 * * 1"])]
ZoneText = Annotated[StrictStr, Field(min_length=1, max_length=64, examples=["Europe/Berlin"])]


class FilterHint(Body):
    """What every matching participant has; narrows whom the filter looks at. Exactly one of the three."""

    has_tag: Key | None = None
    has_attribute: Key | None = None
    has_counter: Key | None = None

    @model_validator(mode="after")
    def _is_one(self) -> "FilterHint":
        if len(self.model_fields_set) != 1 or None in self.model_dump(include=self.model_fields_set).values():
            raise fault("must have exactly one of has_tag, has_attribute, has_counter")
        return self


Hints = Annotated[list[FilterHint], Field(max_length=HINTS_MAX)]
Filter = Annotated[Expression, Field(description="Who belongs to it: CEL over `participant`.")]
Guard = Annotated[Expression, Field(
    description="CEL at the time of firing, over all that a rule sees; false leaves the participant out."
)]


class TriggerBody(Body):
    """When it fires; which fields count depends on `type`."""

    type: TriggerTypes
    cron_expression: Annotated[CronText | None, Field(description="Five fields; for `cron`.")] = None
    timezone: Annotated[ZoneText | None, Field(description="Of the tz database; UTC by default.")] = None
    trigger_at: Annotated[Instant | None, Field(description="For `one_time`.")] = None
    schedule_type: Annotated[ScheduleTypes | None, Field(description="For `participant_state`.")] = None
    schedule_config: Annotated[Config | None, Field(description=(
        "ATTRIBUTE_DATE: `attribute`, `time`, `timezone`, `offset_days`, `recurring` YEARLY or ONCE. "
        "INTERVAL: `interval`, `anchor` SUBSCRIBED or ENROLLED. CRON: `cron_expression`, `timezone`. "
        "THRESHOLD: `counter`, `operator`, `threshold`, `repeat`."
    ))] = None


class AutomationCreate(Body):
    """A new automation; it is active at once."""

    name: Name
    event_name: Annotated[Name, Field(description="The `type` of the events it makes.")]
    scope: Scopes
    trigger: TriggerBody
    description: Description | None = None
    payload: Payload | None = None
    participant_filter: Filter | None = None
    guard_condition: Guard | None = None
    filter_hints: Hints | None = None
    participant_id: Uuid | None = None


class AutomationPatch(Patch):
    """The fields to change; null clears a text that may be absent. Trigger type and scope stay."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1})
    nullable = frozenset({
        "description", "payload", "timezone", "participant_filter", "guard_condition", "filter_hints",
    })

    name: Name | None = None
    description: Description | None = None
    event_name: Name | None = None
    payload: Payload | None = None
    cron_expression: CronText | None = None
    timezone: ZoneText | None = None
    trigger_at: Instant | None = None
    schedule_config: Config | None = None
    participant_filter: Filter | None = None
    guard_condition: Guard | None = None
    filter_hints: Hints | None = None
    status: Literal["active", "paused"] | None = None

    @model_validator(mode="after")
    def _says_something(self) -> "AutomationPatch":
        if not self.model_fields_set:
            raise fault_at("body", "must have at least one field")
        return self


class AutomationsQuery(Paged):
    """Filters of the list of automations."""

    search: Search = None
    trigger_type: TriggerTypes | None = None
    scope: Scopes | None = None
    status: Annotated[Statuses | None, Field(description="Archived ones are told only if asked for.")] = None
    source: Annotated[Literal["api", "rule_action"] | None, Field(
        description="`rule_action`: what SCHEDULE_EVENT and BROADCAST made; else what was created here."
    )] = None


class SubscriptionsQuery(Paged):
    """Filters of the list of subscriptions."""

    status: Literal["active", "completed", "failed"] | None = None


class Automation(Answer):
    """An automation, with the progress of its latest run where it addresses participants."""

    id: UuidText
    program_id: UuidText
    name: str
    description: str | None = None
    event_name: str
    payload: dict[str, Any]
    trigger_type: TriggerTypes
    scope: Scopes
    status: Statuses
    source: Literal["api", "rule_action"]
    participant_filter: str | None = None
    guard_condition: str | None = None
    filter_hints: list[FilterHint] | None = None
    participant_id: UuidText | None = None
    cron_expression: str | None = None
    timezone: str | None = None
    next_run_at: InstantText | None = None
    last_run_at: InstantText | None = None
    last_error: str | None = None
    trigger_at: InstantText | None = None
    processed_at: InstantText | None = None
    error_message: str | None = None
    schedule_type: ScheduleTypes | None = None
    schedule_config: dict[str, Any] | None = None
    last_evaluated_at: InstantText | None = None
    execution_status: Runs | None = None
    execution_started_at: InstantText | None = None
    execution_completed_at: InstantText | None = None
    execution_error: str | None = None
    participants_total: int | None = None
    participants_processed: int | None = None
    created_at: InstantText
    updated_at: InstantText


class Accepted(Answer):
    """What was ordered will be done."""

    status: str


class Subscription(Answer):
    """A participant whom a participant_state automation watches."""

    id: UuidText
    automation_id: UuidText
    participant_id: UuidText
    status: Literal["active", "completed", "failed"]
    next_trigger_at: InstantText | None
    last_triggered_at: InstantText | None
    trigger_count: int
    retry_count: int
    last_error: str | None
    created_at: InstantText


AutomationList = list_of(Automation)
SubscriptionList = list_of(Subscription)
