"""The SQL of subscriptions: whom a participant_state automation watches, and when each is due."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, LiteralString
from uuid import UUID

from app.db import Connection
from app.domain.automations import Automation
from app.domain.json import dumps
from app.store.automations import automation_of
from app.store.pages import Column, Order, Page, Slice, Where, fetch

ORDER = Order((Column("s.id", "id", "uuid"),))

_COLUMNS: LiteralString = """s.id, s.automation_id, s.participant_id, s.status, s.next_trigger_at,
    s.last_triggered_at, s.trigger_count, s.retry_count, s.last_error, s.enrolled_at, s.created_at,
    s.updated_at"""
_DUE = f"""
SELECT {_COLUMNS}, s.organization_id, p.status = 'ACTIVE' AS open, e.status = 'ACTIVE' AS wanted
FROM automation_subscriptions s
JOIN automations a ON a.organization_id = s.organization_id AND a.id = s.automation_id
JOIN programs p ON p.organization_id = a.organization_id AND p.id = a.program_id
LEFT JOIN enrollments e ON e.organization_id = s.organization_id AND e.participant_id = s.participant_id
    AND e.program_id = a.program_id
WHERE s.status = 'active' AND s.next_trigger_at <= %(now)s
ORDER BY s.next_trigger_at, s.organization_id, s.id LIMIT %(limit)s FOR NO KEY UPDATE OF s
"""
_AUTOMATIONS = """
SELECT a.* FROM automations a WHERE a.organization_id = %(organization_id)s AND a.id = ANY(%(ids)s::uuid[])
"""
_WRITE = """
INSERT INTO automation_subscriptions AS s (organization_id, id, automation_id, participant_id, status,
    next_trigger_at, last_triggered_at, trigger_count, retry_count, last_error, enrolled_at, created_at,
    updated_at)
SELECT %(organization_id)s, i, a, w, st, n, l, tc, rc, er, en, at, %(now)s
FROM jsonb_to_recordset(%(rows)s::jsonb) AS r(i uuid, a uuid, w uuid, st text, n timestamptz, l timestamptz,
    tc integer, rc integer, er text, en timestamptz, at timestamptz)
ORDER BY a, w
ON CONFLICT (organization_id, automation_id, participant_id) DO UPDATE SET status = excluded.status,
    next_trigger_at = excluded.next_trigger_at, last_triggered_at = excluded.last_triggered_at,
    trigger_count = excluded.trigger_count, retry_count = excluded.retry_count,
    last_error = excluded.last_error, updated_at = excluded.updated_at
"""
# A counter crossed a threshold: whoever is enrolled is due now, subscribed already or not.
_CROSSED = """
INSERT INTO automation_subscriptions AS s (organization_id, id, automation_id, participant_id,
    next_trigger_at, enrolled_at, created_at, updated_at)
SELECT %(organization_id)s, r.i, r.a, r.w, %(now)s, e.enrolled_at, %(now)s, %(now)s
FROM jsonb_to_recordset(%(rows)s::jsonb) AS r(i uuid, a uuid, w uuid, p uuid)
JOIN enrollments e ON e.organization_id = %(organization_id)s AND e.participant_id = r.w
    AND e.program_id = r.p AND e.status = 'ACTIVE'
ORDER BY r.a, r.w
ON CONFLICT (organization_id, automation_id, participant_id)
    DO UPDATE SET status = 'active', next_trigger_at = excluded.next_trigger_at,
        updated_at = excluded.updated_at
    WHERE s.status IN ('active', 'cancelled') AND s.next_trigger_at IS NULL
"""
# As if nobody had looked since the moment before their turn, so that the next look finds it missed.
_PARK = """
UPDATE automation_subscriptions SET updated_at = next_trigger_at - interval '1 microsecond',
    next_trigger_at = NULL
WHERE organization_id = %s AND id = ANY(%s::uuid[])
"""
_CANCEL_LEFT = """
UPDATE automation_subscriptions s SET status = 'cancelled', next_trigger_at = NULL, updated_at = %(now)s
WHERE s.organization_id = %(organization_id)s AND s.automation_id = %(automation_id)s
    AND s.status = 'active'
    AND NOT EXISTS (SELECT 1 FROM enrollments e WHERE e.organization_id = s.organization_id
        AND e.participant_id = s.participant_id AND e.program_id = %(program_id)s AND e.status = 'ACTIVE')
