"""How far the sealed journal is rolled up for reports: two marks an organization, each a place in its chain.

    sequence_number  what app/book/report_rollups has taken in
    details_number   what app/book/report_details has taken in

The order of the chain follows commits, so a mark never passes an entry that is still to appear.
"""

from dataclasses import dataclass
from typing import Any, Literal, LiteralString
from uuid import UUID

from app.db import Connection

Mark = Literal["sequence_number", "details_number"]

_BEHIND: LiteralString = """
SELECT o.id, COALESCE(m.sequence_number, 0) < h.head AS sequence_number,
    COALESCE(m.details_number, 0) < h.head AS details_number
FROM organizations o LEFT JOIN report_marks m ON m.organization_id = o.id
CROSS JOIN LATERAL (SELECT max(s.sequence_number) AS head FROM journal_seals s
    WHERE s.organization_id = o.id) h
WHERE COALESCE(LEAST(m.sequence_number, m.details_number), 0) < h.head
ORDER BY o.id
"""

_FIRST: LiteralString = """
INSERT INTO report_marks (organization_id) VALUES (%(organization_id)s) ON CONFLICT DO NOTHING
"""

_LOCK: LiteralString = """
SELECT m.sequence_number, m.details_number, (SELECT max(s.sequence_number) FROM journal_seals s
    WHERE s.organization_id = m.organization_id) AS head
FROM report_marks m WHERE m.organization_id = %(organization_id)s FOR UPDATE
"""

# Entries stand in the order of their commits, so a young one may have older ones behind it.
_YOUNG: LiteralString = """
SELECT min(s.sequence_number) AS first FROM journal_seals s
WHERE s.organization_id = %(organization_id)s AND s.sequence_number > %(after)s
    AND s.sequence_number <= %(through)s AND s.entry_id >= %(before)s
"""

_MOVE: LiteralString = """
UPDATE report_marks SET sequence_number = %(sequence_number)s, details_number = %(details_number)s
WHERE organization_id = %(organization_id)s
"""

_READ: LiteralString = """
SELECT h.transaction_id AS horizon, COALESCE(m.sequence_number, 0) AS sequence_number,
    COALESCE(m.details_number, 0) AS details_number
FROM seal_horizon h LEFT JOIN report_marks m ON m.organization_id = %(organization_id)s
"""


@dataclass(frozen=True)
class Step:
    """The entries after a mark, through a place, as values of statements; and whether `more` are left."""

    values: dict[str, Any]
    more: bool


def behind(c: Connection) -> list[tuple[Mark, UUID]]:
    """Return the marks with sealed entries beyond them, those of one kind after those of the other."""
    rows = c.execute(_BEHIND).fetchall()
    kinds: tuple[Mark, ...] = ("sequence_number", "details_number")
    return [(mark, row["id"]) for mark in kinds for row in rows if row[mark]]


def take_step(
    c: Connection, organization_id: UUID, mark: Mark, limit: int, before: UUID | None = None
) -> Step | None:
    """Move a mark over the next `limit` sealed entries, which this transaction has to roll up.

    With `before`, up to the first entry whose id is not below it. None where there are none. Two at once wait
    for each other.
    """
    c.execute(_FIRST, {"organization_id": organization_id})
    row: Any = c.execute(_LOCK, {"organization_id": organization_id}).fetchone()
    after, head = row[mark], row["head"] or 0
    through = min(after + limit, head)
    more = through < head
    if before is not None and through > after:
        within = {"organization_id": organization_id, "after": after, "through": through, "before": before}
        young: Any = c.execute(_YOUNG, within).fetchone()
        if young["first"] is not None:
            through, more = young["first"] - 1, False
    if through <= after:
        return None
    c.execute(_MOVE, {**row, "organization_id": organization_id, mark: through})
    return Step({"organization_id": organization_id, "mark": after, "through": through}, more)


def read(c: Connection, organization_id: UUID, mark: Mark) -> dict[str, Any]:
    """Return a mark as `mark`, and from which transaction on entries may be unsealed as `horizon`."""
    row = c.execute(_READ, {"organization_id": organization_id}).fetchone()
    assert row is not None
    return {"horizon": row["horizon"], "mark": row[mark]}
