"""The webhook outbox: messages written in the transaction that caused them, then handed to endpoints."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from app.db import Connection, limited
from app.domain.json import dumps
from app.domain.names import WebhookType

_SUBSCRIBED = """
SELECT DISTINCT organization_id, unnest(enabled_events) AS type FROM webhook_endpoints
WHERE organization_id = ANY(%s::uuid[]) AND status = 'ACTIVE'
"""

_INSERT = """
WITH r AS MATERIALIZED (
    SELECT COALESCE(o, %(organization_id)s) AS o, i, t, COALESCE(at, %(now)s) AS at, p, d
    FROM jsonb_to_recordset(%(rows)s::jsonb)
        AS r(o uuid, i uuid, t text, at timestamptz, p uuid, d jsonb)
), w AS (
    INSERT INTO outbox (organization_id, id, type, created_at, participant_id, data)
    SELECT o, i, t, at, p, d FROM r
)
INSERT INTO outbox_pending (organization_id, outbox_id) SELECT o, i FROM r
"""

# Hands messages over: whoever takes a pending row deletes it in the transaction that writes its deliveries.
_TAKE = """
WITH taken AS (
    DELETE FROM outbox_pending p USING (
        SELECT organization_id, outbox_id FROM outbox_pending ORDER BY outbox_id, organization_id
        LIMIT $limit FOR UPDATE SKIP LOCKED
    ) next
    WHERE p.outbox_id = next.outbox_id AND p.organization_id = next.organization_id
    RETURNING p.organization_id, p.outbox_id
)
SELECT t.organization_id, t.outbox_id AS message_id, b.type, e.id AS endpoint_id
FROM taken t
LEFT JOIN outbox b ON b.organization_id = t.organization_id AND b.id = t.outbox_id
LEFT JOIN webhook_endpoints e ON e.organization_id = t.organization_id AND e.status = 'ACTIVE'
    AND (b.type = ANY(e.enabled_events) OR '*' = ANY(e.enabled_events))
ORDER BY t.outbox_id, e.id
"""
_NUMBER = """
UPDATE owners SET webhook_sequence = webhook_sequence + 1
WHERE organization_id = %(organization_id)s AND id = ANY(%(ids)s)
RETURNING id, webhook_sequence
"""
_ANY_PENDING = "SELECT EXISTS (SELECT 1 FROM outbox_pending) AS pending"
_SINCE = """
SELECT b.id AS message_id, b.type FROM outbox b
WHERE b.organization_id = %(organization_id)s AND b.id >= %(first)s AND b.id <= %(last)s
    AND (b.type = ANY(%(types)s) OR '*' = ANY(%(types)s))
