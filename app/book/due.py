"""Finding what the date brought: accounts with lots that are past expiry or maturity, and those lots."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from app.book.read import LOT_COLUMNS, lot_of
from app.db import Connection, limited
from app.domain.json import dumps
from app.ledger.accounts import Lot


class DueKind(StrEnum):
    """What time does to lots."""

    EXPIRY = "EXPIRY"
    MATURITY = "MATURITY"


# A lot whose expiry and maturity have both come expires; the maturity list leaves it out.
_CONDITIONS = {
    DueKind.EXPIRY: "l.expires_at <= %(now)s AND l.remaining > 0 AND l.bucket <> 'HELD'"
    " AND l.expires_at IS NOT NULL",
    DueKind.MATURITY: "l.matures_at <= %(now)s AND l.remaining > 0 AND l.bucket = 'DEFERRED'"
    " AND (l.expires_at IS NULL OR l.expires_at > %(now)s)",
}
_DATES = {DueKind.EXPIRY: "expires_at", DueKind.MATURITY: "matures_at"}

_ACCOUNTS = """
SELECT DISTINCT d.organization_id, d.account_id, a.owner_id, a.asset_id
FROM (SELECT l.organization_id, l.account_id FROM lots l WHERE {condition}
    ORDER BY l.{date} LIMIT $limit) d
JOIN accounts a ON a.organization_id = d.organization_id AND a.id = d.account_id
"""

_LOTS = """
SELECT {columns} FROM jsonb_to_recordset(%(accounts)s::jsonb) AS k(o uuid, a bigint)
CROSS JOIN LATERAL (
    SELECT * FROM lots l WHERE l.organization_id = k.o AND l.account_id = k.a AND {condition}
    ORDER BY l.created_at, l.id LIMIT %(of_each)s
) l LIMIT %(limit)s
"""


def accounts(c: Connection, kind: DueKind, now: datetime, limit: int) -> list[dict[str, Any]]:
    """Return the accounts of the `limit` lots that have been due for longest, of all organizations."""
    sql = _ACCOUNTS.format(condition=_CONDITIONS[kind], date=_DATES[kind])
    return c.execute(limited(sql, limit), {"now": now}).fetchall()


def lots(
    c: Connection, kind: DueKind, organization_id: UUID, account_ids: list[int], now: datetime, *,
    of_each: int, limit: int,
) -> dict[int, list[Lot]]:
    """Return due lots of accounts, of each the oldest, no more than `of_each` of one and `limit` in all."""
    rows = c.execute(_LOTS.format(columns=LOT_COLUMNS, condition=_CONDITIONS[kind]), {
        "accounts": dumps([{"o": str(organization_id), "a": account} for account in account_ids]),
        "now": now, "of_each": of_each, "limit": limit,
    }).fetchall()
    found: dict[int, list[Lot]] = {}
    for row in rows:
        found.setdefault(row["account_id"], []).append(lot_of(row))
    return found
