"""The SQL of webhook deliveries: reading, sending again, claiming what is due, writing outcomes.

While a delivery is SENDING, `next_attempt_at` is the end of its worker's lease. The statements that look for
work see all organizations; everything that answers a request names one.
"""

from datetime import datetime, timedelta
from typing import Any, LiteralString
from uuid import UUID

from app.db import Connection, limited
from app.domain.json import dumps
from app.domain.webhooks import ATTEMPTS_MAX, IN_FLIGHT_PER_ENDPOINT_MAX, DeliveryError, DeliveryStatus
from app.store.pages import Column, Order, Page, Slice, Where, fetch

ORDER = Order((Column("id", "id", "uuid"),))
_SHOWN: LiteralString = (
    "id, webhook_endpoint_id, webhook_event_id, event_type, status, attempt_count, max_attempts,"
    " next_attempt_at, last_attempt_at, delivered_at, last_response_status, error_code, resend_seq,"
    " created_at, updated_at"
)
_DETAILS: LiteralString = _SHOWN + ", last_response_body, last_error"
_ONE: LiteralString = "WHERE organization_id = %(organization_id)s AND id = %(id)s"
_GET = f"SELECT {_DETAILS} FROM webhook_deliveries {_ONE}"
_RETRY = f"""
UPDATE webhook_deliveries SET status = 'PENDING', attempt_count = 0, next_attempt_at = %(now)s,
    updated_at = %(now)s
{_ONE} AND status = 'FAILED'
RETURNING {_DETAILS}
"""
_INSERT = """
INSERT INTO webhook_deliveries (organization_id, id, webhook_endpoint_id, webhook_event_id, event_type,
    max_attempts, next_attempt_at, resend_seq, created_at, updated_at)
SELECT o, i, e, m, t, %(attempts)s, %(now)s, s, %(now)s, %(now)s
FROM jsonb_to_recordset(%(rows)s::jsonb) AS r(o uuid, i uuid, e uuid, m uuid, t text, s integer)
"""
_RESENDS = """
SELECT webhook_event_id, max(resend_seq) AS resend_seq FROM webhook_deliveries
WHERE organization_id = %(organization_id)s AND webhook_event_id = ANY(%(event_ids)s)
    AND webhook_endpoint_id = %(endpoint_id)s
GROUP BY webhook_event_id
"""
_ARCHIVE = """
UPDATE webhook_deliveries SET status = 'FAILED', next_attempt_at = NULL, error_code = %(code)s,
    last_error = 'The endpoint was archived', updated_at = %(now)s
WHERE organization_id = %(organization_id)s AND webhook_endpoint_id = %(id)s
    AND status IN ('PENDING', 'SENDING')
"""
# Every ACTIVE endpoint that something is due for and that may be sent to, the longest waiting first.
_DUE: LiteralString = """
FROM webhook_endpoints e
CROSS JOIN LATERAL (
    SELECT d.next_attempt_at FROM webhook_deliveries d
    WHERE d.webhook_endpoint_id = e.id AND d.status IN ('PENDING', 'SENDING')
    ORDER BY d.next_attempt_at LIMIT 1
) first
WHERE e.status = 'ACTIVE' AND first.next_attempt_at <= %(now)s
    AND (e.circuit_broken_until IS NULL OR e.circuit_broken_until <= %(now)s)
    AND (e.rate_limited_until IS NULL OR e.rate_limited_until <= %(now)s)
"""
_ANY_DUE = f"SELECT EXISTS (SELECT 1 {_DUE}) AS due"
_CANDIDATES = f"""
SELECT e.organization_id, e.id, e.url, e.secret, e.previous_secret, e.previous_secret_until,
    e.consecutive_failures, e.circuit_delay_seconds, e.circuit_broken_until,
    (SELECT count(*) FROM (
        SELECT 1 FROM webhook_deliveries d WHERE d.webhook_endpoint_id = e.id AND d.status = 'SENDING'
            AND d.next_attempt_at > %(now)s LIMIT {IN_FLIGHT_PER_ENDPOINT_MAX:d}
    ) sending) AS in_flight
{_DUE}
ORDER BY first.next_attempt_at, e.id LIMIT %(limit)s
FOR NO KEY UPDATE OF e SKIP LOCKED
"""
# The limit of all tells the planner how few they are (see `limited`): behind a backlog, and without it, each
# claim read every delivery and every message there is.
CLAIMED_MAX = 500
_CLAIM = """
WITH wanted AS MATERIALIZED (
    SELECT * FROM jsonb_to_recordset(%(wanted)s::jsonb) AS r(o uuid, e uuid, n integer)
), picked AS MATERIALIZED (
    SELECT d.organization_id, d.id, d.webhook_event_id FROM wanted w CROSS JOIN LATERAL (
        SELECT d.organization_id, d.id, d.webhook_event_id FROM webhook_deliveries d
        WHERE d.organization_id = w.o AND d.webhook_endpoint_id = w.e
            AND d.status IN ('PENDING', 'SENDING') AND d.next_attempt_at <= %(now)s
        ORDER BY d.next_attempt_at, d.id LIMIT w.n FOR NO KEY UPDATE SKIP LOCKED
    ) d LIMIT $limit
)
UPDATE webhook_deliveries d SET status = 'SENDING',
    attempt_count = LEAST(d.attempt_count + 1, d.max_attempts), next_attempt_at = %(lease)s,
    last_attempt_at = %(now)s, updated_at = %(now)s
FROM picked p JOIN outbox b ON b.organization_id = p.organization_id AND b.id = p.webhook_event_id
WHERE d.organization_id = p.organization_id AND d.id = p.id
RETURNING d.organization_id, d.id, d.webhook_endpoint_id, d.attempt_count, d.max_attempts,
    b.id AS message_id, b.type, b.created_at, b.data::text AS data
"""
# A success counts whoever sent it. A failure counts only for whom the lease still belongs to.
_WRITE_OUTCOMES = """
UPDATE webhook_deliveries d SET status = r.s, next_attempt_at = r.n, error_code = r.c,
    last_response_status = r.rs, last_response_body = r.rb, last_error = r.er,
    delivered_at = CASE WHEN r.s = 'DELIVERED' THEN %(now)s ELSE d.delivered_at END, updated_at = %(now)s
FROM jsonb_to_recordset(%(rows)s::jsonb) AS r(o uuid, i uuid, lease timestamptz, s text, n timestamptz,
    c text, rs integer, rb text, er text)
WHERE d.organization_id = r.o AND d.id = r.i AND (
    (r.s = 'DELIVERED' AND d.status IN ('SENDING', 'PENDING'))
    OR (d.status = 'SENDING' AND d.next_attempt_at = r.lease)
)
"""
_STATS = """
SELECT e.id AS endpoint_id, e.url, e.status, e.last_attempt_at, e.circuit_broken_until,
    e.rate_limited_until, done.delivered, done.failed, waiting.pending_count, waiting.oldest_pending_at
FROM webhook_endpoints e
CROSS JOIN LATERAL (
    SELECT count(*) FILTER (WHERE d.status = 'DELIVERED') AS delivered,
        count(*) FILTER (WHERE d.status IN ('FAILED', 'PENDING')) AS failed
    FROM webhook_deliveries d
    WHERE d.organization_id = e.organization_id AND d.webhook_endpoint_id = e.id
        AND d.last_attempt_at >= %(since)s
) done
CROSS JOIN LATERAL (
    SELECT count(*) AS pending_count, min(d.created_at) AS oldest_pending_at FROM webhook_deliveries d
    WHERE d.organization_id = e.organization_id AND d.webhook_endpoint_id = e.id
        AND d.status IN ('PENDING', 'SENDING')
) waiting
WHERE e.organization_id = %(organization_id)s AND e.status <> 'ARCHIVED'
ORDER BY e.created_at DESC, e.id DESC
"""
_TRIM = """
DELETE FROM webhook_deliveries d USING (
    SELECT old.organization_id, old.id FROM organizations o CROSS JOIN LATERAL (
        SELECT x.organization_id, x.id FROM webhook_deliveries x
        WHERE x.organization_id = o.id AND x.id < %(before)s ORDER BY x.id LIMIT $limit
    ) old LIMIT $limit
) old
WHERE d.organization_id = old.organization_id AND d.id = old.id
"""


