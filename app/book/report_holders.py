"""Counting the participants that hold an asset, and those that take part in a program."""

from typing import LiteralString
from uuid import UUID

from app.book import report_marks
from app.book.report_details import ACTORS
from app.book.reports import POSTED, TAIL
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
    SELECT h.account_id FROM report_holders h
    WHERE h.organization_id = %(organization_id)s AND h.program_id = %(program_id)s
    UNION ALL
    SELECT a.id FROM ({TAIL}) e {POSTED}
    WHERE a.owner_type = 'PARTICIPANT' AND e.program_id = %(program_id)s
"""

_PEOPLE: LiteralString = f"""
WITH e AS MATERIALIZED ({TAIL}), fresh AS (
    SELECT x.program_id, count(*) AS people FROM ({ACTORS}) x
    WHERE (SELECT r.owner_id FROM report_actors r WHERE r.organization_id = %(organization_id)s
        AND r.program_id = x.program_id AND r.owner_id = x.owner_id) IS NULL
    GROUP BY x.program_id
)
SELECT program_id, sum(people)::bigint AS count FROM (
    SELECT r.program_id, r.people FROM report_people r WHERE r.organization_id = %(organization_id)s
    UNION ALL
    SELECT program_id, people FROM fresh
) x GROUP BY program_id
"""


def holders(c: Connection, organization_id: UUID, program_id: UUID | None) -> dict[UUID, int]:
    """Return how many participants have a balance other than zero, by asset.

    With a program only those of them count that it has posted to.
    """
    rows = c.execute(_HOLDERS.replace("{touched}", _TOUCHED), {
        "organization_id": organization_id, "program_id": program_id,
        **report_marks.read(c, organization_id, "sequence_number"),
    }).fetchall()
    return {row["asset_id"]: row["count"] for row in rows}


def actors(c: Connection, organization_id: UUID) -> dict[UUID, int]:
    """Return how many participants have earned or redeemed, by program."""
    rows = c.execute(_PEOPLE, {
        "organization_id": organization_id, **report_marks.read(c, organization_id, "details_number"),
    }).fetchall()
    return {row["program_id"]: row["count"] for row in rows}
