"""The SQL of imports: the uploaded file in pieces, how far it has come, and the report of bad lines."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, LiteralString
from uuid import UUID

from app.db import Connection
from app.domain.json import dumps
from app.store.pages import Column, Order, Page, Slice, Where, fetch

PIECE_BYTES = 1 << 20
_COLUMNS: LiteralString = """id, program_id, kind, format, dry_run, status, total_lines, processed_lines,
    accepted_lines, rejected_lines, error_message, created_at, updated_at, completed_at, uploaded"""
ORDER = Order((Column("created_at", "created_at", "timestamptz"), Column("id", "id", "uuid")))
ERROR_ORDER = Order((Column("line", "line", "bigint"),), descending=False)

_INSERT = f"""
INSERT INTO imports (organization_id, id, program_id, kind, format, dry_run, api_key_id, created_at,
    updated_at)
VALUES (%(organization_id)s, %(id)s, %(program_id)s, %(kind)s, %(format)s, %(dry_run)s, %(api_key_id)s,
    %(now)s, %(now)s)
RETURNING {_COLUMNS}
"""
_LOCK = """
SELECT * FROM imports WHERE organization_id = %(organization_id)s AND id = %(id)s FOR NO KEY UPDATE
"""
_UPLOADED = f"""
UPDATE imports SET byte_total = byte_total + %(bytes)s, total_lines = COALESCE(total_lines, 0) + %(lines)s,
    uploaded = %(last)s, updated_at = %(now)s
WHERE organization_id = %(organization_id)s AND id = %(id)s RETURNING {_COLUMNS}
"""
# Organizations take turns, a window each: a long file of one is not in the way of all the others. Within an
# organization files go in the order they came, as one may need what another brings.
_NEXT = """
SELECT * FROM imports i
WHERE uploaded AND status IN ('PENDING', 'PROCESSING')
    AND (%(with_events)s OR kind <> 'events' OR dry_run)
    AND NOT EXISTS (
        SELECT 1 FROM imports o
        WHERE o.uploaded AND o.status IN ('PENDING', 'PROCESSING') AND o.organization_id = i.organization_id
            AND (o.created_at, o.id) < (i.created_at, i.id))
ORDER BY updated_at, id LIMIT 1 FOR NO KEY UPDATE
"""
_PIECES = """
SELECT substring(content FROM greatest(%(offset)s - start, 0)::integer + 1
    FOR (%(offset)s + %(size)s - greatest(%(offset)s, start))::integer) AS content
FROM import_parts
WHERE organization_id = %(organization_id)s AND import_id = %(id)s
    AND start > %(offset)s - %(piece)s AND start < %(offset)s + %(size)s
ORDER BY start
"""
_ADVANCE = """
UPDATE imports SET status = %(status)s, byte_offset = %(offset)s, header = COALESCE(%(header)s, header),
    processed_lines = processed_lines + %(processed)s, accepted_lines = accepted_lines + %(accepted)s,
    rejected_lines = rejected_lines + %(rejected)s, error_message = %(error_message)s, updated_at = %(now)s,
    completed_at = CASE WHEN %(status)s IN ('COMPLETED', 'FAILED') THEN %(now)s::timestamptz END
