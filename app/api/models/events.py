"""The shapes of events: what clients send, what they are answered, and the lists.

Items of a batch are validated one by one: a broken one becomes a refusal at its place, not the whole batch's.
"""

from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, PlainValidator, WithJsonSchema, WrapValidator, model_validator
from pydantic import ValidationError as PydanticError

from app.api.faults import body_error
from app.api.fields import (
    STRUCTURE_FAULT,
    TEXT_PATTERN,
    Answer,
    Body,
    IdempotencyKey,
    Instant,
    InstantText,
    Name,
    Query,
    QueryBoolean,
    Text,
    Uuid,
    UuidText,
    fault,
    fault_at,
)
from app.api.models import action_shapes
from app.api.pages import EventWindow, Paged, SortDirection, list_of
from app.domain.errors import DomainError
from app.domain.events import BATCH_EVENTS_MAX, EVENT_DATA_DEPTH_MAX, is_deeper
from app.domain.names import EvaluationStatus, EventErrorCode, EventStatus, SkipReason

Status = Literal["RECEIVED", "PENDING", "PROCESSING", "COMPLETED", "FAILED"]
Type = Literal["EXTERNAL", "SYSTEM"]


def _check_event_data(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise fault("must be an object")
    if is_deeper(value, EVENT_DATA_DEPTH_MAX):
        raise fault(f"must not be nested more than {EVENT_DATA_DEPTH_MAX} levels deep")
    return value


EventData = Annotated[
    dict[str, Any], PlainValidator(_check_event_data),
    WithJsonSchema({
        "type": "object", "additionalProperties": True, "propertyNames": {"pattern": TEXT_PATTERN},
        "description": (
            "What happened, as your rules read it under `event`: at most 64 KiB and 32 levels deep, no NUL, "
            "numbers of up to 60 digits and 1e100."
        ),
    }),
]


class EventIngest(Body):
    """One event: exactly one of `external_id` and `participant_id`, at most one of the recipient's."""

    model_config = ConfigDict(json_schema_extra={"allOf": action_shapes.IDENTITIES})

    program_id: Uuid
    idempotency_key: Annotated[IdempotencyKey, Field(
        description="Unique in the program: the same key is the same event, whenever it is sent."
    )]
    event_timestamp: Annotated[Instant, Field(description="When it happened; `now` in expressions.")]
    event_data: EventData
    external_id: Annotated[Name | None, Field(description="Your id of the participant.")] = None
    participant_id: Uuid | None = None
    recipient_id: Annotated[Uuid | None, Field(description="Who gets the value, where not the same.")] = None
    recipient_external_id: Name | None = None

    @model_validator(mode="after")
    def _identities(self) -> "EventIngest":
        if self.external_id is None:
            if self.participant_id is None:
                raise fault_at("external_id", "is required, or participant_id in its place")
        elif self.participant_id is not None:
            raise fault_at("participant_id", "must not be given beside external_id", STRUCTURE_FAULT)
        if self.recipient_id is not None and self.recipient_external_id is not None:
            raise fault_at("recipient_id", "must not be given beside recipient_external_id", STRUCTURE_FAULT)
        return self


def _each_on_its_own(value: Any, validate: Callable[[Any], EventIngest]) -> EventIngest | DomainError:
    if isinstance(value, DomainError):
        return value
    try:
        return validate(value)
    except PydanticError as error:
        return body_error(error, value)


class EventBatch(Body):
    """Events in the order in which they are to be processed."""

    events: Annotated[
        list[Annotated[EventIngest, WrapValidator(_each_on_its_own)]],
        Field(min_length=1, max_length=BATCH_EVENTS_MAX),
    ]


class AcceptedEvent(Answer):
    """An accepted event; `status` is RECEIVED, or where a repeated submission's event stands now."""

    id: UuidText
    program_id: UuidText
    participant_id: UuidText | None
    external_id: str | None = None
    idempotency_key: str
    event_timestamp: InstantText
    status: Status


class BatchResult(Answer):
    """What became of one item: `event` where accepted, else `code`, `message` and the fields at fault."""

    index: int
    status: Literal["accepted", "error"]
    event: AcceptedEvent | None = None
    error: Annotated[str | None, Field(
        description="What is wrong, in one line: the fields at fault, or else the `message`."
    )] = None
    code: str | None = None
    message: str | None = None
    details: dict[str, str] | None = None


class BatchAccepted(Answer):
    """The outcome of a batch, in the order of its items."""

    total: int
    success_count: int
    error_count: int
    results: list[BatchResult]


class EvaluatedAction(Answer):
    """An executed action with what was resolved; which fields appear depends on `type`."""

    type: str
    target: Annotated[dict[str, Any] | None, Field(
        description="Whom it concerned, where that was not the event's participant."
    )] = None
    asset_id: UuidText | None = None
    asset_symbol: str | None = None
    bucket: str | None = None
    amount: str | None = None
    reference_id: str | None = None
    journal_entry_id: UuidText | None = None
    tag: str | None = None
    key: str | None = None
    value: str | None = None
    new_value: str | None = None
    tier: str | None = None
    level: str | None = None
    event_name: str | None = None
    scheduled_for: InstantText | None = None
    skipped: Annotated[str | None, Field(
        description="Why it did nothing, such as `zero_amount` or `budget_exceeded`."
    )] = None


class RuleEvaluation(Answer):
    """What became of one rule; rules whose condition was false have none."""

    id: UuidText
    rule_id: UuidText
    rule_name: str
    rule_history_id: Annotated[UuidText, Field(description="The version of the rule that was in force.")]
    status: EvaluationStatus
    reason: SkipReason | None = None
    error_message: str | None = None
    stopped_by_rule_id: UuidText | None = None
    created_at: InstantText
    actions: list[EvaluatedAction]


class EventSummary(Answer):
    """An event as lists show it."""

    id: UuidText
    program_id: UuidText
    event_type: Type
    external_id: str | None = None
    participant_id: UuidText | None = None
    group_id: UuidText | None = None
    recipient_id: UuidText | None = None
    idempotency_key: str
    event_data: dict[str, Any]
    event_timestamp: InstantText
    received_at: InstantText
    created_at: InstantText
    processed_at: InstantText | None
    updated_at: InstantText
    status: EventStatus
    error_code: EventErrorCode | None = None
    error_message: str | None = None
    depth: Annotated[int | None, Field(description="How many events caused one another before this.")] = None
    caused_by_event_id: UuidText | None = None
    automation_id: UuidText | None = None


class Event(EventSummary):
    """An event with what became of the rules."""

    rule_evaluations: list[RuleEvaluation]


EventList = list_of(EventSummary, "EventList")


class EventQuery(Query):
    """How much of an event to show."""

    include_skipped: Annotated[QueryBoolean, Field(
        description="Also the rules whose condition erred (SKIPPED_ERROR) or took too long (SKIPPED_TIMEOUT)."
    )] = False


class EventByKeyQuery(EventQuery):
    """An event by what names it."""

    program_id: Uuid
    idempotency_key: Annotated[Text, Field(min_length=1, max_length=255)]


class ParticipantEventsQuery(Paged, EventWindow):
    """Filters of a participant's events."""

    program_id: Uuid | None = None
    status: Status | None = None
    event_type: Type | None = None
    rule_id: Annotated[Uuid | None, Field(description="Only events in which this rule matched.")] = None
    sort_by: Literal["created_at", "event_timestamp", "status"] = "created_at"
    sort_dir: SortDirection = "desc"


class EventsQuery(ParticipantEventsQuery):
    """Filters of the list of events."""

    participant_id: Uuid | None = None
    external_id: Annotated[Text | None, Field(min_length=1, max_length=255)] = None


class EventRetry(Answer):
    """A failed event that runs again."""

    event_id: UuidText
    status: Literal["PENDING"]
    previous_status: Literal["FAILED"]
    previous_error: str | None
    message: str
