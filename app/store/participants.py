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
# `ada` and `example` perhaps none holds `ada example`. So many take 25 ms; beyond, a page reads the list.
CANDIDATES_MAX = 25_000
LETTERS_COST = 1.6  # To look at a row in both cases takes so much longer.
# For each row that the index finds by one word it searches the list of each run of the other words. What
# stands in more than so many times CANDIDATES_MAX rows rules out less than that takes.
DENSE = 2
WORDS_MAX = 8  # So many words of a text are counted, the longest.
# The trigram index knows runs of three letters and digits; what has none is not looked up in it.
_WORD = re.compile(r"[^\W_]{3,}")
_WORD_ASCII = re.compile(r"[A-Za-z0-9]{3}")
# ASCII without letters: nothing else becomes one of these in lower case, so ILIKE finds what LIKE finds.
_CASELESS = re.compile(r"[ -@\[-`{-~]*")
# What ILIKE does, but that the text looked for is brought to lower case once, and that no index is asked.
_LOWERED: LiteralString = f"lower({_SEARCHED}) LIKE (SELECT lower(%(search)s::text))"
# All that the index finds, up to a bound, with how many these are; a page of them in the order of the list.
# The rows come along, as looking each up again by its id takes longer than finding it.
_MATCHES = f"""
WITH m AS MATERIALIZED (
    SELECT {_SLIM}, p.organization_id FROM participants p
    WHERE p.organization_id = %(organization_id)s AND $narrowed LIMIT %(most)s
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
    parts = _narrowing(c, sql, where, order, page, search, people)
    if not parts:
        return near
    values = {**where.parameters, "search": like_pattern(search), "most": MATCHES_MAX + 1}
    values |= {f"part_{number}": like_pattern(part) for number, part in enumerate(parts)}
    narrowed = [_holds(part, f"part_{number}") for number, part in enumerate(parts)]
    if parts != [search]:
        narrowed.append(_LOWERED)
    matches = _MATCHES.replace("$narrowed", " AND ".join(narrowed))
    inner, values = ordered(f"SELECT * FROM m p WHERE {where.sql()}", values, order, page, page.limit + 1)
    rows = c.execute(f"{matches}{inner}) p ON true {order_by(order)}", values).fetchall()
    if rows[0]["found"] > MATCHES_MAX:
        return near
    return cut([row for row in rows if row["id"] is not None], order, page.limit)


def _holds(text: str, name: LiteralString) -> str:
    """Return the condition that a row holds a text, in a form that the index answers."""
    return f"{_SEARCHED} {'LIKE' if _CASELESS.fullmatch(text) else 'ILIKE'} %({name})s"


def _narrowing(
    c: Connection, sql: str, where: Where, order: Order, page: Page, text: str, people: float
) -> list[str]:
    """Return the parts of a text that the index is asked for; none where it would find too many rows.

    How many it finds for each word and for several is told by the next rows of the list. For a text that is
    a word without repetitions nothing is counted: what the index finds for that matches, and is bounded.
    """
    words = sorted(_WORD.finditer(text), key=lambda word: -len(word.group()))[:WORDS_MAX]
    if core(words[0].group()) == text:
        return [text]
    inner, values = ordered(sql + where.sql(), where.parameters, order, page, NEAR_ROWS)
    for number, word in enumerate(words):
        values[f"word_{number}"] = like_pattern(core(word.group()))
    held = ", ".join(f"t.text LIKE (SELECT lower(%(word_{number})s::text))" for number in range(len(words)))
    texts = f"(SELECT lower({_SEARCHED}) AS text FROM ({inner}) p OFFSET 0) t"
    counted = f"SELECT ARRAY[{held}] AS held, count(*) AS n FROM {texts} GROUP BY held"
    rows = c.execute(counted, values).fetchall()
    most = CANDIDATES_MAX * NEAR_ROWS / people
    rare = [
        place for place in range(len(words))
        if sum(row["n"] for row in rows if row["held"][place]) <= most * DENSE
    ]
    found = sum(row["n"] for row in rows if all(row["held"][place] for place in rare))
    if not rare or found * (1 if _CASELESS.fullmatch(text) else LETTERS_COST) > most:
        return []
    # With the sign on either side, by which the index knows where the word begins or ends. In lower case a
    # letter beyond ASCII may depend on its neighbours, so that a part might not be found where the text is.
    parts = [text[max(0, words[place].start() - 1) : words[place].end() + 1] for place in rare]
    alone = [part for part in parts if part.isascii()]
    return alone if alone and len(rare) < len(words) else [text]


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
    matches = _holds(text, "search") if _CASELESS.fullmatch(text) else _LOWERED
    outer = f"""
SELECT * FROM (
    SELECT n.*, n.place = {rows_max:d} AS is_last,
        {matches.replace("p.", "n.")} AS matches
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
