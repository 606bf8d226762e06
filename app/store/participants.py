"""The SQL of participants: profiles, with the state and the enrollments that an answer shows beside them."""

import re
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
    key_of,
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
_CREATED = SORTS["created_at"]
# One text for the trigram index (migration 0001); a line feed parts the fields, and no search holds one.
_SEARCHED: LiteralString = (
    "participant_search(p.external_id, p.email, p.phone, p.first_name, p.last_name, p.display_name)"
)
MATCHES_MAX = 3000  # Beyond, a page reads along the list instead.
NEAR_ROWS = 2000  # A text in more than three percent of the rows fills its page among so many.
SCANNED_ROWS = 4_000  # How far a page reads where no index helps: about 15 ms.
# The index finds rows by their runs of three characters, and each must be looked at: of a million that hold
# `ada` and `example` perhaps none holds `ada example`. So many take 45 ms; beyond, a page reads the list.
CANDIDATES_MAX = 25_000
# The trigram index knows runs of three letters and digits; what has none is not looked up in it.
_WORD = re.compile(r"[^\W_]{3,}")
_WORD_ASCII = re.compile(r"[A-Za-z0-9]{3}")
# All that the index finds, up to a bound, with how many these are; a page of them in the order of the list.
# The rows come along, as looking each up again by its id takes longer than finding it.
_MATCHES = f"""
WITH m AS MATERIALIZED (
    SELECT {_SLIM}, p.organization_id FROM participants p
    WHERE p.organization_id = %(organization_id)s AND {_SEARCHED} ILIKE %(search)s LIMIT %(most)s
)
SELECT n.found, p.* FROM (SELECT count(*) AS found FROM m) n LEFT JOIN LATERAL (
"""
# Whether there is an index, whether the database's locale tells letters beyond ASCII from signs, and roughly
# how many participants there are: before they were first counted, many.
_INDEXED = """
SELECT to_regclass('participants_search') IS NOT NULL AS found, 'é' ~ '[[:alpha:]]' AS letters,
    (SELECT CASE WHEN reltuples > 0 THEN reltuples ELSE 1000000 END
        FROM pg_class WHERE oid = 'participants'::regclass) AS people
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
    """Return the order of a list by a key of SORTS; those of one status follow by the time of creation."""
    columns = (SORTS[sort_by], _CREATED, _ID) if sort_by == "status" else (SORTS[sort_by], _ID)
    return Order(columns, descending)


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


def is_erased(c: Connection, organization_id: UUID, participant_id: UUID) -> bool:
    """Say whether a participant was erased, which ends everything but its balances and its journal."""
    return c.execute(
        "SELECT 1 FROM participants WHERE organization_id = %s AND id = %s AND erased_at IS NOT NULL",
        (organization_id, participant_id),
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
    if status not in (None, "ACTIVE"):
        where.add("p.status <> 'ACTIVE'")  # Says in the text which index will do: few are not ACTIVE.
    where.window("p.created_at", *window)
    if program_id is not None:
        where.add(
            "EXISTS (SELECT 1 FROM enrollments e WHERE e.organization_id = p.organization_id"
            " AND e.participant_id = p.id AND e.program_id = %(program_id)s)", program_id=program_id,
        )
    sql = f"SELECT {_SLIM} FROM participants p WHERE "
    if not search:
        return fetch(c, sql + where.sql(), where.parameters, order, page)
    people = _indexed(c, search)
    if people is None:
        return _scan(c, sql, where, order, page, search, SCANNED_ROWS)
    near = _scan(c, sql, where, order, page, search, NEAR_ROWS)
    if near.next is None or len(near.rows) == page.limit:
        return near
    if _held(c, sql, where, order, page, search) * people > CANDIDATES_MAX * NEAR_ROWS:
        return near
    values = {**where.parameters, "search": like_pattern(search), "most": MATCHES_MAX + 1}
    inner, values = ordered(f"SELECT * FROM m p WHERE {where.sql()}", values, order, page, page.limit + 1)
    rows = c.execute(f"{_MATCHES}{inner}) p ON true {order_by(order)}", values).fetchall()
    if rows[0]["found"] > MATCHES_MAX:
        return near
    return cut([row for row in rows if row["id"] is not None], order, page.limit)


def _held(c: Connection, sql: str, where: Where, order: Order, page: Page, text: str) -> int:
    """Return how many of the next rows of the list the index would find for a text, if more than match.

    For a text that is a word without repetitions 0: what the index finds for that matches, and is bounded.
    """
    words = sorted({core(word) for word in _WORD.findall(text)})
    if words == [text]:
        return 0
    inner, values = ordered(sql + where.sql(), where.parameters, order, page, NEAR_ROWS)
    held = " AND ".join(f"{_SEARCHED} ILIKE %(word_{number})s" for number in range(len(words)))
    values |= {f"word_{number}": like_pattern(word) for number, word in enumerate(words)}
    row = c.execute(f"SELECT count(*) AS n FROM ({inner}) p WHERE {held}", values).fetchone()
    return 0 if row is None else int(row["n"])


def core(word: str) -> str:
    """Return the shortest beginning of a word that has all of its runs of three: `999` of `999999`.

    The index finds no less for the word than for this.
    """
    runs = [word[start : start + 3] for start in range(len(word) - 2)]
    return next(word[: end + 3] for end in range(len(runs)) if set(runs[: end + 1]) == set(runs))


def _scan(
    c: Connection, sql: str, where: Where, order: Order, page: Page, text: str, rows_max: int
) -> Slice:
    """Look among the next `rows_max` rows of the list.

    Where that ends before the page is full and before the list does, the page is short, even empty, and the
    next one goes on behind the last row that was read: every page has a bound, and none is left out.
    """
    inner, values = ordered(sql + where.sql(), where.parameters, order, page, rows_max)
    outer = f"""
SELECT * FROM (
    SELECT n.*, n.place = {rows_max:d} AS is_last,
        {_SEARCHED.replace("p.", "n.")} ILIKE %(search)s AS matches
    FROM (SELECT p.*, row_number() OVER ({order_by(order)}) AS place FROM ({inner}) p) n
) p WHERE matches OR is_last {order_by(order)} LIMIT {page.limit + 2:d}
"""
    values["search"] = like_pattern(text)
    found = c.execute(outer, values).fetchall()
    matching = [row for row in found if row["matches"]]
    if len(matching) > page.limit or not found or not found[-1]["is_last"]:
        return cut(matching, order, page.limit)
    return Slice(matching, key_of(found[-1], order))


def _indexed(c: Connection, text: str) -> float | None:
    """Return among how many people the trigram index finds a text.

    None where it does not: the text has no word, or the database no such index.
    """
    if not _WORD.search(text):
        return None
    row = c.execute(_INDEXED).fetchone()
    if row is None or not row["found"] or not (row["letters"] or _WORD_ASCII.search(text)):
        return None
    return float(row["people"])
