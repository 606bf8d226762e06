"""Reading the hash chain of an organization, place by place, for verifying and exporting."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from app.book.sealed import COLUMNS, entry_of
from app.db import Connection
from app.ledger.chain import GENESIS, Link

PAGE = 2000

_LINKS = f"""
SELECT s.sequence_number, s.entry_id AS sealed_entry_id, s.entry_hash, {COLUMNS}
FROM journal_seals s
LEFT JOIN journal_entries e ON e.organization_id = s.organization_id AND e.id = s.entry_id
WHERE s.organization_id = %(organization_id)s AND s.sequence_number > %(after)s
    AND s.sequence_number <= %(through)s
ORDER BY s.sequence_number LIMIT {PAGE}
"""

_HEAD = """
SELECT sequence_number, entry_hash, sealed_at FROM journal_seals
WHERE organization_id = %(organization_id)s ORDER BY sequence_number DESC LIMIT 1
"""

_HASH = """
SELECT entry_hash FROM journal_seals
WHERE organization_id = %(organization_id)s AND sequence_number = %(number)s
"""


@dataclass(frozen=True, slots=True)
class Head:
    """The last place of a chain."""

    sequence_number: int
    entry_hash: bytes
    sealed_at: datetime


def organizations(c: Connection) -> list[UUID]:
    """Return all organizations; each has a chain of its own."""
    return [row["id"] for row in c.execute("SELECT id FROM organizations ORDER BY id").fetchall()]


def head(c: Connection, organization_id: UUID) -> Head | None:
    """Return the last place, None where nothing is sealed yet."""
    row = c.execute(_HEAD, {"organization_id": organization_id}).fetchone()
    if row is None:
        return None
    return Head(row["sequence_number"], bytes(row["entry_hash"]), row["sealed_at"])


def hash_at(c: Connection, organization_id: UUID, number: int) -> bytes | None:
    """Return the hash at a place; before the first it is the genesis."""
    if number == 0:
        return GENESIS
    row = c.execute(_HASH, {"organization_id": organization_id, "number": number}).fetchone()
    return None if row is None else bytes(row["entry_hash"])


def links(c: Connection, organization_id: UUID, after: int, through: int) -> Iterator[Link]:
    """Read the places behind `after` up to `through`, a page at a time."""
    while after < through:
        rows: list[dict[str, Any]] = c.execute(
            _LINKS, {"organization_id": organization_id, "after": after, "through": through}
        ).fetchall()
        for row in rows:
            yield Link(
                row["sequence_number"], row["sealed_entry_id"], bytes(row["entry_hash"]),
                None if row["id"] is None else entry_of(row),
            )
        if len(rows) < PAGE:
            return
        after = rows[-1]["sequence_number"]
