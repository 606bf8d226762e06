"""What became in each month of the value earned in one: the rolled up months, and entries beyond the mark."""

from datetime import date
from decimal import Decimal
from typing import LiteralString, NamedTuple
from uuid import UUID

from app.book import report_marks
from app.book.report_details import VINTAGES
from app.book.reports import NO_PROGRAM, TAIL, Scope
from app.db import Connection

_VINTAGES: LiteralString = f"""
WITH e AS MATERIALIZED ({TAIL}), parts AS (
    SELECT r.asset_id, r.program_id, r.cohort, r.month, r.issued, r.redeemed, r.broken, r.withdrawn
    FROM report_vintages r WHERE r.organization_id = %(organization_id)s
    UNION ALL
    SELECT * FROM ({VINTAGES}) v
)
SELECT asset_id, cohort, month, COALESCE(sum(issued), 0) AS issued, COALESCE(sum(redeemed), 0) AS redeemed,
    COALESCE(sum(broken), 0) AS broken, COALESCE(sum(withdrawn), 0) AS withdrawn
FROM parts
WHERE month < %(before)s AND (%(program_id)s::uuid IS NULL OR program_id = %(program_id)s)
    AND (%(asset_id)s::uuid IS NULL OR asset_id = %(asset_id)s)
GROUP BY asset_id, cohort, month ORDER BY asset_id, cohort, month
"""


class Vintage(NamedTuple):
    """What became in `month` of an asset's value that was earned in the month `cohort`."""

    asset_id: UUID
    cohort: date
    month: date
    issued: Decimal
    redeemed: Decimal
    broken: Decimal
    withdrawn: Decimal


def vintages(c: Connection, scope: Scope, before: date) -> list[Vintage]:
    """Return the flows of all months before one. Lots tell them, so LOT assets have them only."""
    rows = c.execute(_VINTAGES, {
        "organization_id": scope.organization_id, "program_id": scope.program_id,
        "asset_id": scope.asset_id, "before": before, "no_program": NO_PROGRAM,
        **report_marks.read(c, scope.organization_id, "details_number"),
    }).fetchall()
    return [Vintage(**row) for row in rows]
