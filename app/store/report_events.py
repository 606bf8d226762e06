"""Counting accepted events for reports: by hour, day and month of their creation, behind the commits.

    events through T =   whole months, days and hours before T      (report_events)
                       + the hour of T, up to T                     (live)
                       + events of earlier hours beyond the horizon (live)

or the hour of T whole, without what lies behind T, as app/book/reports tells.
The horizon is a transaction's number: all that was written below it is counted. It moves in app/flows.
"""

from datetime import datetime, timedelta
from typing import Any, LiteralString
from uuid import UUID

from app.db import Connection
from app.domain.reports import ends_nearer

HOUR, MICROSECOND = timedelta(hours=1), timedelta(microseconds=1)

_HORIZON: LiteralString = """
SELECT h.transaction_id, pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS settled
FROM report_horizon h
"""

# Rows from before the column have no number; they are taken first, all at once.
NUMBERED: LiteralString = "{row}.transaction_id >= %(low)s AND {row}.transaction_id < %(high)s"
UNNUMBERED: LiteralString = "{row}.transaction_id IS NULL"
TAIL: LiteralString = """({row}.transaction_id >= %(low)s
        OR {row}.transaction_id IS NULL AND %(low)s < 0)"""

_ROLL_UP: LiteralString = """
WITH hours AS (
    SELECT v.organization_id, v.program_id, date_trunc('hour', v.created_at, 'UTC') AS period,
        count(*) AS events, max(v.created_at) AS last_at
    FROM events v WHERE {range} GROUP BY 1, 2, 3
), grains AS (
    SELECT organization_id, 'HOUR' AS grain, period, program_id, events, last_at FROM hours
    UNION ALL
    SELECT organization_id, g.grain, date_trunc(lower(g.grain), period, 'UTC'), program_id, sum(events),
        max(last_at)
    FROM hours CROSS JOIN (VALUES ('DAY'), ('MONTH')) AS g(grain) GROUP BY 1, 2, 3, 4
), added AS (
    INSERT INTO report_events AS r (organization_id, grain, period, program_id, events, last_at)
    SELECT organization_id, grain, period, program_id, events, last_at FROM grains
    ON CONFLICT (organization_id, grain, period, program_id) DO UPDATE SET
        events = r.events + excluded.events, last_at = greatest(r.last_at, excluded.last_at)
)
SELECT COALESCE(sum(events), 0)::bigint AS events FROM hours
"""

# Counting ends where there are too many: it takes as long as a step that is not too large.
_MORE_THAN: LiteralString = """
SELECT count(*) > %(limit)s AS found FROM (SELECT 1 FROM {table} r
    WHERE r.transaction_id >= %(low)s AND r.transaction_id < %(high)s LIMIT %(limit)s + 1) x
"""

# OFFSET 0 keeps the planner from walking all of an organization's events instead of the newest of all.
_THROUGH: LiteralString = f"""
SELECT program_id, sum(events)::bigint AS count FROM (
    SELECT program_id, events FROM report_events
    WHERE organization_id = %(organization_id)s AND grain = 'MONTH' AND period < %(month)s
    UNION ALL
    SELECT program_id, events FROM report_events
    WHERE organization_id = %(organization_id)s AND grain = 'DAY' AND period >= %(month)s
        AND period < %(day)s
    UNION ALL
    SELECT program_id, events FROM report_events
    WHERE organization_id = %(organization_id)s AND grain = 'HOUR' AND period >= %(day)s
        AND period < %(below)s
    UNION ALL
    SELECT v.program_id, %(sign)s::integer FROM events v
    WHERE v.organization_id = %(organization_id)s
        AND v.created_at BETWEEN %(first)s AND %(last)s
    UNION ALL
    SELECT v.program_id, 1 FROM (SELECT * FROM events v WHERE {TAIL.replace("{row}", "v")} OFFSET 0) v
    WHERE v.organization_id = %(organization_id)s AND v.created_at < %(below)s
) x GROUP BY program_id HAVING sum(events) <> 0
"""

_LAST: LiteralString = """
SELECT max(r.last_at) AS last_at FROM report_events r
WHERE r.organization_id = %(organization_id)s AND r.grain = 'HOUR' AND r.period = %(hour)s
"""

