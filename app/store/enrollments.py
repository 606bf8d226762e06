"""The SQL of enrollments: which participants belong to which programs, and how they stand there."""

from datetime import datetime
from typing import Any
from uuid import UUID

from app.db import Connection
from app.store.pages import Column, Order, Page, Slice, Where, fetch

ORDER = Order((
    Column("e.enrolled_at", "enrolled_at", "timestamptz"),
    Column("e.participant_id", "participant_id", "uuid"),
))
_COLUMNS = "e.program_id, e.participant_id, p.external_id, e.status, e.enrolled_at, e.updated_at"
_FROM = """enrollments e JOIN participants p
    ON p.organization_id = e.organization_id AND p.id = e.participant_id"""
_SET = """
UPDATE enrollments SET status = %(status)s, updated_at = %(now)s
WHERE organization_id = %(organization_id)s AND program_id = %(program_id)s
    AND participant_id = %(participant_id)s
"""
_DELETE = """
DELETE FROM enrollments
WHERE organization_id = %(organization_id)s AND program_id = %(program_id)s
    AND participant_id = %(participant_id)s
"""
_GET = f"""
SELECT {_COLUMNS} FROM {_FROM}
WHERE e.organization_id = %(organization_id)s AND e.program_id = %(program_id)s
    AND e.participant_id = %(participant_id)s
"""


def get(
    c: Connection, organization_id: UUID, program_id: UUID, participant_id: UUID
) -> dict[str, Any] | None:
    """Return one enrollment."""
    return c.execute(_GET, _names(organization_id, program_id, participant_id)).fetchone()


def start_standings(c: Connection, organization_id: UUID, program_id: UUID, ids: list[UUID]) -> Any:
    """Start reading how participants stand in a program."""
    return c.execute(
        "SELECT participant_id, status FROM enrollments WHERE organization_id = %s AND program_id = %s"
        " AND participant_id = ANY(%s::uuid[])", (organization_id, program_id, ids),
    )


def read_standings(cursor: Any) -> dict[UUID, str]:
    """Finish reading: the status of each that is enrolled."""
    return {row["participant_id"]: row["status"] for row in cursor.fetchall()}


def set_status(
    c: Connection, organization_id: UUID, program_id: UUID, participant_id: UUID, status: str, now: datetime
) -> bool:
    """Change how a participant stands in a program; False where it is not enrolled."""
    values = _names(organization_id, program_id, participant_id) | {"status": status, "now": now}
    return c.execute(_SET, values).rowcount == 1


def delete(c: Connection, organization_id: UUID, program_id: UUID, participant_id: UUID) -> bool:
    """Take a participant out of a program; False where it is not enrolled."""
    return c.execute(_DELETE, _names(organization_id, program_id, participant_id)).rowcount == 1


def inactive(c: Connection, organization_id: UUID, program_id: UUID, ids: list[UUID]) -> set[UUID]:
    """Return those of the participants whose enrollment in the program is not ACTIVE."""
    rows = c.execute(
        "SELECT participant_id FROM enrollments WHERE organization_id = %s AND program_id = %s"
        " AND participant_id = ANY(%s::uuid[]) AND status <> 'ACTIVE'", (organization_id, program_id, ids),
    ).fetchall()
    return {row["participant_id"] for row in rows}


def page(
    c: Connection, organization_id: UUID, program_id: UUID, page: Page, *, status: str | None
) -> Slice:
    """Return one page of a program's enrollments, newest first."""
    where = Where.of(organization_id, "e.organization_id")
    where.equal("e.program_id", "program_id", program_id)
    where.equal("e.status", "status", status)
    return fetch(c, f"SELECT {_COLUMNS} FROM {_FROM} WHERE {where.sql()}", where.parameters, ORDER, page)


def _names(organization_id: UUID, program_id: UUID, participant_id: UUID) -> dict[str, Any]:
    return {"organization_id": organization_id, "program_id": program_id, "participant_id": participant_id}
