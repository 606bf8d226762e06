"""The SQL of participants: profiles, with the state and the enrollments that an answer shows beside them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, LiteralString
from uuid import UUID

from app.db import Connection
from app.domain.json import dumps
from app.store.pages import (
    Column,
    Order,
    Page,
    Slice,
    Where,
    cut,
    fetch,
    like_pattern,
    order_by,
    ordered,
)

PROFILE = ("email", "phone", "first_name", "last_name", "display_name")
_SLIM: LiteralString = (
    "p.id, p.external_id, p.status, p.email, p.phone, p.first_name, p.last_name, p.display_name,"
    " p.created_at, p.updated_at"
)
_ID = Column("p.id", "id", "uuid")
SORTS = {
    "created_at": Column("p.created_at", "created_at", "timestamptz"),
    "external_id": Column("p.external_id", "external_id", "text"),
    "status": Column("p.status", "status", "text"),
}
# One text for the trigram index (migration 0001); a line feed parts the fields, and no search holds one.
_SEARCHED: LiteralString = (
    "participant_search(p.external_id, p.email, p.phone, p.first_name, p.last_name, p.display_name)"
)
TRIGRAM_LENGTH = 3  # Shorter texts have no trigram to look up.
MATCHES_MAX = 7000
NEAR_ROWS = 7500  # A text in more than 0.7 percent of the rows fills its page among so many.
_MATCHES = f"""
SELECT p.id FROM participants p
WHERE p.organization_id = %(organization_id)s AND {_SEARCHED} ILIKE %(search)s LIMIT %(most)s
"""
_FULL = f"""
SELECT {_SLIM}, p.erased_at, o.tags, o.counters, o.attributes,
    ARRAY(SELECT e.program_id FROM enrollments e
        WHERE e.organization_id = p.organization_id AND e.participant_id = p.id
        ORDER BY e.enrolled_at, e.program_id) AS program_ids
FROM participants p JOIN owners o ON o.organization_id = p.organization_id AND o.id = p.id
WHERE p.organization_id = %(organization_id)s AND p.id = ANY(%(ids)s::uuid[])
"""
_BY_NAME = """
SELECT id, external_id FROM participants
WHERE organization_id = %(organization_id)s AND external_id = ANY(%(names)s::text[])
"""
_INSERT = """
WITH r AS MATERIALIZED (
    SELECT * FROM jsonb_to_recordset(%(rows)s::jsonb) AS r(id uuid, external_id text, status text, email text,
        phone text, first_name text, last_name text, display_name text)
), p AS (
    INSERT INTO participants (organization_id, id, external_id, status, email, phone, first_name, last_name,
        display_name, created_at, updated_at)
    SELECT %(organization_id)s, id, external_id, status, email, phone, first_name, last_name, display_name,
        %(at)s, %(at)s FROM r ORDER BY external_id
    ON CONFLICT (organization_id, external_id) DO NOTHING RETURNING id
), o AS (
    INSERT INTO owners (organization_id, id, kind) SELECT %(organization_id)s, id, 'PARTICIPANT' FROM r
)
SELECT id FROM p
"""
_UPDATE = """
UPDATE participants p SET external_id = r.external_id, status = r.status, email = r.email, phone = r.phone,
    first_name = r.first_name, last_name = r.last_name, display_name = r.display_name, updated_at = %(at)s
FROM jsonb_to_recordset(%(rows)s::jsonb) AS r(id uuid, external_id text, status text, email text, phone text,
    first_name text, last_name text, display_name text)
