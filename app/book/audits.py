"""Where the auditor stands in each organization, and the last seal that it saw."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from app.db import Connection

_GET = """
SELECT account_id, checked_sequence, head_sequence, head_hash, violations FROM audits
WHERE organization_id = %(organization_id)s
"""

_NEXT = """
SELECT o.id FROM organizations o LEFT JOIN audits a ON a.organization_id = o.id
ORDER BY a.audited_at NULLS FIRST, o.id LIMIT %(limit)s
"""

_PUT = """
INSERT INTO audits (organization_id, account_id, checked_sequence, head_sequence, head_hash, violations,
    audited_at)
VALUES (%(organization_id)s, %(account_id)s, %(checked_sequence)s, %(head_sequence)s, %(head_hash)s,
    %(violations)s, %(now)s)
ON CONFLICT (organization_id) DO UPDATE SET account_id = excluded.account_id,
    checked_sequence = excluded.checked_sequence, head_sequence = excluded.head_sequence,
    head_hash = excluded.head_hash, violations = excluded.violations, audited_at = excluded.audited_at
"""

_ACCOUNTS = """
SELECT max(id) AS last FROM (
    SELECT id FROM accounts WHERE organization_id = %(organization_id)s AND id >= %(first)s AND id > 0
    ORDER BY id LIMIT %(limit)s) slice
"""


@dataclass(frozen=True, slots=True)
class Mark:
    """The next account and the last verified place; the head that was seen; violations found so far."""

    account_id: int = 0
    checked_sequence: int = 0
    head_sequence: int = 0
    head_hash: bytes | None = None
    violations: int = 0


def get(c: Connection, organization_id: UUID) -> Mark | None:
    """Return where the auditor stands in an organization."""
    row = c.execute(_GET, {"organization_id": organization_id}).fetchone()
    if row is None:
        return None
    head = row.pop("head_hash")
    return Mark(**row, head_hash=None if head is None else bytes(head))


def put(c: Connection, organization_id: UUID, mark: Mark, now: datetime) -> None:
    """Keep where the auditor stands."""
    c.execute(_PUT, {
        "organization_id": organization_id, "account_id": mark.account_id, "now": now,
        "checked_sequence": mark.checked_sequence, "head_sequence": mark.head_sequence,
        "head_hash": mark.head_hash, "violations": mark.violations,
    })


def next_organizations(c: Connection, limit: int) -> list[UUID]:
    """Return the organizations that have waited for the auditor for longest."""
    return [row["id"] for row in c.execute(_NEXT, {"limit": limit}).fetchall()]


def slice_end(c: Connection, organization_id: UUID, first: int, limit: int) -> int | None:
    """Return the number behind the next `limit` accounts from `first`; None where there are none."""
    row = c.execute(
        _ACCOUNTS, {"organization_id": organization_id, "first": first, "limit": limit}
    ).fetchone()
    return None if row is None or row["last"] is None else row["last"] + 1
