"""Counting the participants that hold an asset, and those that take part in a program."""

from typing import LiteralString
from uuid import UUID

from app.book.report_rollups import ACTED
from app.book.reports import POSTED, SEALED, UNSEALED, marks
from app.db import Connection

_HOLDERS: LiteralString = """
SELECT a.asset_id, count(*) AS count FROM accounts a
WHERE a.organization_id = %(organization_id)s AND a.owner_type = 'PARTICIPANT'
    AND (a.available <> 0 OR a.held <> 0 OR a.deferred <> 0)
    AND (%(program_id)s::uuid IS NULL OR a.id IN (SELECT t.account_id FROM ({touched}) t))
GROUP BY a.asset_id
"""

# Accounts that a program has posted to: the rolled up ones, and those of entries beyond the marks.
_TOUCHED: LiteralString = f"""
    SELECT h.program_id, h.account_id, h.owner_id, h.acted FROM report_holders h
    WHERE h.organization_id = %(organization_id)s
        AND (%(program_id)s::uuid IS NULL OR h.program_id = %(program_id)s)
    UNION ALL
    SELECT e.program_id, a.id, a.owner_id, {ACTED}
    FROM (
        {SEALED}
        UNION ALL
        SELECT e.* FROM journal_entries e WHERE e.organization_id = %(organization_id)s AND {UNSEALED}
    ) e {POSTED}
    WHERE a.owner_type = 'PARTICIPANT' AND (%(program_id)s::uuid IS NULL OR e.program_id = %(program_id)s)
"""

_ACTORS: LiteralString = f"""
SELECT t.program_id, count(DISTINCT t.owner_id) AS count FROM ({_TOUCHED}) t
WHERE t.acted AND t.program_id IS NOT NULL GROUP BY 1
"""


def holders(c: Connection, organization_id: UUID, program_id: UUID | None) -> dict[UUID, int]:
    """Return how many participants have a balance other than zero, by asset.

    With a program only those of them count that it has posted to.
    """
    rows = c.execute(_HOLDERS.replace("{touched}", _TOUCHED), {
        "organization_id": organization_id, "program_id": program_id, **marks(c, organization_id),
    }).fetchall()
    return {row["asset_id"]: row["count"] for row in rows}


def actors(c: Connection, organization_id: UUID) -> dict[UUID, int]:
    """Return how many participants have earned or redeemed, by program."""
    rows = c.execute(_ACTORS, {
        "organization_id": organization_id, "program_id": None, **marks(c, organization_id),
    }).fetchall()
    return {row["program_id"]: row["count"] for row in rows}