WHERE p.organization_id = %(organization_id)s AND p.id = r.id
"""


def order(sort_by: str, *, descending: bool) -> Order:
    """Return the order of a list by a key of SORTS."""
    return Order((SORTS[sort_by], _ID), descending)


def full(c: Connection, organization_id: UUID, ids: Sequence[UUID]) -> dict[UUID, dict[str, Any]]:
    """Return profiles with state and enrollments, by id."""
    rows = c.execute(_FULL, {"organization_id": organization_id, "ids": list(ids)}).fetchall()
    return {row["id"]: row for row in rows}


def ids_of(c: Connection, organization_id: UUID, external_ids: Sequence[str]) -> dict[str, UUID]:
    """Return the ids of those external ids that are known."""
    rows = c.execute(_BY_NAME, {"organization_id": organization_id, "names": list(external_ids)}).fetchall()
    return {row["external_id"]: row["id"] for row in rows}


def exists(c: Connection, organization_id: UUID, participant_id: UUID) -> bool:
    """Say whether the organization has this participant."""
    return c.execute(
        "SELECT 1 FROM participants WHERE organization_id = %s AND id = %s", (organization_id, participant_id)
    ).fetchone() is not None


def known(c: Connection, organization_id: UUID, ids: Sequence[UUID]) -> set[UUID]:
    """Return those of the ids that are participants of the organization."""
    rows = c.execute(
        "SELECT id FROM participants WHERE organization_id = %s AND id = ANY(%s::uuid[])",
        (organization_id, list(ids)),
    ).fetchall()
    return {row["id"] for row in rows}


def insert(c: Connection, organization_id: UUID, rows: list[dict[str, Any]], at: datetime) -> int:
    """Create participants (id, external_id, status, profile); returns how many, the rest lost a race."""
    return len(c.execute(
        _INSERT, {"organization_id": organization_id, "rows": dumps(rows), "at": at}
    ).fetchall())


def update(c: Connection, organization_id: UUID, rows: list[dict[str, Any]], at: datetime) -> None:
    """Write changed profiles."""
    if rows:
        c.execute(_UPDATE, {"organization_id": organization_id, "rows": dumps(rows), "at": at})


def page(
    c: Connection, organization_id: UUID, order: Order, page: Page, *,
    external_id: str | None, program_id: UUID | None, status: str | None, search: str | None,
    window: tuple[datetime | None, datetime | None],
) -> Slice:
    """Return one page of slim participants."""
    where = Where.of(organization_id, "p.organization_id")
    where.equal("p.external_id", "external_id", external_id)
    where.equal("p.status", "status", status)
    where.window("p.created_at", *window)
    if program_id is not None:
        where.add(
            "EXISTS (SELECT 1 FROM enrollments e WHERE e.organization_id = p.organization_id"
            " AND e.participant_id = p.id AND e.program_id = %(program_id)s)", program_id=program_id,
        )
    sql = f"SELECT {_SLIM} FROM participants p WHERE "
    if not search:
        return fetch(c, sql + where.sql(), where.parameters, order, page)
    return _near(c, sql, where, order, page, search) or _far(c, sql, where, order, page, search)


def _near(c: Connection, sql: str, where: Where, order: Order, page: Page, text: str) -> Slice | None:
    """Look among the next rows of the list: a frequent text fills its page there; None where it does not."""
    inner, values = ordered(sql + where.sql(), where.parameters, order, page, NEAR_ROWS)
    outer = f"""
SELECT * FROM ({inner}) p WHERE {_SEARCHED} ILIKE %(search)s {order_by(order)} LIMIT {page.limit + 1:d}
"""
    rows = c.execute(outer, {**values, "search": like_pattern(text)}).fetchall()
    return cut(rows, order, page.limit) if len(rows) > page.limit else None


def _far(c: Connection, sql: str, where: Where, order: Order, page: Page, text: str) -> Slice:
    """Find a rare text by the trigram index; without one, or for a text too short for it, read the list."""
    pattern = like_pattern(text)
    if len(text) >= TRIGRAM_LENGTH:
        values = {**where.parameters, "search": pattern, "most": MATCHES_MAX + 1}
        rows = c.execute(_MATCHES, values).fetchall()
        if len(rows) <= MATCHES_MAX:
            where.add("p.id = ANY(%(matches)s::uuid[])", matches=[row["id"] for row in rows])
            return fetch(c, sql + where.sql(), where.parameters, order, page)
    where.add(_SEARCHED + " ILIKE %(search)s", search=pattern)
    return fetch(c, sql + where.sql(), where.parameters, order, page)
