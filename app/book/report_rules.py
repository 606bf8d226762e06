"""What rules issued on each day, from the journal: the rolled up days, and entries beyond the mark."""

from datetime import date
from decimal import Decimal
from typing import LiteralString, NamedTuple
from uuid import UUID

from app.book import report_marks
from app.book.report_details import ISSUED
from app.book.reports import TAIL
from app.db import Connection

_ISSUED: LiteralString = f"""
WITH e AS MATERIALIZED ({TAIL})
SELECT day, rule_id, asset_id, sum(issued) AS issued, max(budget_left) AS budget_left FROM (
    SELECT r.day, r.rule_id, r.asset_id, r.issued, r.budget_left FROM report_rule_assets r
    WHERE r.organization_id = %(organization_id)s AND r.day >= %(first)s AND r.day <= %(last)s
    UNION ALL
    SELECT day, rule_id, asset_id, issued, NULL FROM ({ISSUED}) i
    WHERE day >= %(first)s AND day <= %(last)s
) x
GROUP BY day, rule_id, asset_id
"""


class Issued(NamedTuple):
    """What a rule issued of an asset on a day, and what its budget was seen to have left then."""

    day: date
    rule_id: UUID
    asset_id: UUID
    issued: Decimal
    budget_left: Decimal | None


def issued(c: Connection, organization_id: UUID, first: date, last: date) -> list[Issued]:
    """Return what rules issued on the days from `first` to `last`."""
    rows = c.execute(_ISSUED, {
        "organization_id": organization_id, "first": first, "last": last,
        **report_marks.read(c, organization_id, "details_number"),
    }).fetchall()
    return [Issued(**row) for row in rows]