def get(c: Connection, organization_id: UUID, delivery_id: UUID) -> dict[str, Any] | None:
    """Return one delivery with what the receiver answered last."""
    return c.execute(_GET, {"organization_id": organization_id, "id": delivery_id}).fetchone()


def page(
    c: Connection, organization_id: UUID, endpoint_id: UUID, page: Page, status: DeliveryStatus | None
) -> Slice:
    """Return one page of an endpoint's deliveries, newest first."""
    where = Where.of(organization_id)
    where.equal("webhook_endpoint_id", "endpoint_id", endpoint_id)
    where.equal("status", "status", status)
    sql = f"SELECT {_SHOWN} FROM webhook_deliveries WHERE {where.sql()}"
    return fetch(c, sql, where.parameters, ORDER, page)


def retry(c: Connection, organization_id: UUID, delivery_id: UUID, now: datetime) -> dict[str, Any] | None:
    """Give a FAILED delivery its attempts anew; None where there is no such delivery."""
    values = {"organization_id": organization_id, "id": delivery_id, "now": now}
    return c.execute(_RETRY, values).fetchone()


def insert(c: Connection, rows: list[dict[str, Any]], now: datetime) -> None:
    """Write deliveries that are due at once; rows as `new_row` makes them."""
    if rows:
        c.execute(_INSERT, {"rows": dumps(rows), "now": now, "attempts": ATTEMPTS_MAX})


