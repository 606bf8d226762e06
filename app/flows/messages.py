"""The `data` of webhook messages about participants and events (decision F5); balances have their own file.

Pure: values in, JSON-ready data out.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from app.domain.events import Event
from app.domain.instants import format_instant
from app.domain.names import EventErrorCode, EventStatus


def participant_created(
    participant_id: UUID, external_id: str, program_ids: list[UUID], at: datetime, **profile: Any
) -> dict[str, Any]:
    """Return the payload of `participant.created`; `profile` holds the fields that the request gave."""
    return {
        "id": str(participant_id), "external_id": external_id, "status": "ACTIVE", "attributes": {},
        "tags": [], "counters": {}, "tiers": {}, "balances": [],
        "program_ids": [str(program) for program in program_ids],
        "created_at": format_instant(at), "updated_at": format_instant(at), **profile,
    }


def event_decided(
    event: Event, status: EventStatus, at: datetime, error_code: EventErrorCode | None, error: str | None
) -> dict[str, Any]:
    """Return the payload of `event.completed` and `event.failed`: the event without its data."""
    received_at, processed_at = format_instant(event.created_at), format_instant(at)
    data: dict[str, Any] = {
        "id": event.id, "program_id": event.program_id, "event_type": str(event.event_type),
        "idempotency_key": event.idempotency_key, "event_timestamp": format_instant(event.event_timestamp),
        "received_at": received_at, "created_at": received_at,
        "processed_at": processed_at, "updated_at": processed_at, "status": str(status),
    }
    if event.depth:
        data["depth"] = event.depth
    optional = {
        "participant_id": event.participant_id, "group_id": event.group_id,
        "recipient_id": event.recipient_id, "external_id": event.external_id, "error_code": error_code,
        "error_message": error,
    }
    return data | {name: value for name, value in optional.items() if value is not None}
