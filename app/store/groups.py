"""The SQL of groups and their members."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, LiteralString
from uuid import UUID

from app.db import Connection
from app.domain.json import dumps
from app.store.pages import Column, Order, Page, Slice, Where, fetch

_COLUMNS: LiteralString = "id, name, status, created_at, updated_at, deleted_at"
_ID = Column("id", "id", "uuid")
SORTS = {
    "created_at": Column("created_at", "created_at", "timestamptz"),
    "name": Column("name", "name", "text"),
}
MEMBER_ORDER = Order((
    Column("m.joined_at", "joined_at", "timestamptz"),
    Column("m.participant_id", "participant_id", "uuid"),
))
_OWNER = "INSERT INTO owners (organization_id, id, kind) VALUES (%(organization_id)s, %(id)s, 'GROUP')"
_INSERT = f"""
INSERT INTO groups (organization_id, id, name, created_at, updated_at)
VALUES (%(organization_id)s, %(id)s, %(name)s, %(now)s, %(now)s) RETURNING {_COLUMNS}
"""
_GET = f"SELECT {_COLUMNS} FROM groups WHERE organization_id = %(organization_id)s AND id = %(id)s"
_UPDATE = f"""
UPDATE groups SET name = %(name)s, status = %(status)s, deleted_at = %(deleted_at)s, updated_at = %(now)s
WHERE organization_id = %(organization_id)s AND id = %(id)s RETURNING {_COLUMNS}
"""
_MEMBERS: LiteralString = """
SELECT m.participant_id, p.external_id, m.role, m.status, m.joined_at, m.left_at
FROM group_members m
JOIN participants p ON p.organization_id = m.organization_id AND p.id = m.participant_id
"""
_JOIN = """
INSERT INTO group_members (organization_id, group_id, participant_id, role, on_behalf_of_participant_id,
    joined_at)
SELECT %(organization_id)s, %(group_id)s, r.p, r.r, %(on_behalf_of)s, %(now)s
FROM jsonb_to_recordset(%(rows)s::jsonb) AS r(p uuid, r text) ORDER BY r.p
ON CONFLICT (organization_id, group_id, participant_id) DO UPDATE SET role = excluded.role,
    status = 'ACTIVE', on_behalf_of_participant_id = excluded.on_behalf_of_participant_id,
    joined_at = excluded.joined_at, left_at = NULL
"""
_CHANGE = """
UPDATE group_members SET role = %(role)s, status = %(status)s, left_at = %(left_at)s,
    on_behalf_of_participant_id = COALESCE(%(on_behalf_of)s, on_behalf_of_participant_id)
WHERE organization_id = %(organization_id)s AND group_id = %(group_id)s
    AND participant_id = %(participant_id)s
"""


def order(sort_by: str, *, descending: bool) -> Order:
    """Return the order of a list by a key of SORTS."""
    return Order((SORTS[sort_by], _ID), descending)


def insert(c: Connection, organization_id: UUID, group_id: UUID, name: str, now: datetime) -> dict[str, Any]:
    """Create a group with its row of state."""
    values = {"organization_id": organization_id, "id": group_id, "name": name, "now": now}
    c.execute(_OWNER, values)
    row = c.execute(_INSERT, values).fetchone()
    assert row is not None
    return row


def get(c: Connection, organization_id: UUID, group_id: UUID) -> dict[str, Any] | None:
    """Return one group."""
    return c.execute(_GET, {"organization_id": organization_id, "id": group_id}).fetchone()


def update(c: Connection, organization_id: UUID, group: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """Write a changed group."""
    row = c.execute(_UPDATE, {**group, "organization_id": organization_id, "now": now}).fetchone()
    assert row is not None
    return row


def page(
    c: Connection, organization_id: UUID, order: Order, page: Page, *, include_archived: bool
) -> Slice:
    """Return one page of groups."""
    where = Where.of(organization_id)
    if not include_archived:
        where.add("status = 'ACTIVE'")
    return fetch(c, f"SELECT {_COLUMNS} FROM groups WHERE {where.sql()}", where.parameters, order, page)


def active_members(c: Connection, organization_id: UUID, group_id: UUID) -> dict[UUID, str]:
    """Return the roles of the active members by participant."""
    rows = c.execute(
        "SELECT participant_id, role FROM group_members"
        " WHERE organization_id = %s AND group_id = %s AND status = 'ACTIVE'", (organization_id, group_id),
    ).fetchall()
    return {row["participant_id"]: row["role"] for row in rows}


def members_page(
    c: Connection, organization_id: UUID, group_id: UUID, page: Page, *, include_former: bool
) -> Slice:
    """Return one page of members, newest first."""
    where = Where.of(organization_id, "m.organization_id")
    where.equal("m.group_id", "group_id", group_id)
    if not include_former:
        where.add("m.status = 'ACTIVE'")
    return fetch(c, f"{_MEMBERS} WHERE {where.sql()}", where.parameters, MEMBER_ORDER, page)


def join(
    c: Connection, organization_id: UUID, group_id: UUID, members: Sequence[tuple[UUID, str]],
    on_behalf_of: UUID | None, now: datetime,
) -> None:
    """Make participants active members; those who left return with their new role."""
    rows = dumps([{"p": participant_id, "r": role} for participant_id, role in members])
    c.execute(_JOIN, {
        "organization_id": organization_id, "group_id": group_id, "rows": rows,
        "on_behalf_of": on_behalf_of, "now": now,
    })


def change_member(
    c: Connection, organization_id: UUID, group_id: UUID, participant_id: UUID, *, role: str,
    left_at: datetime | None, on_behalf_of: UUID | None,
) -> None:
    """Write a member's role, or that it left."""
    c.execute(_CHANGE, {
        "organization_id": organization_id, "group_id": group_id, "participant_id": participant_id,
        "role": role, "status": "ACTIVE" if left_at is None else "LEFT", "left_at": left_at,
        "on_behalf_of": on_behalf_of,
    })
