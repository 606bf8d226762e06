"""The SQL of ledger entities: accounts that redemptions may go to."""

from datetime import datetime
from typing import Any
from uuid import UUID

from app.db import Connection
from app.store.pages import Column, Order, Page, Slice, Where, fetch

ORDER = Order((Column("created_at", "created_at", "timestamptz"), Column("id", "id", "uuid")))

_OWNER = """
INSERT INTO owners (organization_id, id, kind) VALUES (%(organization_id)s, %(id)s, 'LEDGER_ENTITY')
"""
_INSERT = """
INSERT INTO ledger_entities (organization_id, id, name, created_at, updated_at)
VALUES (%(organization_id)s, %(id)s, %(name)s, %(now)s, %(now)s) RETURNING id, name, created_at, updated_at
"""
_GET = """
SELECT id, name, created_at, updated_at FROM ledger_entities
WHERE organization_id = %(organization_id)s AND id = %(id)s
"""


def insert(
    c: Connection, organization_id: UUID, entity_id: UUID, name: str, now: datetime
) -> dict[str, Any]:
    """Create a ledger entity."""
    values = {"organization_id": organization_id, "id": entity_id, "name": name, "now": now}
    c.execute(_OWNER, values)
    row = c.execute(_INSERT, values).fetchone()
    assert row is not None
    return row


def get(c: Connection, organization_id: UUID, entity_id: UUID) -> dict[str, Any] | None:
    """Return one ledger entity."""
    return c.execute(_GET, {"organization_id": organization_id, "id": entity_id}).fetchone()


def exists(c: Connection, organization_id: UUID, entity_id: UUID) -> bool:
    """Say whether the organization has this ledger entity."""
    return get(c, organization_id, entity_id) is not None


def page(c: Connection, organization_id: UUID, page: Page) -> Slice:
    """Return one page of ledger entities, newest first."""
    where = Where.of(organization_id)
    sql = f"SELECT id, name, created_at, updated_at FROM ledger_entities WHERE {where.sql()}"
    return fetch(c, sql, where.parameters, ORDER, page)
