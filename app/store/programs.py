"""The SQL of programs."""

from datetime import datetime
from typing import Any, LiteralString
from uuid import UUID

from app.db import Connection
from app.store.pages import Column, Order, Page, Slice, Where, fetch

COLUMNS: LiteralString = (
    "id, name, description, on_unknown_participant, status, redemption_target_type,"
    " redemption_target_entity_id, reversal_grace, created_at, updated_at, deleted_at"
)
_ID = Column("id", "id", "uuid")
SORTS = {
    "created_at": Column("created_at", "created_at", "timestamptz"),
    "name": Column("name", "name", "text"),
}
_OWNER = "INSERT INTO owners (organization_id, id, kind) VALUES (%(organization_id)s, %(id)s, 'PROGRAM')"
_INSERT = f"""
INSERT INTO programs (organization_id, id, name, description, on_unknown_participant, reversal_grace,
    created_at, updated_at)
VALUES (%(organization_id)s, %(id)s, %(name)s, %(description)s, %(on_unknown_participant)s,
    %(reversal_grace)s, %(now)s, %(now)s)
RETURNING {COLUMNS}
"""
_GET = f"SELECT {COLUMNS} FROM programs WHERE organization_id = %(organization_id)s AND id = %(id)s"
# The program's state row is the lock of the program's configuration; the profile alone is locked here.
_LOCK = _GET + " FOR NO KEY UPDATE"
_UPDATE = f"""
UPDATE programs SET name = %(name)s, description = %(description)s,
    on_unknown_participant = %(on_unknown_participant)s, status = %(status)s,
    redemption_target_type = %(redemption_target_type)s,
    redemption_target_entity_id = %(redemption_target_entity_id)s, reversal_grace = %(reversal_grace)s,
    deleted_at = %(deleted_at)s, updated_at = %(now)s
WHERE organization_id = %(organization_id)s AND id = %(id)s
RETURNING {COLUMNS}
"""


def order(sort_by: str, *, descending: bool) -> Order:
    """Return the order of a list by a key of SORTS."""
    return Order((SORTS[sort_by], _ID), descending)


def insert(
    c: Connection, organization_id: UUID, program_id: UUID, now: datetime, *, name: str,
    description: str | None, on_unknown_participant: str, reversal_grace: str,
) -> dict[str, Any]:
    """Create a program with its row of state."""
    values = {
        "organization_id": organization_id, "id": program_id, "now": now, "name": name,
        "description": description, "on_unknown_participant": on_unknown_participant,
        "reversal_grace": reversal_grace,
    }
    c.execute(_OWNER, values)
    row = c.execute(_INSERT, values).fetchone()
    assert row is not None
    return row


def get(c: Connection, organization_id: UUID, program_id: UUID) -> dict[str, Any] | None:
    """Return one program."""
    row: dict[str, Any] | None = start(c, organization_id, program_id).fetchone()
    return row


def start(c: Connection, organization_id: UUID, program_id: UUID) -> Any:
    """Start the query of `get`, for use in a pipeline."""
    return c.execute(_GET, {"organization_id": organization_id, "id": program_id})


def lock(c: Connection, organization_id: UUID, program_id: UUID) -> dict[str, Any] | None:
    """Return one program, locked against other changes of its configuration."""
    return c.execute(_LOCK, {"organization_id": organization_id, "id": program_id}).fetchone()


def update(c: Connection, organization_id: UUID, program: dict[str, Any], now: datetime) -> dict[str, Any]:
    """Write a changed program."""
    row = c.execute(_UPDATE, {**program, "organization_id": organization_id, "now": now}).fetchone()
    assert row is not None
    return row


def page(
    c: Connection, organization_id: UUID, order: Order, page: Page, *,
    status: str | None, include_archived: bool, search: str | None,
) -> Slice:
    """Return one page of programs; archived ones only where asked for."""
    where = Where.of(organization_id)
    where.equal("status", "status", status)
    if status is None and not include_archived:
        where.add("status <> 'ARCHIVED'")
    where.search(("name",), search)
    return fetch(c, f"SELECT {COLUMNS} FROM programs WHERE {where.sql()}", where.parameters, order, page)
