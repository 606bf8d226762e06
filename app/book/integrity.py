"""The quick integrity checks of one organization, for the report: bounded by a window of sealed entries."""

from datetime import datetime, timedelta
from typing import LiteralString
from uuid import UUID

from app.book.check import SEAL_GRACE_SECONDS
from app.db import Connection

# What may be unsealed yet. OFFSET 0 keeps the planner from walking all of an organization's journal for it.
_NEWEST: LiteralString = """(SELECT * FROM journal_entries j
    WHERE j.transaction_id >= (SELECT transaction_id FROM seal_horizon) OFFSET 0)"""

_UNBALANCED: LiteralString = """
SELECT count(*) AS violations FROM (
    SELECT s.entry_id FROM journal_seals s
    CROSS JOIN LATERAL (SELECT sum(x.amount) AS amount, count(*) AS lines FROM postings x
        WHERE x.organization_id = s.organization_id AND x.entry_id = s.entry_id OFFSET 0) p
    WHERE s.organization_id = %(organization_id)s AND s.sequence_number > %(after)s
        AND (COALESCE(p.amount, 1) <> 0 OR p.lines < 2)
) x
"""

# What owners have, plus what the sealed postings of system accounts sum up to, plus their unsealed tail.
_CONSERVATION: LiteralString = f"""
SELECT count(*) AS violations FROM (
    SELECT x.asset_id FROM (
        SELECT asset_id, available + held + deferred AS amount FROM accounts
        WHERE organization_id = %(organization_id)s AND id > 0
        UNION ALL
        SELECT a.asset_id, b.balance FROM system_balances b
        JOIN accounts a ON a.organization_id = b.organization_id AND a.id = b.account_id
        WHERE b.organization_id = %(organization_id)s
        UNION ALL
        SELECT e.asset_id, p.amount FROM {_NEWEST} e
        JOIN postings p ON p.organization_id = e.organization_id AND p.entry_id = e.id AND p.account_id < 0
        WHERE e.organization_id = %(organization_id)s
            AND NOT EXISTS (SELECT 1 FROM journal_seals s
                WHERE s.organization_id = e.organization_id AND s.entry_id = e.id)
    ) x GROUP BY x.asset_id HAVING sum(x.amount) <> 0
) y
"""

# What was posted just before a test clock was moved looks old at once: sealing has its time after that too.
_UNSEALED: LiteralString = f"""
SELECT count(*) AS violations FROM {_NEWEST} e
WHERE e.organization_id = %(organization_id)s AND e.created_at < %(before)s
    AND NOT EXISTS (SELECT 1 FROM clock WHERE moved_at >= %(before)s)
    AND NOT EXISTS (SELECT 1 FROM journal_seals s
        WHERE s.organization_id = e.organization_id AND s.entry_id = e.id)
"""


def unbalanced(c: Connection, organization_id: UUID, after: int) -> int:
    """Count sealed entries behind a place whose postings do not sum to zero."""
    return _count(c, _UNBALANCED, organization_id=organization_id, after=after)


def unconserved(c: Connection, organization_id: UUID) -> int:
    """Count assets whose accounts do not sum to zero."""
    return _count(c, _CONSERVATION, organization_id=organization_id)


def unsealed(c: Connection, organization_id: UUID, now: datetime) -> int:
    """Count entries that should have been sealed by now."""
    before = now - timedelta(seconds=SEAL_GRACE_SECONDS)
    return _count(c, _UNSEALED, organization_id=organization_id, before=before)


def _count(c: Connection, sql: LiteralString, **values: object) -> int:
    row = c.execute(sql, values).fetchone()
    assert row is not None
    return int(row["violations"])
