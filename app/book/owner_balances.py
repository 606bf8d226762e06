"""Balances as the API shows them: one row for each asset, without what is past its date (decision E4)."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from app.db import Connection

# Lots that are due but not yet posted as expired are subtracted: they cannot be spent any more.
_BALANCES = """
SELECT a.owner_id, a.asset_id, s.symbol, s.scale,
    a.available - COALESCE(d.available, 0) AS available, a.held,
    a.deferred - COALESCE(d.deferred, 0) AS deferred
FROM accounts a
JOIN assets s ON s.organization_id = a.organization_id AND s.id = a.asset_id
LEFT JOIN LATERAL (
    SELECT sum(l.remaining) FILTER (WHERE l.bucket = 'AVAILABLE') AS available,
        sum(l.remaining) FILTER (WHERE l.bucket = 'DEFERRED') AS deferred
    FROM lots l
    WHERE s.inventory_mode = 'LOT' AND l.organization_id = a.organization_id AND l.account_id = a.id
        AND l.remaining > 0 AND l.bucket <> 'HELD' AND l.expires_at <= %(now)s
) d ON true
WHERE a.organization_id = %(organization_id)s AND a.owner_id = ANY(%(owner_ids)s::uuid[]) AND a.id > 0
ORDER BY a.asset_id
"""


@dataclass(frozen=True, slots=True)
class Balance:
    """What an owner has of one asset at one instant."""

    asset_id: UUID
    symbol: str
    scale: int
    available: Decimal
    held: Decimal
    deferred: Decimal


def of_owner(c: Connection, organization_id: UUID, owner_id: UUID, now: datetime) -> list[Balance]:
    """Return an owner's balances at `now`, by asset."""
    return of_owners(c, organization_id, [owner_id], now).get(owner_id, [])


def of_owners(
    c: Connection, organization_id: UUID, owner_ids: list[UUID], now: datetime
) -> dict[UUID, list[Balance]]:
    """Return the balances of several owners."""
    rows = c.execute(_BALANCES, {
        "organization_id": organization_id, "owner_ids": owner_ids, "now": now,
    }).fetchall()
    found: dict[UUID, list[Balance]] = defaultdict(list)
    for row in rows:
        found[row.pop("owner_id")].append(Balance(**row))
    return dict(found)
