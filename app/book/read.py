"""Reading accounts and lots as the ledger's values: what plans start from.

`start_…` and `read_…` are the two halves of one query, for use in a pipeline.
"""

from collections.abc import Collection, Iterable
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from app.db import Connection
from app.domain.ids import id_of
from app.domain.json import dumps
from app.domain.names import Bucket, OwnerType
from app.ledger.accounts import Account, AccountKey, Lot

_OWNER_TYPES = {kind.value: kind for kind in OwnerType}

ACCOUNT_COLUMNS = """a.organization_id::text AS organization_id, a.id, a.owner_type,
    a.owner_id::text AS owner_id, a.asset_id::text AS asset_id, a.available, a.held, a.deferred,
    a.overdrawn"""

# OFFSET 0 keeps each key a look-up of its own in the index. As a plain join, with the hundred rows that the
# planner expects of a JSON parameter, it scans the whole table until that has some twenty thousand rows.
_ACCOUNTS = f"""
SELECT {ACCOUNT_COLUMNS}
FROM jsonb_to_recordset(%(keys)s::jsonb) AS k(o uuid, w uuid, a uuid)
CROSS JOIN LATERAL (SELECT * FROM accounts a
    WHERE a.organization_id = k.o AND a.owner_id = k.w AND a.asset_id = k.a AND a.id > 0 OFFSET 0) a
"""

# Clock and accounts in one statement, for two cost more by half; the clock's row comes without accounts, too.
_ACCOUNTS_AND_CLOCK = f"""
SELECT clock.now, found.*
FROM (SELECT read_clock() AS now OFFSET 0) clock LEFT JOIN LATERAL ({_ACCOUNTS}) found ON true
"""

# No condition on the number: the system's accounts belong to the organization, which is never asked for here,
# and with one the planner takes the primary key, which is every account of the organization.
_OF_OWNERS = f"""
SELECT {ACCOUNT_COLUMNS}
FROM jsonb_to_recordset(%(owners)s::jsonb) AS k(o uuid, w uuid)
CROSS JOIN LATERAL (SELECT * FROM accounts a
    WHERE a.organization_id = k.o AND a.owner_id = k.w OFFSET 0) a
"""

LOT_COLUMNS = """l.organization_id, l.id, l.account_id, l.entry_id, l.program_id, l.parent_lot_id, l.bucket,
    l.amount, l.remaining, l.expired, l.provisional, l.reference_id, l.created_at, l.expires_at,
    l.matures_at"""

_LOTS = f"""
SELECT k.w AS owner_id, k.a AS asset_id, {LOT_COLUMNS}
FROM jsonb_to_recordset(%(keys)s::jsonb) AS k(o uuid, w uuid, a uuid)
CROSS JOIN LATERAL (SELECT * FROM accounts a
    WHERE a.organization_id = k.o AND a.owner_id = k.w AND a.asset_id = k.a AND a.id > 0 OFFSET 0) a
CROSS JOIN LATERAL (
    SELECT * FROM lots l
    WHERE l.organization_id = a.organization_id AND l.account_id = a.id AND l.remaining > 0
    ORDER BY l.created_at, l.id LIMIT %(first)s
) l
"""

_LOTS_BY_ID = f"""
SELECT {LOT_COLUMNS} FROM lots l
WHERE l.organization_id = %(organization_id)s AND l.id = ANY(%(ids)s::uuid[])
"""

_DUE = """
SELECT l.organization_id, a.owner_id, a.asset_id, l.bucket, sum(l.remaining) AS amount
FROM jsonb_to_recordset(%(accounts)s::jsonb) AS k(o uuid, i bigint)
CROSS JOIN LATERAL (SELECT * FROM lots l
    WHERE l.organization_id = k.o AND l.account_id = k.i AND l.remaining > 0 AND l.bucket <> 'HELD'
        AND l.expires_at IS NOT NULL AND l.expires_at <= %(now)s OFFSET 0) l
CROSS JOIN LATERAL (SELECT * FROM accounts a WHERE a.organization_id = k.o AND a.id = k.i OFFSET 0) a
GROUP BY 1, 2, 3, 4
"""

_CONSUMED = """
SELECT lot_id, -amount AS amount FROM lot_movements
WHERE organization_id = %(organization_id)s AND entry_id = %(entry_id)s AND kind = 'CONSUMED' ORDER BY line
"""

_BY_NUMBER = f"""
SELECT {ACCOUNT_COLUMNS}
FROM accounts a WHERE a.organization_id = %(organization_id)s AND a.id = %(account_id)s
"""

_ALL = 2_000_000_000  # LIMIT for everything: a NULL parameter would leave the planner without an estimate.


def accounts(c: Connection, keys: Collection[AccountKey]) -> dict[AccountKey, Account]:
    """Return the accounts that exist among `keys`, without their lots."""
    return read_accounts(start_accounts(c, keys))


def start_accounts(c: Connection, keys: Collection[AccountKey]) -> Any:
    """Start the query of `accounts`."""
    return c.execute(_ACCOUNTS, {"keys": _keys(keys)})


def start_accounts_and_clock(c: Connection, keys: Collection[AccountKey]) -> Any:
    """Start the query of `accounts`, together with that of the clock; `keys` may be none.

    Call it after the locks are held, as db.read_clock.
    """
    return c.execute(_ACCOUNTS_AND_CLOCK, {"keys": _keys(keys)})