def new_row(
    organization_id: UUID, delivery_id: UUID, endpoint_id: UUID, message_id: UUID, kind: str, resend_seq: int
) -> dict[str, Any]:
    """Return the row of a new delivery for `insert`."""
    return {
        "o": organization_id, "i": delivery_id, "e": endpoint_id, "m": message_id, "t": kind,
        "s": resend_seq,
    }


def resends(
    c: Connection, organization_id: UUID, endpoint_id: UUID, message_ids: list[UUID]
) -> dict[UUID, int]:
    """Return the highest resend number of each message that an endpoint has got or is to get."""
    rows = c.execute(_RESENDS, {
        "organization_id": organization_id, "event_ids": message_ids, "endpoint_id": endpoint_id,
    })
    return {row["webhook_event_id"]: row["resend_seq"] for row in rows}


def end_all(c: Connection, organization_id: UUID, endpoint_id: UUID, now: datetime) -> None:
    """End what still waits for an endpoint that was archived."""
    code = str(DeliveryError.ENDPOINT_ARCHIVED)
    c.execute(_ARCHIVE, {"organization_id": organization_id, "id": endpoint_id, "now": now, "code": code})


def stats(c: Connection, organization_id: UUID, since: datetime) -> list[dict[str, Any]]:
    """Return for each endpoint what became of deliveries attempted since an instant, and what waits."""
    return c.execute(_STATS, {"organization_id": organization_id, "since": since}).fetchall()


def any_due(c: Connection, now: datetime) -> bool:
    """Say whether something could be sent now."""
    row = c.execute(_ANY_DUE, {"now": now}).fetchone()
    return bool(row and row["due"])


def candidates(c: Connection, now: datetime, limit: int) -> list[dict[str, Any]]:
    """Return endpoints that something is due for, locked, without those that another process looks at."""
    return c.execute(_CANDIDATES, {"now": now, "limit": limit}).fetchall()


def claim(
    c: Connection, wanted: dict[tuple[UUID, UUID], int], now: datetime, lease: timedelta
) -> list[dict[str, Any]]:
    """Take due deliveries under a lease: of each (organization, endpoint) at most so many; with messages."""
    rows = dumps([{"o": o, "e": e, "n": number} for (o, e), number in wanted.items()])
    assert sum(wanted.values()) <= CLAIMED_MAX, "no process sends so many at once"
    values = {"wanted": rows, "now": now, "lease": now + lease}
    return c.execute(limited(_CLAIM, CLAIMED_MAX), values).fetchall()


def outcome_row(
    organization_id: UUID, delivery_id: UUID, lease_until: datetime, status: DeliveryStatus,
    next_attempt_at: datetime | None, error_code: str | None, response_status: int | None,
    response_body: str | None, error: str | None,
) -> dict[str, Any]:
    """Return the row of an attempt's outcome for `write_outcomes`."""
    return {
        "o": organization_id, "i": delivery_id, "lease": lease_until.isoformat(), "s": str(status),
        "n": None if next_attempt_at is None else next_attempt_at.isoformat(), "c": error_code,
        "rs": response_status, "rb": response_body, "er": error,
    }


def write_outcomes(c: Connection, rows: list[dict[str, Any]], now: datetime) -> None:
    """Write what became of attempts; rows as `outcome_row` makes them."""
    c.execute(_WRITE_OUTCOMES, {"rows": dumps(rows), "now": now})


def trim(c: Connection, before: UUID, limit: int) -> int:
    """Delete deliveries with ids below a bound, at most `limit` in all; returns how many."""
    return c.execute(limited(_TRIM, limit), {"before": before}).rowcount
