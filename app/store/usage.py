"""The SQL of daily usage: added up behind the requests, read by the usage endpoint."""

from datetime import date
from typing import Any
from uuid import UUID

from app.db import Connection

_ADD = """
INSERT INTO usage_days AS u (organization_id, day, requests, errors, latency_ms_total, events)
VALUES (%(organization_id)s, %(day)s, %(requests)s, %(errors)s, %(latency_ms)s, %(events)s)
ON CONFLICT (organization_id, day) DO UPDATE SET
    requests = u.requests + excluded.requests, errors = u.errors + excluded.errors,
    latency_ms_total = u.latency_ms_total + excluded.latency_ms_total, events = u.events + excluded.events
"""
_LIST = """
SELECT day, requests, errors, latency_ms_total, events FROM usage_days
WHERE organization_id = %(organization_id)s AND day BETWEEN %(first)s AND %(last)s ORDER BY day
"""


def add(
    c: Connection, organization_id: UUID, day: date, *,
    requests: int, errors: int, latency_ms: float, events: int,
) -> None:
    """Add a batch of requests to a day."""
    c.execute(_ADD, {
        "organization_id": organization_id, "day": day, "requests": requests, "errors": errors,
        "latency_ms": latency_ms, "events": events,
    })


def between(c: Connection, organization_id: UUID, first: date, last: date) -> list[dict[str, Any]]:
    """Return the days from `first` to `last` that saw requests, oldest first."""
    return c.execute(_LIST, {"organization_id": organization_id, "first": first, "last": last}).fetchall()
