"""Account numbers, and the accounts made before any value moves: an asset's three, a program's wallet."""

from collections.abc import Iterator
from datetime import datetime
from uuid import UUID

import psycopg
from psycopg.rows import dict_row

from app.db import Connection
from app.domain.ids import account_owner_of_organization
from app.domain.names import OwnerType

BLOCK = 1000  # The sequence counts in steps of this size, so one draw gives this many numbers.

_SYSTEM = """
INSERT INTO accounts (organization_id, id, owner_type, owner_id, asset_id, updated_at)
SELECT %(organization_id)s, -nextval('system_account_id'), t.owner_type, %(owner_id)s, %(asset_id)s, %(at)s
FROM unnest(%(types)s::text[]) WITH ORDINALITY AS t(owner_type, place) ORDER BY t.place
RETURNING id, owner_type
"""

_WALLET = """
INSERT INTO accounts (organization_id, id, owner_type, owner_id, asset_id, updated_at)
VALUES (%(organization_id)s, nextval('account_id'), 'PROGRAM', %(program_id)s, %(asset_id)s, %(at)s)
ON CONFLICT (organization_id, owner_id, asset_id, owner_type) DO NOTHING
"""

_DRAW = "SELECT nextval('account_id') AS first, pg_logical_emit_message(true, 'florin', '')"

SYSTEM_TYPES = (OwnerType.SYSTEM_ISSUANCE, OwnerType.SYSTEM_BREAKAGE, OwnerType.SYSTEM_REDEMPTION)


class AccountNumbers:
    """Hands out account numbers from blocks, so that new accounts cost no round trip each.

    May be shared by threads. Numbers of a block that are never used leave a gap, which means nothing.
    """

    def __init__(self) -> None:
        """Start without a block."""
        self._left: Iterator[int] = iter(())

    def next(self, c: Connection) -> int:
        """Return the next number, drawing a block where the last one is used up."""
        for number in self._left:
            return number
        self._left = iter(draw_block(c))
        return next(self._left)

    def ahead(self, c: Connection, count: int) -> list[int]:
        """Return `count` numbers at once."""
        return [self.next(c) for _ in range(count)]


def draw_block(c: Connection) -> range:
    """Draw a block of account numbers from the sequence of the connection's database, and make it last.

    A process keeps its block when a transaction is undone, or when the server crashes; a sequence counts on
    from what had reached the disk. Drawn in the transaction that needs it, a block could be given out twice,
    and postings know an account by its number alone. So it is committed first, on a connection of its own.
    """
    with psycopg.connect(c.info.dsn, password=c.info.password, row_factory=dict_row) as own:
        own.execute("SET LOCAL synchronous_commit = on")
        # The draw alone may write nothing, and then its commit waits for nothing; with the message it does.
        row = own.execute(_DRAW).fetchone()
    assert row is not None
    first: int = row["first"]
    return range(first, first + BLOCK)


def create_system_accounts(
    c: Connection, organization_id: UUID, asset_id: UUID, at: datetime
) -> dict[OwnerType, int]:
    """Make the three system accounts of a new asset; return their (negative) numbers."""
    rows = c.execute(_SYSTEM, {
        "organization_id": organization_id, "owner_id": account_owner_of_organization(organization_id),
        "asset_id": asset_id, "at": at, "types": list(SYSTEM_TYPES),
    }).fetchall()
    return {OwnerType(row["owner_type"]): row["id"] for row in rows}


def create_wallet(
    c: Connection, organization_id: UUID, program_id: UUID, asset_id: UUID, at: datetime
) -> None:
    """Make a program's wallet for a PREFUNDED asset, unless it is there from an earlier link."""
    c.execute(_WALLET, {
        "organization_id": organization_id, "program_id": program_id, "asset_id": asset_id, "at": at,
    })