"""


@dataclass(frozen=True, slots=True)
class Subscription:
    """One participant under one automation."""

    id: UUID
    automation_id: UUID
    participant_id: UUID
    status: str
    next_trigger_at: datetime | None
    last_triggered_at: datetime | None
    trigger_count: int
    retry_count: int
    last_error: str | None
    enrolled_at: datetime
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Due:
    """A subscription whose time has come; `open` where the program is ACTIVE, `wanted` the enrollment."""

    organization_id: UUID
    subscription: Subscription
    open: bool
    wanted: bool


def due(c: Connection, now: datetime, limit: int) -> list[Due]:
    """Return the subscriptions due longest, locked."""
    rows = c.execute(_DUE, {"now": now, "limit": limit}).fetchall()
    return [
        Due(row["organization_id"], _subscription(row), row["open"], bool(row["wanted"])) for row in rows
    ]


def any_due(c: Connection, now: datetime) -> bool:
    """Say whether a subscription is due."""
    row = c.execute(
        "SELECT EXISTS (SELECT 1 FROM automation_subscriptions WHERE status = 'active'"
        " AND next_trigger_at <= %s) AS due", (now,),
    ).fetchone()
    return bool(row and row["due"])


def automations_of(c: Connection, organization_id: UUID, ids: Iterable[UUID]) -> dict[UUID, Automation]:
    """Return automations by id."""
    rows = c.execute(_AUTOMATIONS, {"organization_id": organization_id, "ids": sorted(set(ids))})
    return {row["id"]: automation_of(row) for row in rows}


def of_participants(
    c: Connection, organization_id: UUID, automation_id: UUID, participant_ids: list[UUID]
) -> dict[UUID, Subscription]:
    """Return the subscriptions of these participants, locked, by participant."""
    rows = c.execute(
        f"SELECT {_COLUMNS} FROM automation_subscriptions s WHERE s.organization_id = %s"
        " AND s.automation_id = %s AND s.participant_id = ANY(%s::uuid[])"
        " ORDER BY s.participant_id FOR NO KEY UPDATE",
        (organization_id, automation_id, participant_ids),
    )
    return {row["participant_id"]: _subscription(row) for row in rows}


def write(c: Connection, organization_id: UUID, subscriptions: list[Subscription], now: datetime) -> None:
    """Create subscriptions, or overwrite those of the same participant."""
    if subscriptions:
        rows = [
            {"i": s.id, "a": s.automation_id, "w": s.participant_id, "st": s.status, "n": s.next_trigger_at,
             "l": s.last_triggered_at, "tc": s.trigger_count, "rc": s.retry_count, "er": s.last_error,
             "en": s.enrolled_at, "at": s.created_at}
            for s in subscriptions
        ]
        c.execute(_WRITE, {"organization_id": organization_id, "rows": dumps(rows), "now": now})


def park(c: Connection, organization_id: UUID, ids: list[UUID]) -> None:
    """Set subscriptions of inactive programs aside until the next look, so that they stand before nobody."""
    if ids:
        c.execute(_PARK, (organization_id, ids))


def crossed(c: Connection, organization_id: UUID, rows: list[dict[str, Any]], now: datetime) -> None:
    """Make participants due whose counters crossed thresholds: rows of id, automation, whom, program."""
    if rows:
        c.execute(_CROSSED, {"organization_id": organization_id, "rows": dumps(rows), "now": now})


def cancel_left(
    c: Connection, organization_id: UUID, program_id: UUID, automation_id: UUID, now: datetime
) -> None:
    """Cancel the subscriptions of participants who are no longer enrolled."""
    c.execute(_CANCEL_LEFT, {
        "organization_id": organization_id, "program_id": program_id, "automation_id": automation_id,
        "now": now,
    })


def page(
    c: Connection, organization_id: UUID, automation_id: UUID, page: Page, *, status: str | None
) -> Slice:
    """Return one page of an automation's subscriptions, newest first; cancelled ones are not told."""
    where = Where.of(organization_id, "s.organization_id")
    where.equal("s.automation_id", "automation_id", automation_id)
    where.equal("s.status", "status", status)
    where.add("s.status <> 'cancelled'")
    sql = f"SELECT {_COLUMNS} FROM automation_subscriptions s WHERE {where.sql()}"
    return fetch(c, sql, where.parameters, ORDER, page)


def _subscription(row: dict[str, Any]) -> Subscription:
    return Subscription(**{name: row[name] for name in Subscription.__dataclass_fields__})