def read_accounts_and_clock(cursor: Any) -> tuple[dict[AccountKey, Account], datetime]:
    """Finish it: the accounts that exist, and the system's time."""
    rows = cursor.fetchall()
    now: datetime = rows[0]["now"]
    return _accounts_in(rows if rows[0]["id"] is not None else ()), now


def start_accounts_of(c: Connection, owners: Iterable[tuple[UUID, UUID]]) -> Any:
    """Start the query of all accounts of owners (organization and id); finish with `read_accounts`."""
    return c.execute(_OF_OWNERS, {"owners": dumps([{"o": o, "w": w} for o, w in owners])})


def read_accounts(cursor: Any) -> dict[AccountKey, Account]:
    """Finish a query of accounts."""
    return _accounts_in(cursor.fetchall())


def _accounts_in(rows: Iterable[dict[str, Any]]) -> dict[AccountKey, Account]:
    found = {}
    for row in rows:
        key = AccountKey(id_of(row["organization_id"]), id_of(row["owner_id"]), id_of(row["asset_id"]))
        found[key] = Account(
            key.organization_id, row["id"], _OWNER_TYPES[row["owner_type"]], key.owner_id, key.asset_id,
            row["available"], row["held"], row["deferred"], row["overdrawn"],
        )
    return found


def start_lots(c: Connection, keys: Collection[AccountKey], first: int | None = None) -> Any:
    """Start the query of live lots in FIFO order; with `first`, of no more than so many of each account."""
    return c.execute(_LOTS, {"keys": _keys(keys), "first": _ALL if first is None else first})


def read_lots(cursor: Any) -> dict[AccountKey, list[Lot]]:
    """Finish a query of lots."""
    found: dict[AccountKey, list[Lot]] = {}
    for row in cursor.fetchall():
        key = AccountKey(row["organization_id"], row["owner_id"], row["asset_id"])
        found.setdefault(key, []).append(lot_of(row))
    return found


def with_lots(
    found: dict[AccountKey, Account], lots: dict[AccountKey, list[Lot]], keys: Collection[AccountKey],
    first: int | None = None,
) -> dict[AccountKey, Account]:
    """Return the accounts with the lots that were read for `keys`; fewer than `first` means all there are."""
    complete = dict(found)
    for key in keys:
        if key in found:
            read = sorted(lots.get(key, ()), key=lambda lot: (lot.created_at, lot.id))
            complete[key] = replace(
                found[key], lots=tuple(read), lots_complete=first is None or len(read) < first
            )
    return complete


def accounts_with_lots(c: Connection, keys: Collection[AccountKey]) -> dict[AccountKey, Account]:
    """Return accounts with all their live lots."""
    return with_lots(accounts(c, keys), read_lots(start_lots(c, keys)), keys)


def lots_by_id(c: Connection, organization_id: UUID, ids: Collection[UUID]) -> dict[UUID, Lot]:
    """Return lots by id, live or not: a reversal restores what was consumed."""
    rows = c.execute(_LOTS_BY_ID, {"organization_id": organization_id, "ids": list(ids)}).fetchall()
    return {row["id"]: lot_of(row) for row in rows}


def due(
    c: Connection, found: Iterable[Account], now: datetime
) -> dict[AccountKey, dict[Bucket, Decimal]]:
    """Return what is past its date but not yet posted as expired: readers leave it out (decision E4)."""
    return read_due(start_due(c, found, now))


def start_due(c: Connection, found: Iterable[Account], now: datetime) -> Any:
    """Start the query of `due`."""
    rows = [{"o": account.organization_id, "i": account.id} for account in found]
    return c.execute(_DUE, {"accounts": dumps(rows), "now": now})


def read_due(cursor: Any) -> dict[AccountKey, dict[Bucket, Decimal]]:
    """Finish the query of `due`."""
    sums: dict[AccountKey, dict[Bucket, Decimal]] = {}
    for row in cursor.fetchall():
        key = AccountKey(row["organization_id"], row["owner_id"], row["asset_id"])
        sums.setdefault(key, {})[Bucket(row["bucket"])] = row["amount"]
    return sums


def consumption(c: Connection, organization_id: UUID, entry_id: UUID) -> list[tuple[UUID, Decimal]]:
    """Return which lots an entry consumed, in its order, with how much of each."""
    rows = c.execute(_CONSUMED, {"organization_id": organization_id, "entry_id": entry_id}).fetchall()
    return [(row["lot_id"], row["amount"]) for row in rows]


def account_by_number(c: Connection, organization_id: UUID, account_id: int) -> Account | None:
    """Return the account that postings name by this number."""
    found = read_accounts(c.execute(_BY_NUMBER, {
        "organization_id": organization_id, "account_id": account_id,
    }))
    return next(iter(found.values()), None)


def lot_of(row: dict[str, Any]) -> Lot:
    """Return the lot that a row of LOT_COLUMNS tells of."""
    return Lot(
        row["organization_id"], row["id"], row["account_id"], row["entry_id"], row["program_id"],
        row["parent_lot_id"], Bucket(row["bucket"]), row["amount"], row["remaining"], row["expired"],
        row["provisional"], row["reference_id"], row["created_at"], row["expires_at"], row["matures_at"],
    )


def _keys(keys: Collection[AccountKey]) -> str:
    return dumps([{"o": o, "w": w, "a": a} for o, w, a in keys])