WHERE organization_id = %(organization_id)s AND id = %(id)s
"""
_ERRORS = """
INSERT INTO import_errors (organization_id, import_id, line, code, message)
SELECT %(organization_id)s, %(id)s, r.line, r.code, r.message
FROM jsonb_to_recordset(%(rows)s::jsonb) AS r(line bigint, code text, message text)
ON CONFLICT DO NOTHING
"""


def insert(c: Connection, organization_id: UUID, now: datetime, **values: Any) -> dict[str, Any]:
    """Create an import without content."""
    row = c.execute(_INSERT, {**values, "organization_id": organization_id, "now": now}).fetchone()
    assert row is not None
    return row


def get(c: Connection, organization_id: UUID, import_id: UUID) -> dict[str, Any] | None:
    """Return one import."""
    return c.execute(
        f"SELECT {_COLUMNS} FROM imports WHERE organization_id = %s AND id = %s", (organization_id, import_id)
    ).fetchone()


def lock(c: Connection, organization_id: UUID, import_id: UUID) -> dict[str, Any] | None:
    """Return one import with its inner columns, locked."""
    return c.execute(_LOCK, {"organization_id": organization_id, "id": import_id}).fetchone()


def page(c: Connection, organization_id: UUID, page: Page) -> Slice:
    """Return one page of imports, newest first."""
    where = Where.of(organization_id)
    return fetch(c, f"SELECT {_COLUMNS} FROM imports WHERE {where.sql()}", where.parameters, ORDER, page)


def errors_page(c: Connection, organization_id: UUID, import_id: UUID, page: Page) -> Slice:
    """Return one page of the report, in the order of the lines."""
    where = Where.of(organization_id)
    where.equal("import_id", "import_id", import_id)
    sql = f"SELECT line, code, message FROM import_errors WHERE {where.sql()}"
    return fetch(c, sql, where.parameters, ERROR_ORDER, page)


def add_content(
    c: Connection, organization_id: UUID, import_id: UUID, start: int, content: bytes, now: datetime, *,
    last: bool,
) -> dict[str, Any]:
    """Append content at `start`, in pieces; `last` says that the file is complete."""
    with c.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO import_parts (organization_id, import_id, start, content) VALUES (%s, %s, %s, %s)",
            [
                (organization_id, import_id, start + place, content[place : place + PIECE_BYTES])
                for place in range(0, len(content), PIECE_BYTES)
            ],
        )
    row = c.execute(_UPLOADED, {
        "organization_id": organization_id, "id": import_id, "bytes": len(content),
        "lines": content.count(b"\n"), "last": last, "now": now,
    }).fetchone()
    assert row is not None
    return row


def any_unfinished(c: Connection) -> bool:
    """Say whether an import of any organization has lines left."""
    row = c.execute(
        "SELECT EXISTS (SELECT 1 FROM imports WHERE uploaded AND status IN ('PENDING', 'PROCESSING')) AS due"
    ).fetchone()
    return bool(row and row["due"])


def next_unfinished(c: Connection, *, with_events: bool) -> dict[str, Any] | None:
    """Return the import whose turn it is, of any organization, locked; of events only `with_events`."""
    return c.execute(_NEXT, {"with_events": with_events}).fetchone()


def window(c: Connection, organization_id: UUID, import_id: UUID, offset: int, size: int) -> bytes:
    """Return the next `size` bytes from `offset`, fewer at the end of the file."""
    rows = c.execute(_PIECES, {
        "organization_id": organization_id, "id": import_id, "offset": offset, "piece": PIECE_BYTES,
        "size": size,
    }, binary=True).fetchall()
    return b"".join(bytes(row["content"]) for row in rows)


def advance(c: Connection, organization_id: UUID, import_id: UUID, now: datetime, **values: Any) -> None:
    """Note how far an import has come."""
    c.execute(_ADVANCE, {
        "header": None, "error_message": None, "processed": 0, "accepted": 0, "rejected": 0, **values,
        "organization_id": organization_id, "id": import_id, "now": now,
    })


def add_errors(
    c: Connection, organization_id: UUID, import_id: UUID, rows: Sequence[dict[str, Any]]
) -> None:
    """Add bad lines to the report."""
    if rows:
        c.execute(_ERRORS, {"organization_id": organization_id, "id": import_id, "rows": dumps(list(rows))})


def forget_content(c: Connection, organization_id: UUID, import_id: UUID) -> None:
    """Delete the file: once it is worked off, personal data in it has no purpose."""
    c.execute(
        "DELETE FROM import_parts WHERE organization_id = %s AND import_id = %s", (organization_id, import_id)
    )
