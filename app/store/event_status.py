"""The status of an event, derived from what its rows tell (decision C3)."""

from collections.abc import Mapping
from typing import Any

from app.domain.names import EventStatus


def status_of(row: Mapping[str, Any]) -> EventStatus:
    """Return the status of an event row as app/store/events reads it.

    A row in the inbox is work still to be done, also where an earlier decision failed and was retried.
    """
    if row["position"] is not None:
        if row["leased"]:
            return EventStatus.PROCESSING
        retried = row["attempts"] > 0 or row["decided"] is not None
        return EventStatus.PENDING if retried else EventStatus.RECEIVED
    return EventStatus(row["decided"])
