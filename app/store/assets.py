"""The SQL of assets and of their links to programs."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, LiteralString
from uuid import UUID

from app.db import Connection
from app.domain.ids import lowest_id
from app.store.pages import Column, Order, Page, Slice, Where, fetch

_COLUMNS: LiteralString = """a.id, a.name, a.symbol, a.inventory_mode, a.issuance_policy, a.scale,
    a.max_transaction_amount, a.status, a.created_at, a.updated_at, a.deleted_at,
    ARRAY(SELECT l.program_id FROM program_assets l
        WHERE l.organization_id = a.organization_id AND l.asset_id = a.id
        ORDER BY l.linked_at, l.program_id) AS program_ids"""
_ID = Column("a.id", "id", "uuid")
SORTS = {
    "created_at": Column("a.created_at", "created_at", "timestamptz"),
    "name": Column("a.name", "name", "text"),
    "symbol": Column("a.symbol", "symbol", "text"),
}
_INSERT = """
INSERT INTO assets (organization_id, id, name, symbol, inventory_mode, issuance_policy, scale,
    max_transaction_amount, issuance_account, breakage_account, redemption_account, created_at, updated_at)
VALUES (%(organization_id)s, %(id)s, %(name)s, %(symbol)s, %(inventory_mode)s, %(issuance_policy)s, %(scale)s,
    %(max_transaction_amount)s, %(issuance_account)s, %(breakage_account)s, %(redemption_account)s,
    %(now)s, %(now)s)
"""
_GET = f"SELECT {_COLUMNS} FROM assets a WHERE a.organization_id = %(organization_id)s AND a.id = %(id)s"
_LOCK = _GET + " FOR NO KEY UPDATE OF a"
_UPDATE = """
UPDATE assets SET name = %(name)s, status = %(status)s, max_transaction_amount = %(max_transaction_amount)s,
    deleted_at = %(deleted_at)s, updated_at = %(now)s
WHERE organization_id = %(organization_id)s AND id = %(id)s
"""
_LINK = """
INSERT INTO program_assets (organization_id, program_id, asset_id, linked_at)
VALUES (%(organization_id)s, %(program_id)s, %(asset_id)s, %(now)s) ON CONFLICT DO NOTHING
"""
_LINKED = """
SELECT linked_at FROM program_assets
WHERE organization_id = %(organization_id)s AND program_id = %(program_id)s AND asset_id = %(asset_id)s
"""
_UNLINK = """
DELETE FROM program_assets
WHERE organization_id = %(organization_id)s AND program_id = %(program_id)s AND asset_id = %(asset_id)s
"""
# No index serves this: it would cost every posting, and unlinking is rare. The link's own instant bounds it.
_USED = """
SELECT EXISTS (SELECT 1 FROM journal_entries
    WHERE organization_id = %(organization_id)s AND program_id = %(program_id)s AND asset_id = %(asset_id)s
        AND id >= %(first_id)s) AS used
"""


def order(sort_by: str, *, descending: bool) -> Order:
    """Return the order of a list by a key of SORTS."""
    return Order((SORTS[sort_by], _ID), descending)


def insert(
    c: Connection, organization_id: UUID, asset_id: UUID, now: datetime, accounts: tuple[int, int, int], *,
    name: str, symbol: str, inventory_mode: str, issuance_policy: str, scale: int,
    max_transaction_amount: Decimal | None,
) -> None:
    """Create an asset; `accounts` are its issuance, breakage and redemption accounts."""
    issuance, breakage, redemption = accounts
    c.execute(_INSERT, {
        "organization_id": organization_id, "id": asset_id, "now": now, "name": name, "symbol": symbol,
        "inventory_mode": inventory_mode, "issuance_policy": issuance_policy, "scale": scale,
        "max_transaction_amount": max_transaction_amount, "issuance_account": issuance,
        "breakage_account": breakage, "redemption_account": redemption,
    })


def get(c: Connection, organization_id: UUID, asset_id: UUID) -> dict[str, Any] | None:
    """Return one asset with the programs that it is linked to."""
    return c.execute(_GET, {"organization_id": organization_id, "id": asset_id}).fetchone()


def lock(c: Connection, organization_id: UUID, asset_id: UUID) -> dict[str, Any] | None:
    """Return one asset, locked against other changes."""
    return c.execute(_LOCK, {"organization_id": organization_id, "id": asset_id}).fetchone()


def update(c: Connection, organization_id: UUID, asset: Mapping[str, Any], now: datetime) -> None:
    """Write a changed asset."""
    c.execute(_UPDATE, {
        "organization_id": organization_id, "now": now,
        **{name: asset[name] for name in ("id", "name", "status", "max_transaction_amount", "deleted_at")},
    })


def link(c: Connection, organization_id: UUID, program_id: UUID, asset_id: UUID, now: datetime) -> bool:
    """Link an asset to a program; False where it is linked already."""
    return c.execute(_LINK, {
        "organization_id": organization_id, "program_id": program_id, "asset_id": asset_id, "now": now,
    }).rowcount == 1


def linked_at(c: Connection, organization_id: UUID, program_id: UUID, asset_id: UUID) -> datetime | None:
    """Return when an asset was linked to a program, None where it is not."""
    row = c.execute(_LINKED, {
        "organization_id": organization_id, "program_id": program_id, "asset_id": asset_id,
    }).fetchone()
    return None if row is None else row["linked_at"]


def unlink(c: Connection, organization_id: UUID, program_id: UUID, asset_id: UUID) -> None:
    """Take an asset out of a program."""
    c.execute(_UNLINK, {"organization_id": organization_id, "program_id": program_id, "asset_id": asset_id})


def used_since(
    c: Connection, organization_id: UUID, program_id: UUID, asset_id: UUID, since: datetime
) -> bool:
    """Say whether a program has journal entries of an asset, made at `since` or later."""
    row = c.execute(_USED, {
        "organization_id": organization_id, "program_id": program_id, "asset_id": asset_id,
        "first_id": lowest_id(since),
    }).fetchone()
    assert row is not None
    return bool(row["used"])


def page(
    c: Connection, organization_id: UUID, order: Order, page: Page, *,
    program_id: UUID | None = None, status: str | None = None, search: str | None = None,
) -> Slice:
    """Return one page of assets."""
    where = Where.of(organization_id, "a.organization_id")
    where.equal("a.status", "status", status)
    if program_id is not None:
        where.add(
            "EXISTS (SELECT 1 FROM program_assets k WHERE k.organization_id = a.organization_id"
            " AND k.asset_id = a.id AND k.program_id = %(program_id)s)", program_id=program_id,
        )
    where.search(("a.name", "a.symbol"), search)
    return fetch(c, f"SELECT {_COLUMNS} FROM assets a WHERE {where.sql()}", where.parameters, order, page)


def by_symbol(
    c: Connection, organization_id: UUID, program_id: UUID, symbols: list[str]
) -> dict[str, UUID]:
    """Return the ids of those assets of a program that have one of these symbols."""
    rows = c.execute(
        "SELECT a.symbol, a.id FROM assets a JOIN program_assets l"
        " ON l.organization_id = a.organization_id AND l.asset_id = a.id"
        " WHERE a.organization_id = %s AND l.program_id = %s AND a.symbol = ANY(%s::text[])",
        (organization_id, program_id, symbols),
    ).fetchall()
    return {row["symbol"]: row["id"] for row in rows}
