"""The SQL of redemptions and their reversals; what they post is the ledger's."""

from datetime import datetime
from decimal import Decimal
from typing import Any, LiteralString
from uuid import UUID

from app.db import Connection
from app.store.pages import Column, Order, Page, Slice, Where, fetch

# Ids are ordered by time, so they alone sort the lists.
ORDER = Order((Column("r.id", "id", "uuid"),))
REVERSAL_ORDER = Order((Column("v.id", "id", "uuid"),), descending=False)

_COLUMNS: LiteralString = """r.id, r.participant_id, r.program_id, r.asset_id, r.reward_id, r.quantity,
    r.unit_cost, r.amount, r.description, r.target_account, r.target_type, r.reversed_amount,
    r.reversed_quantity, r.status, r.journal_entry_id, r.created_at, r.updated_at, a.scale"""
_FROM: LiteralString = """
FROM redemptions r JOIN assets a ON a.organization_id = r.organization_id AND a.id = r.asset_id"""

_INSERT = """
INSERT INTO redemptions (organization_id, id, participant_id, program_id, asset_id, reward_id, quantity,
    unit_cost, amount, description, target_account, target_type, reversed_quantity, status, journal_entry_id,
    api_key_id, created_at, updated_at)
VALUES (%(organization_id)s, %(id)s, %(participant_id)s, %(program_id)s, %(asset_id)s, %(reward_id)s,
    %(quantity)s, %(unit_cost)s, %(amount)s, %(description)s, %(target_account)s, %(target_type)s,
    CASE WHEN %(quantity)s::integer IS NULL THEN NULL ELSE 0 END, 'COMPLETED', %(journal_entry_id)s,
    %(api_key_id)s, %(now)s, %(now)s)
"""

_REVERSED = """
UPDATE redemptions SET reversed_amount = %(reversed_amount)s, reversed_quantity = %(reversed_quantity)s,
    status = %(status)s, updated_at = %(now)s
WHERE organization_id = %(organization_id)s AND id = %(id)s
"""

_INSERT_REVERSAL = """
INSERT INTO redemption_reversals (organization_id, id, redemption_id, amount, quantity, reason,
    journal_entry_id, api_key_id, created_at)
VALUES (%(organization_id)s, %(id)s, %(redemption_id)s, %(amount)s, %(quantity)s, %(reason)s,
    %(journal_entry_id)s, %(api_key_id)s, %(now)s)
"""

_RETURN_UNITS = """
WITH holder AS (
    UPDATE reward_holders SET redeemed_count = redeemed_count - %(quantity)s
    WHERE organization_id = %(organization_id)s AND reward_id = %(reward_id)s
        AND participant_id = %(participant_id)s
)
UPDATE rewards SET redeemed_count = redeemed_count - %(quantity)s, updated_at = %(now)s,
    status = CASE WHEN status = 'OUT_OF_STOCK' AND redeemed_count >= max_total
        AND redeemed_count - %(quantity)s < max_total THEN 'ACTIVE' ELSE status END
WHERE organization_id = %(organization_id)s AND id = %(reward_id)s
"""


def insert(c: Connection, organization_id: UUID, now: datetime, **fields: Any) -> None:
    """Write a new redemption."""
    c.execute(_INSERT, {"organization_id": organization_id, "now": now, **fields})


def get(c: Connection, organization_id: UUID, redemption_id: UUID) -> dict[str, Any] | None:
    """Return one redemption. Its participant's lock covers it."""
    return c.execute(
        f"SELECT {_COLUMNS} {_FROM} WHERE r.organization_id = %(organization_id)s AND r.id = %(id)s",
        {"organization_id": organization_id, "id": redemption_id},
    ).fetchone()


def page(
    c: Connection, organization_id: UUID, participant_id: UUID, page: Page, *, status: str | None = None,
    reward_id: UUID | None = None, window: tuple[datetime | None, datetime | None] = (None, None),
) -> Slice:
    """Return one page of a participant's redemptions, newest first."""
    where = Where.of(organization_id, "r.organization_id")
    where.equal("r.participant_id", "participant_id", participant_id)
    where.equal("r.status", "status", status)
    where.equal("r.reward_id", "reward_id", reward_id)
    where.window("r.created_at", *window)
    return fetch(c, f"SELECT {_COLUMNS} {_FROM} WHERE {where.sql()}", where.parameters, ORDER, page)


def set_reversed(
    c: Connection, organization_id: UUID, redemption_id: UUID, now: datetime, *, amount: Decimal,
    quantity: int | None, status: str,
) -> None:
    """Write how much of a redemption is reversed now."""
    c.execute(_REVERSED, {
        "organization_id": organization_id, "id": redemption_id, "now": now, "reversed_amount": amount,
        "reversed_quantity": quantity, "status": status,
    })


def insert_reversal(c: Connection, organization_id: UUID, now: datetime, **fields: Any) -> None:
    """Write a reversal."""
    c.execute(_INSERT_REVERSAL, {"organization_id": organization_id, "now": now, **fields})


def reversals_page(c: Connection, organization_id: UUID, redemption_id: UUID, page: Page) -> Slice:
    """Return one page of a redemption's reversals, oldest first."""
    where = Where.of(organization_id, "v.organization_id")
    where.equal("v.redemption_id", "redemption_id", redemption_id)
    sql = (
        "SELECT v.id, v.redemption_id, v.amount, v.quantity, v.reason, v.journal_entry_id, v.created_at"
        f" FROM redemption_reversals v WHERE {where.sql()}"
    )
    return fetch(c, sql, where.parameters, REVERSAL_ORDER, page)


def return_units(
    c: Connection, organization_id: UUID, reward_id: UUID, participant_id: UUID, quantity: int, now: datetime
) -> None:
    """Put units back into a reward's stock; one that had run out of it is ACTIVE again, one that was declared
    OUT_OF_STOCK while some were left stays so."""
    c.execute(_RETURN_UNITS, {
        "organization_id": organization_id, "reward_id": reward_id, "participant_id": participant_id,
        "quantity": quantity, "now": now,
    })
