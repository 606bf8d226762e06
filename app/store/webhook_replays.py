"""The SQL of replays: messages that an endpoint is to get once more, from one outbox id to another."""

from datetime import datetime
from typing import Any, LiteralString
from uuid import UUID

from app.db import Connection

_INSERT = """
INSERT INTO webhook_replays (organization_id, id, webhook_endpoint_id, next_outbox_id, last_outbox_id,
    created_at)
VALUES (%(organization_id)s, %(id)s, %(endpoint_id)s, %(first)s, %(last)s, %(now)s)
"""
# A replay goes on only while its endpoint is ACTIVE and has little else to get.
_READY: LiteralString = """
FROM webhook_replays r
JOIN webhook_endpoints e ON e.organization_id = r.organization_id AND e.id = r.webhook_endpoint_id
    AND e.status = 'ACTIVE'
WHERE (SELECT count(*) FROM (
    SELECT 1 FROM webhook_deliveries d WHERE d.webhook_endpoint_id = r.webhook_endpoint_id
        AND d.organization_id = r.organization_id AND d.status IN ('PENDING', 'SENDING')
    LIMIT %(pending)s
) waiting) < %(pending)s
"""
_TAKE = f"""
SELECT r.organization_id, r.id, r.webhook_endpoint_id, r.next_outbox_id, r.last_outbox_id, e.enabled_events
{_READY} ORDER BY r.id LIMIT 1 FOR UPDATE OF r SKIP LOCKED
"""
_ANY_READY = f"SELECT EXISTS (SELECT 1 {_READY}) AS ready"
_GO_ON = """
UPDATE webhook_replays SET next_outbox_id = %(next)s
WHERE organization_id = %(organization_id)s AND id = %(id)s
"""
_END = "DELETE FROM webhook_replays WHERE organization_id = %(organization_id)s AND id = %(id)s"
_END_ALL = """
DELETE FROM webhook_replays WHERE organization_id = %(organization_id)s AND webhook_endpoint_id = %(id)s
"""


def insert(
    c: Connection, organization_id: UUID, replay_id: UUID, endpoint_id: UUID, first: UUID, last: UUID,
    now: datetime,
) -> None:
    """Note that an endpoint is to get messages once more."""
    c.execute(_INSERT, {
        "organization_id": organization_id, "id": replay_id, "endpoint_id": endpoint_id, "first": first,
        "last": last, "now": now,
    })


def take(c: Connection, pending_max: int) -> dict[str, Any] | None:
    """Return a replay that can go on, locked; None where there is none or others are at it."""
    return c.execute(_TAKE, {"pending": pending_max}).fetchone()


def any_ready(c: Connection, pending_max: int) -> bool:
    """Say whether a replay can go on."""
    row = c.execute(_ANY_READY, {"pending": pending_max}).fetchone()
    return bool(row and row["ready"])


def go_on(c: Connection, organization_id: UUID, replay_id: UUID, following: UUID) -> None:
    """Note where the next step begins."""
    c.execute(_GO_ON, {"organization_id": organization_id, "id": replay_id, "next": following})


def end(c: Connection, organization_id: UUID, replay_id: UUID) -> None:
    """Forget a replay that is done."""
    c.execute(_END, {"organization_id": organization_id, "id": replay_id})


def end_all(c: Connection, organization_id: UUID, endpoint_id: UUID) -> None:
    """Forget the replays of an endpoint that was archived."""
    c.execute(_END_ALL, {"organization_id": organization_id, "id": endpoint_id})