ORDER BY b.id LIMIT %(limit)s
"""
# Along the primary key of each organization, from where the batch before has ended.
_TRIM = """
WITH old AS MATERIALIZED (
    SELECT o.id AS organization_id, m.id FROM organizations o CROSS JOIN LATERAL (
        SELECT x.id FROM outbox x
        WHERE x.organization_id = o.id AND x.id < %(before)s AND x.id > CASE
            WHEN o.id = %(organization_id)s THEN %(id)s ELSE '00000000-0000-0000-0000-000000000000' END
        ORDER BY x.id LIMIT $limit
    ) m WHERE o.id >= %(organization_id)s ORDER BY o.id, m.id LIMIT $limit
), gone AS (
    DELETE FROM outbox b USING old
    WHERE b.organization_id = old.organization_id AND b.id = old.id AND NOT EXISTS (
        SELECT 1 FROM webhook_deliveries d
        WHERE d.organization_id = old.organization_id AND d.webhook_event_id = old.id)
    RETURNING 1
)
SELECT organization_id, id, count(*) OVER () AS seen, (SELECT count(*) FROM gone) AS deleted
FROM old ORDER BY organization_id DESC, id DESC LIMIT 1
"""

ALL_TYPES = frozenset(WebhookType)

# Called whenever messages were written, before their commit: flows listen to ring a bell. The rows are the
# truth, and whoever hears nothing loses nothing.
listeners: list[Callable[[], None]] = []


class Message(NamedTuple):
    """One webhook event: `data` is its payload, `participant_id` whom it concerns where there is one."""

    organization_id: UUID
    id: UUID
    type: WebhookType
    created_at: datetime
    participant_id: UUID | None
    data: dict[str, Any]


class Place(NamedTuple):
    """A message that a walk through all of them has come to."""

    organization_id: UUID
    id: UUID


START = Place(UUID(int=0), UUID(int=0))


def subscribed(c: Connection, organization_ids: list[UUID]) -> dict[UUID, frozenset[WebhookType]]:
    """Return, for each organization, the types that some ACTIVE endpoint of it subscribes to."""
    return read_subscribed(start_subscribed(c, organization_ids))


def start_subscribed(c: Connection, organization_ids: list[UUID]) -> Any:
    """Start the query of `subscribed`, for use in a pipeline."""
    return c.execute(_SUBSCRIBED, (organization_ids,))


def read_subscribed(cursor: Any) -> dict[UUID, frozenset[WebhookType]]:
    """Finish the query of `subscribed`."""
    found: dict[UUID, set[WebhookType]] = {}
    for row in cursor.fetchall():
        types = found.setdefault(row["organization_id"], set())
        types |= ALL_TYPES if row["type"] == "*" else {WebhookType(row["type"])}
    return {organization: frozenset(types) for organization, types in found.items()}


def wants(c: Connection, organization_id: UUID, kind: WebhookType) -> bool:
    """Say whether some ACTIVE endpoint of the organization subscribes to a type."""
    return kind in subscribed(c, [organization_id]).get(organization_id, frozenset())


def number(c: Connection, organization_id: UUID, participant_ids: list[UUID]) -> dict[UUID, int]:
    """Count one more message for each participant; return the numbers.

    For flows that hold nobody's state in memory: new participants, and an event that could not be decided.
    """
    rows = c.execute(_NUMBER, {"organization_id": organization_id, "ids": participant_ids})
    return {row["id"]: row["webhook_sequence"] for row in rows}


def insert(c: Connection, messages: list[Message]) -> None:
    """Write messages and mark them for fan-out."""
    if not messages:
        return
    usual = messages[0]
    values = {"organization_id": usual.organization_id, "now": usual.created_at}
    c.execute(_INSERT, {"rows": dumps([_row(message, usual) for message in messages]), **values})
    for listener in listeners:
        listener()


def take(c: Connection, limit: int) -> list[dict[str, Any]]:
    """Take pending messages off the list: one row for each endpoint, one without where nobody wants it."""
    return c.execute(limited(_TAKE, limit)).fetchall()


def any_pending(c: Connection) -> bool:
    """Say whether a message waits to be handed over."""
    row = c.execute(_ANY_PENDING).fetchone()
    return bool(row and row["pending"])


def since(
    c: Connection, organization_id: UUID, first: UUID, last: UUID, types: list[str], limit: int
) -> list[dict[str, Any]]:
    """Return messages from one id to another of some types, the oldest first."""
    return c.execute(_SINCE, {
        "organization_id": organization_id, "first": first, "last": last, "types": types, "limit": limit,
    }).fetchall()


def trim(c: Connection, before: UUID, after: Place, limit: int) -> tuple[int, Place | None]:
    """Look at the next `limit` messages with ids below a bound; delete those that no delivery refers to.

    Returns how many were deleted and where to go on; None where there are no more.
    """
    row = c.execute(limited(_TRIM, limit), {"before": before, **after._asdict()}).fetchone()
    if row is None:
        return 0, None
    return row["deleted"], Place(row["organization_id"], row["id"]) if row["seen"] == limit else None


def _row(message: Message, usual: Message) -> dict[str, Any]:
    """Return a row without what nearly all messages of a batch have in common."""
    row: dict[str, Any] = {"i": message.id, "t": message.type, "d": message.data}
    if message.organization_id != usual.organization_id:
        row["o"] = message.organization_id
    if message.created_at != usual.created_at:
        row["at"] = message.created_at.isoformat()
    if message.participant_id is not None:
        row["p"] = message.participant_id
    return row
