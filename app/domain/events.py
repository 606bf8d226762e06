"""Events as values: what a client submits, what is answered, and what a worker reads."""

from datetime import datetime
from decimal import Context, Decimal
from typing import Any
from uuid import UUID

from app.domain.instants import format_instant
from app.domain.json import dumps
from app.domain.names import EventStatus, EventType
from app.domain.values import value

EVENT_DATA_BYTES_MAX = 64 * 1024
EVENT_DATA_DEPTH_MAX = 32
BATCH_EVENTS_MAX = 100
IDEMPOTENCY_KEY_LENGTH_MAX = 255
CHAIN_DEPTH_MAX = 10
# As tuples: a union is made anew each time that one is asked about.
_CONTAINERS = (dict, list)
_NUMBERS = (int, float, Decimal)
_ALL_DIGITS = Context(prec=400)  # More than any number that is accepted has; the default would round.


@value
class Submission:
    """One event as a client sent it, its shape already checked; exactly one of the identities is given."""

    program_id: UUID
    idempotency_key: str
    event_timestamp: datetime
    event_data: dict[str, Any]
    external_id: str | None = None
    participant_id: UUID | None = None
    recipient_id: UUID | None = None
    recipient_external_id: str | None = None


@value
class Accepted:
    """The answer to an accepted submission; `replayed` where the event existed before."""

    id: UUID
    program_id: UUID
    participant_id: UUID | None
    external_id: str | None
    idempotency_key: str
    event_timestamp: datetime
    status: EventStatus
    replayed: bool


@value
class SystemEvent:
    """An event that the system makes itself; `key` is unique in its program among SYSTEM events."""

    organization_id: UUID
    program_id: UUID
    key: str
    event_timestamp: datetime
    event_data: dict[str, Any]
    participant_id: UUID | None = None
    group_id: UUID | None = None
    depth: int = 0
    caused_by_event_id: UUID | None = None
    automation_id: UUID | None = None


@value
class Event:
    """An event as a worker decides it. `owner_id` is whose order it keeps: participant, group or program."""

    organization_id: UUID
    seq: int
    id: UUID
    program_id: UUID
    event_type: EventType
    participant_id: UUID | None
    group_id: UUID | None
    recipient_id: UUID | None
    external_id: str | None
    idempotency_key: str
    event_timestamp: datetime
    created_at: datetime
    event_data: dict[str, Any]
    depth: int
    owner_id: UUID
    attempts: int = 0
    partition: int = 0
    position: int = 0


def is_deeper(value: dict[str, Any], levels: int) -> bool:
    """Say whether an object is nested deeper than so many levels, itself counted."""
    layer: list[Any] = [value]
    while layer := [
        inner
        for each in layer
        for inner in (each.values() if isinstance(each, dict) else each)
        if isinstance(inner, _CONTAINERS)
    ]:
        levels -= 1
        if levels == 0:
            return True
    return False


def is_large(event_data: dict[str, Any]) -> bool:
    """Say whether an event's data, as compact JSON, is larger than is taken."""
    return len(dumps(event_data).encode()) > EVENT_DATA_BYTES_MAX


def normalised(value: object) -> object:
    """Return JSON data in the form in which payloads are compared: key order and trailing zeros aside."""
    if isinstance(value, dict):
        return {key: normalised(value[key]) for key in sorted(value)}
    if isinstance(value, list):
        return [normalised(item) for item in value]
    if isinstance(value, datetime):
        return format_instant(value)
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, bool) or not isinstance(value, _NUMBERS):
        return value
    number = Decimal(str(value)).normalize(_ALL_DIGITS)
    return {"number": format(number, "f") if number else "0"}
