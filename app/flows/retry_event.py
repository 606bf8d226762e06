"""Trying a failed event again: a new place at the tail, with fresh attempts (decision C16)."""

from typing import Any
from uuid import UUID

from app import db
from app.domain.errors import EventNotFailed, NotFound
from app.domain.names import EventStatus
from app.queue import ringer
from app.store import events, inbox
from app.store.event_status import status_of


def retry_event(organization_id: UUID, event_id: UUID) -> dict[str, Any]:
    """Queue a FAILED event; return its row as it was. Raises NotFound, EventNotFailed."""
    with db.transaction() as c:
        # The second of two requests looks only when the first has committed, and then finds it waiting.
        if not events.lock(c, organization_id, event_id):
            raise NotFound("Event not found")
        row = events.get(c, organization_id, event_id)
        assert row is not None, "it is locked, and events are never deleted"
        status = status_of(row)
        if status is not EventStatus.FAILED:
            raise EventNotFailed(details={"status": f"the event is {status}"})
        inbox.requeue(c, row)
    ringer.ring((row["partition"],))
    return row