# Beside what is rolled up, counted again: differences only.
_DIFFERENCES: LiteralString = """
WITH fresh AS (
    SELECT v.program_id, g.grain, date_trunc(lower(g.grain), v.created_at, 'UTC') AS period,
        count(*) AS events
    FROM events v CROSS JOIN (VALUES ('HOUR'), ('DAY'), ('MONTH')) AS g(grain)
    WHERE v.organization_id = %(organization_id)s
        AND (v.transaction_id < %(horizon)s OR v.transaction_id IS NULL AND %(horizon)s >= 0)
    GROUP BY 1, 2, 3
)
SELECT grain, period, program_id, r.events AS rolled, f.events AS counted
FROM (SELECT * FROM report_events WHERE organization_id = %(organization_id)s) r
FULL JOIN fresh f USING (grain, period, program_id)
WHERE r.events IS DISTINCT FROM f.events
ORDER BY grain, period LIMIT %(limit)s
"""


def settled(c: Connection) -> int:
    """Return below which number all transactions have ended."""
    row: Any = c.execute(_HORIZON).fetchone()
    return int(row["settled"])


def lock_horizon(c: Connection) -> tuple[int, int]:
    """Lock the horizon; return it, and below which number all transactions have ended."""
    row: Any = c.execute(_HORIZON + " FOR UPDATE OF h").fetchone()
    return row["transaction_id"], row["settled"]


def horizon(c: Connection) -> int:
    """Return below which transaction number events and decisions are rolled up."""
    row: Any = c.execute(_HORIZON).fetchone()
    return int(row["transaction_id"])


def move_horizon(c: Connection, transaction_id: int) -> None:
    """Set the horizon; the caller has rolled up everything below."""
    c.execute("UPDATE report_horizon SET transaction_id = %s", (transaction_id,))


def roll_up(c: Connection, low: int, high: int) -> int:
    """Count the events of the transactions from `low` to below `high`, all organizations'; how many."""
    within = (UNNUMBERED if low < 0 else NUMBERED).replace("{row}", "v")
    row: Any = c.execute(_ROLL_UP.replace("{range}", within), {"low": low, "high": high}).fetchone()
    return int(row["events"])


def more_than(c: Connection, low: int, high: int, limit: int) -> bool:
    """Say whether the transactions from `low` to below `high` wrote more events or decisions than `limit`."""
    tables: tuple[LiteralString, ...] = ("events", "decisions")
    values = {"low": low, "high": high, "limit": limit}
    return any(
        c.execute(_MORE_THAN.replace("{table}", table), values).fetchall()[0]["found"] for table in tables
    )


def forget(c: Connection) -> None:
    """Drop all counts; the horizon goes back with them."""
    c.execute("DELETE FROM report_events")


def through(c: Connection, organization_id: UUID, instant: datetime) -> dict[UUID, int]:
    """Return how many events each program was sent, or sent itself, up to and including an instant, UTC.

    Needs one snapshot for both of its statements.
    """
    hour = instant.replace(minute=0, second=0, microsecond=0)
    day = hour.replace(hour=0)
    row: Any = c.execute(_LAST, {"organization_id": organization_id, "hour": hour}).fetchone()
    whole = ends_nearer(instant, hour, row["last_at"])
    if whole:
        below, sign, first, last = hour + HOUR, -1, instant + MICROSECOND, hour + HOUR - MICROSECOND
    else:
        below, sign, first, last = hour, 1, hour, instant
    rows = c.execute(_THROUGH, {
        "organization_id": organization_id, "month": day.replace(day=1), "day": day, "below": below,
        "sign": sign, "first": first, "last": last, "low": horizon(c),
    }).fetchall()
    return {row["program_id"]: row["count"] for row in rows}


def differences(c: Connection, organization_id: UUID, limit: int) -> list[dict[str, Any]]:
    """Return counts that differ from the events they claim to hold; none, if all is well."""
    return c.execute(_DIFFERENCES, {
        "organization_id": organization_id, "limit": limit, "horizon": horizon(c),
    }).fetchall()
