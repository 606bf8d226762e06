"""The SQL of webhook endpoints: their configuration, and the state of their circuit."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, LiteralString
from uuid import UUID

from app.db import Connection
from app.domain.json import dumps
from app.domain.webhooks import EndpointStatus
from app.store.pages import Column, Order, Page, Slice, Where, fetch

ORDER = Order((Column("created_at", "created_at", "timestamptz"), Column("id", "id", "uuid")))
_SHOWN: LiteralString = (
    "id, url, description, enabled_events, metadata, status, created_at, updated_at"
)
_ONE: LiteralString = "WHERE organization_id = %(organization_id)s AND id = %(id)s"
_GET = f"SELECT {_SHOWN} FROM webhook_endpoints {_ONE}"
_LOCK = f"SELECT {_SHOWN}, secret FROM webhook_endpoints {_ONE} FOR NO KEY UPDATE"
# Endpoints of one organization are made one after another, so that their number is certain.
_COUNT = """
SELECT count(*) AS endpoints FROM webhook_endpoints
WHERE organization_id = %(organization_id)s AND status <> 'ARCHIVED'
"""
_ONE_BY_ONE = "SELECT pg_advisory_xact_lock(hashtextextended('webhook_endpoints:' || %s, 0))"
_INSERT = f"""
INSERT INTO webhook_endpoints (organization_id, id, url, description, enabled_events, metadata, secret,
    created_at, updated_at)
VALUES (%(organization_id)s, %(id)s, %(url)s, %(description)s, %(enabled_events)s, %(metadata)s::jsonb,
    %(secret)s, %(now)s, %(now)s)
RETURNING {_SHOWN}
"""
# A new address or a new start is given the benefit of the doubt: the circuit closes.
_UPDATE = f"""
UPDATE webhook_endpoints SET url = %(url)s, description = %(description)s,
    enabled_events = %(enabled_events)s, metadata = %(metadata)s::jsonb, status = %(status)s,
    updated_at = %(now)s,
    consecutive_failures = CASE WHEN %(afresh)s THEN 0 ELSE consecutive_failures END,
    circuit_delay_seconds = CASE WHEN %(afresh)s THEN 0 ELSE circuit_delay_seconds END,
    circuit_broken_until = CASE WHEN %(afresh)s THEN NULL ELSE circuit_broken_until END,
    rate_limited_until = CASE WHEN %(afresh)s THEN NULL ELSE rate_limited_until END
{_ONE}
RETURNING {_SHOWN}
"""
_ROTATE = f"""
UPDATE webhook_endpoints SET secret = %(secret)s, previous_secret = %(previous)s,
    previous_secret_until = %(until)s, updated_at = %(now)s
{_ONE}
RETURNING {_SHOWN}
"""
_LOCK_CIRCUITS = """
SELECT e.organization_id, e.id, e.status, e.consecutive_failures, e.circuit_delay_seconds,
    e.circuit_broken_until, e.rate_limited_until
FROM webhook_endpoints e
JOIN jsonb_to_recordset(%s::jsonb) AS r(o uuid, i uuid) ON e.organization_id = r.o AND e.id = r.i
ORDER BY e.id FOR NO KEY UPDATE OF e
"""
_WRITE_CIRCUITS = """
UPDATE webhook_endpoints e SET consecutive_failures = r.f, circuit_delay_seconds = r.d,
    circuit_broken_until = r.b, rate_limited_until = r.l, last_attempt_at = r.at,
    status = CASE WHEN r.gone AND e.status = 'ACTIVE' THEN 'DISABLED' ELSE e.status END,
    updated_at = CASE WHEN r.gone AND e.status = 'ACTIVE' THEN r.at ELSE e.updated_at END
FROM jsonb_to_recordset(%s::jsonb)
    AS r(o uuid, i uuid, f integer, d integer, b timestamptz, l timestamptz, at timestamptz, gone boolean)
WHERE e.organization_id = r.o AND e.id = r.i
"""


def insert(
    c: Connection, organization_id: UUID, endpoint_id: UUID, now: datetime, *, url: str,
    description: str | None, enabled_events: list[str], metadata: Any, secret: bytes,
) -> dict[str, Any]:
    """Create an endpoint; it starts ACTIVE."""
    row = c.execute(_INSERT, {
        "organization_id": organization_id, "id": endpoint_id, "now": now, "url": url,
        "description": description, "enabled_events": enabled_events,
        "metadata": None if metadata is None else dumps(metadata), "secret": secret,
    }).fetchone()
    assert row is not None
    return row


def count(c: Connection, organization_id: UUID) -> int:
    """Return how many endpoints an organization has; nobody else adds one before the transaction ends."""
    c.execute(_ONE_BY_ONE, (str(organization_id),))
    row = c.execute(_COUNT, {"organization_id": organization_id}).fetchone()
    assert row is not None
    return int(row["endpoints"])


def get(c: Connection, organization_id: UUID, endpoint_id: UUID) -> dict[str, Any] | None:
    """Return one endpoint, without its secret."""
    return c.execute(_GET, {"organization_id": organization_id, "id": endpoint_id}).fetchone()


def lock(c: Connection, organization_id: UUID, endpoint_id: UUID) -> dict[str, Any] | None:
    """Return one endpoint with its sealed secret, locked against other changes."""
    return c.execute(_LOCK, {"organization_id": organization_id, "id": endpoint_id}).fetchone()


def update(
    c: Connection, organization_id: UUID, endpoint: Mapping[str, Any], now: datetime, *, afresh: bool
) -> dict[str, Any]:
    """Write a changed endpoint; `afresh` forgets its failures."""
    metadata = endpoint["metadata"]
    row = c.execute(_UPDATE, {
        **endpoint, "organization_id": organization_id, "now": now, "afresh": afresh,
        "metadata": None if metadata is None else dumps(metadata),
    }).fetchone()
    assert row is not None
    return row


def rotate(
    c: Connection, organization_id: UUID, endpoint_id: UUID, now: datetime, *, secret: bytes,
    previous: bytes | None, until: datetime | None,
) -> dict[str, Any]:
    """Write a new secret, and the one before for as long as it is still used."""
    row = c.execute(_ROTATE, {
        "organization_id": organization_id, "id": endpoint_id, "now": now, "secret": secret,
        "previous": previous, "until": until,
    }).fetchone()
    assert row is not None
    return row


def page(c: Connection, organization_id: UUID, page: Page, status: EndpointStatus | None) -> Slice:
    """Return one page of endpoints, newest first, without archived ones."""
    where = Where.of(organization_id)
    where.add("status <> 'ARCHIVED'")
    where.equal("status", "status", status)
    sql = f"SELECT {_SHOWN} FROM webhook_endpoints WHERE {where.sql()}"
    return fetch(c, sql, where.parameters, ORDER, page)


def lock_circuits(c: Connection, keys: list[tuple[UUID, UUID]]) -> dict[UUID, dict[str, Any]]:
    """Lock endpoints, given as (organization, id), in the order of their ids; return their circuits by id."""
    rows = c.execute(_LOCK_CIRCUITS, (dumps([{"o": o, "i": i} for o, i in keys]),)).fetchall()
    return {row["id"]: row for row in rows}


def write_circuits(c: Connection, rows: list[dict[str, Any]]) -> None:
    """Write circuits after attempts; a row has all of the columns."""
    c.execute(_WRITE_CIRCUITS, (dumps(rows),))
