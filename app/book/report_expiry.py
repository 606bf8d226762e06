"""Live lots by the period in which they expire."""

from datetime import datetime
from decimal import Decimal
from typing import LiteralString, NamedTuple
from uuid import UUID

from app.book.reports import Scope
from app.db import Connection

# What is past its date and not held has expired, posted or not (decision E4). The months and weeks are UTC's.
_LOTS: LiteralString = """
SELECT a.asset_id, CASE
        WHEN l.expires_at IS NULL THEN 'NEVER'
        WHEN l.expires_at < %(start)s THEN 'BEFORE'
        WHEN l.expires_at >= %(end)s THEN 'AFTER' ELSE 'WITHIN' END AS place,
    CASE WHEN l.expires_at >= %(start)s AND l.expires_at < %(end)s
        THEN date_trunc(%(granularity)s, l.expires_at, 'UTC') END AS period,
    sum(l.remaining) AS amount, count(*) AS lots
FROM lots l JOIN accounts a ON a.organization_id = l.organization_id AND a.id = l.account_id
WHERE l.organization_id = %(organization_id)s AND l.remaining > 0
    AND (l.bucket = 'HELD' OR l.expires_at IS NULL OR l.expires_at > %(now)s)
    AND (%(program_id)s::uuid IS NULL OR l.program_id = %(program_id)s)
    AND (%(asset_id)s::uuid IS NULL OR a.asset_id = %(asset_id)s)
GROUP BY 1, 2, 3
"""


class Expiring(NamedTuple):
    """The live lots of one asset that expire in one period, or never, before or after the window."""

    asset_id: UUID
    place: str
    period: datetime | None
    amount: Decimal
    lots: int


def expiring(
    c: Connection, scope: Scope, granularity: str, start: datetime, end: datetime, now: datetime
) -> list[Expiring]:
    """Return what is left of lots by when it expires; `start` and `end` (exclusive) begin periods."""
    rows = c.execute(_LOTS, {
        "organization_id": scope.organization_id, "program_id": scope.program_id,
        "asset_id": scope.asset_id, "granularity": granularity, "start": start, "end": end, "now": now,
    }).fetchall()
    return [Expiring(**row) for row in rows]
