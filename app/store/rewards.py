"""The SQL of the rewards catalogue, and of how often each participant redeemed a reward."""

from datetime import datetime
from typing import Any, LiteralString
from uuid import UUID

from psycopg.types.json import Jsonb

from app.db import Connection
from app.domain.json import dumps
from app.store.pages import Column, Order, Page, Slice, Where, fetch

_COLUMNS: LiteralString = """w.id, w.program_id, w.name, w.description, w.category, w.redemption_type,
    w.asset_id, w.unit_cost, w.max_total, w.max_per_participant, w.status, w.available_from,
    w.available_until, w.eligibility, w.metadata, w.redeemed_count, w.created_at, w.updated_at, a.scale"""
_FROM: LiteralString = """
FROM rewards w JOIN assets a ON a.organization_id = w.organization_id AND a.id = w.asset_id"""
_ID = Column("w.id", "id", "uuid")
SORTS = {
    "created_at": Column("w.created_at", "created_at", "timestamptz"),
    "name": Column("w.name", "name", "text"),
}
FIELDS = (
    "name", "description", "category", "redemption_type", "asset_id", "unit_cost", "max_total",
    "max_per_participant", "status", "available_from", "available_until", "eligibility", "metadata",
)

_INSERT = """
INSERT INTO rewards (organization_id, id, program_id, name, description, category, redemption_type, asset_id,
    unit_cost, max_total, max_per_participant, status, available_from, available_until, eligibility, metadata,
    created_at, updated_at)
VALUES (%(organization_id)s, %(id)s, %(program_id)s, %(name)s, %(description)s, %(category)s,
    %(redemption_type)s, %(asset_id)s, %(unit_cost)s, %(max_total)s, %(max_per_participant)s, %(status)s,
    %(available_from)s, %(available_until)s, %(eligibility)s, %(metadata)s, %(now)s, %(now)s)
"""

_UPDATE = """
UPDATE rewards SET name = %(name)s, description = %(description)s, category = %(category)s,
    unit_cost = %(unit_cost)s, max_total = %(max_total)s, max_per_participant = %(max_per_participant)s,
    status = %(status)s, available_from = %(available_from)s, available_until = %(available_until)s,
    eligibility = %(eligibility)s, metadata = %(metadata)s, updated_at = %(now)s
WHERE organization_id = %(organization_id)s AND id = %(id)s
"""

# The row is not locked before: what was read of it may be out of date, and the checks of the table are the
# last word. A count above max_total leaves the status ACTIVE, a status that is not ACTIVE makes the count
# negative: both are refused, with everything that was written beside them.
_TAKE = """
WITH holder AS (
    INSERT INTO reward_holders AS h (organization_id, reward_id, participant_id, redeemed_count)
    VALUES (%(organization_id)s, %(reward_id)s, %(participant_id)s, %(quantity)s)
    ON CONFLICT (organization_id, reward_id, participant_id)
        DO UPDATE SET redeemed_count = h.redeemed_count + excluded.redeemed_count
)
UPDATE rewards SET updated_at = %(now)s,
    redeemed_count = CASE WHEN status = 'ACTIVE' THEN redeemed_count + %(quantity)s ELSE -1 END,
    status = CASE WHEN redeemed_count + %(quantity)s = max_total THEN 'OUT_OF_STOCK' ELSE status END
WHERE organization_id = %(organization_id)s AND id = %(reward_id)s
"""


def order(sort_by: str, *, descending: bool) -> Order:
    """Return the order of a list by a key of SORTS."""
    return Order((SORTS[sort_by], _ID), descending)


def insert(
    c: Connection, organization_id: UUID, program_id: UUID, reward_id: UUID, now: datetime,
    reward: dict[str, Any],
) -> None:
    """Create a reward. Raises a unique violation where the name is taken."""
    c.execute(_INSERT, _values(organization_id, reward_id, now, reward) | {"program_id": program_id})


def update(
    c: Connection, organization_id: UUID, reward_id: UUID, now: datetime, reward: dict[str, Any]
) -> None:
    """Write a changed reward. Raises a unique violation where the name is taken."""
    c.execute(_UPDATE, _values(organization_id, reward_id, now, reward))


def _values(
    organization_id: UUID, reward_id: UUID, now: datetime, reward: dict[str, Any]
) -> dict[str, Any]:
    metadata = reward["metadata"]
    return {name: reward[name] for name in FIELDS} | {
        "organization_id": organization_id, "id": reward_id, "now": now,
        "metadata": None if metadata is None else Jsonb(metadata, dumps=dumps),
    }


def get(c: Connection, organization_id: UUID, reward_id: UUID) -> dict[str, Any] | None:
    """Return one reward."""
    row: dict[str, Any] | None = start(c, organization_id, reward_id).fetchone()
    return row


def start(c: Connection, organization_id: UUID, reward_id: UUID) -> Any:
    """Start reading one reward."""
    return c.execute(
        f"SELECT {_COLUMNS} {_FROM} WHERE w.organization_id = %s AND w.id = %s", (organization_id, reward_id)
    )


def lock(c: Connection, organization_id: UUID, reward_id: UUID) -> dict[str, Any] | None:
    """Lock one reward, after the owners of the operation (app/flows/locks), and return it as it is then."""
    start_lock(c, organization_id, reward_id)
    return get(c, organization_id, reward_id)


def start_lock(c: Connection, organization_id: UUID, reward_id: UUID) -> None:
    """Lock one reward; in a pipeline, nothing waits for it but the statements behind."""
    c.execute(
        "SELECT 1 FROM rewards WHERE organization_id = %s AND id = %s FOR NO KEY UPDATE",
        (organization_id, reward_id),
    )


def page(
    c: Connection, organization_id: UUID, program_id: UUID, order: Order, page: Page, *,
    status: str | None, include_archived: bool, search: str | None,
) -> Slice:
    """Return one page of a program's rewards; archived ones only where asked for."""
    where = Where.of(organization_id, "w.organization_id")
    where.equal("w.program_id", "program_id", program_id)
    where.equal("w.status", "status", status)
    if status is None and not include_archived:
        where.add("w.status <> 'ARCHIVED'")
    where.search(("w.name",), search)
    return fetch(c, f"SELECT {_COLUMNS} {_FROM} WHERE {where.sql()}", where.parameters, order, page)


def start_redeemed_by(c: Connection, organization_id: UUID, reward_id: UUID, participant_id: UUID) -> Any:
    """Start reading how many units a participant has redeemed."""
    return c.execute(
        "SELECT redeemed_count FROM reward_holders"
        " WHERE organization_id = %s AND reward_id = %s AND participant_id = %s",
        (organization_id, reward_id, participant_id),
    )


def read_redeemed_by(cursor: Any) -> int:
    """Finish reading it: the units, net of reversals."""
    row = cursor.fetchone()
    return 0 if row is None else int(row["redeemed_count"])


def take_units(
    c: Connection, organization_id: UUID, reward_id: UUID, participant_id: UUID, quantity: int, now: datetime
) -> None:
    """Take units out of stock; the last one makes the reward OUT_OF_STOCK.

    Raises a check violation of the table where the reward has fewer by now, or is not ACTIVE any more.
    """
    c.execute(_TAKE, {
        "organization_id": organization_id, "reward_id": reward_id, "participant_id": participant_id,
        "quantity": quantity, "now": now,
    })
