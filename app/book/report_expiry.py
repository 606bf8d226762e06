"""Live lots by the period in which they expire: whole days from the roll-up, without what is due today."""

from datetime import date, datetime
from decimal import Decimal
from typing import LiteralString, NamedTuple
from uuid import UUID

from app.book import report_marks
from app.book.report_lots import CHANGES, TOUCHED
from app.book.reports import NO_PROGRAM, TAIL, Scope
from app.db import Connection

# What is past its date and not held has expired, posted or not (decision E4). The months and weeks are UTC's.
_LOTS: LiteralString = f"""
WITH e AS MATERIALIZED ({TAIL}), {TOUCHED}, parts AS (
    SELECT asset_id, program_id, held, expires_on, amount, lots FROM report_lot_cells
    WHERE organization_id = %(organization_id)s
    UNION ALL
    {CHANGES}
    UNION ALL
    SELECT a.asset_id, COALESCE(l.program_id, %(no_program)s), false, %(today)s, -l.remaining, -1
    FROM lots l JOIN accounts a ON a.organization_id = l.organization_id AND a.id = l.account_id
    WHERE l.organization_id = %(organization_id)s AND l.remaining > 0 AND l.bucket <> 'HELD'
        AND l.expires_at IS NOT NULL AND l.expires_at >= %(midnight)s AND l.expires_at <= %(now)s
)
SELECT asset_id, CASE
        WHEN expires_on = 'infinity' THEN 'NEVER'
        WHEN expires_on < %(start)s THEN 'BEFORE'
        WHEN expires_on >= %(end)s THEN 'AFTER' ELSE 'WITHIN' END AS place,
    CASE WHEN expires_on >= %(start)s AND expires_on < %(end)s
        THEN date_trunc(%(granularity)s, expires_on::timestamp) AT TIME ZONE 'UTC' END AS period,
    sum(amount) AS amount, sum(lots)::bigint AS lots
FROM parts
WHERE (held OR expires_on >= %(today)s)
    AND (%(program_id)s::uuid IS NULL OR program_id = %(program_id)s)
    AND (%(asset_id)s::uuid IS NULL OR asset_id = %(asset_id)s)
GROUP BY 1, 2, 3 HAVING sum(lots) <> 0
"""


class Expiring(NamedTuple):
    """The live lots of one asset that expire in one period, or never, before or after the window."""

    asset_id: UUID
    place: str
    period: datetime | None
    amount: Decimal
    lots: int


def expiring(
    c: Connection, scope: Scope, granularity: str, start: date, end: date, now: datetime
) -> list[Expiring]:
    """Return what is left of lots by when it expires; `start` and `end` (exclusive) begin periods."""
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    rows = c.execute(_LOTS, {
        "organization_id": scope.organization_id, "program_id": scope.program_id,
        "asset_id": scope.asset_id, "granularity": granularity, "start": start, "end": end, "now": now,
        "midnight": midnight, "today": midnight.date(), "no_program": NO_PROGRAM,
        **report_marks.read(c, scope.organization_id, "details_number"),
    }).fetchall()
    return [Expiring(**row) for row in rows]
