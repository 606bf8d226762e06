"""Where an owner's balance comes from: the credits that are not spent yet, each with its cause.

Of a LOT asset these are the live lots, whose source is the entry of the lot they were split from. A SIMPLE
asset keeps no lots; as value is spent in the order it came, what is left is of the latest gains.
"""

from datetime import datetime
from typing import Any, LiteralString
from uuid import UUID

from app.db import Connection
from app.domain.assets import Asset

_LOTS: LiteralString = """
    WITH RECURSIVE live AS (
        SELECT l.* FROM lots l
        WHERE l.organization_id = %(organization_id)s AND l.account_id = %(account)s AND l.remaining > 0
            AND (l.bucket = 'HELD' OR l.expires_at IS NULL OR l.expires_at > %(now)s)
    ), line AS (
        SELECT l.id AS leaf, l.parent_lot_id, l.entry_id FROM live l
        UNION ALL
        SELECT c.leaf, l.parent_lot_id, l.entry_id FROM line c
        JOIN lots l ON l.organization_id = %(organization_id)s AND l.id = c.parent_lot_id
    )
    SELECT l.id AS source_id, l.id AS lot_id, r.entry_id, l.bucket, l.amount, l.remaining,
        l.created_at AS earned_at, l.expires_at, l.matures_at
    FROM live l JOIN line r ON r.leaf = l.id AND r.parent_lot_id IS NULL
"""

_GAINS: LiteralString = """
    SELECT g.entry_id AS source_id, NULL::uuid AS lot_id, g.entry_id, NULL AS bucket, g.amount,
        least(g.amount, b.balance - g.later) AS remaining, g.at AS earned_at, NULL::timestamptz AS expires_at,
        NULL::timestamptz AS matures_at
    FROM (
        SELECT x.entry_id, x.amount, e.created_at AS at,
            sum(x.amount) OVER (ORDER BY x.entry_id DESC) - x.amount AS later
        FROM (
            SELECT p.entry_id, sum(p.amount) AS amount FROM postings p
            WHERE p.organization_id = %(organization_id)s AND p.account_id = %(account)s AND p.account_id > 0
            GROUP BY p.entry_id HAVING sum(p.amount) > 0
        ) x
        JOIN journal_entries e ON e.organization_id = %(organization_id)s AND e.id = x.entry_id
    ) g
    CROSS JOIN (SELECT available + held + deferred AS balance FROM accounts
        WHERE organization_id = %(organization_id)s AND id = %(account)s AND %(now)s IS NOT NULL) b
    WHERE g.later < b.balance
"""

_CAUSES: LiteralString = """
SELECT s.*, e.action_type, e.program_id, e.rule_id, r.name AS rule_name, v.id AS event_id, v.event_timestamp,
    t.description
FROM ({sources}) s
JOIN journal_entries e ON e.organization_id = %(organization_id)s AND e.id = s.entry_id
LEFT JOIN journal_texts t ON t.organization_id = e.organization_id AND t.entry_id = e.id
LEFT JOIN rules r ON r.organization_id = e.organization_id AND r.id = e.rule_id
LEFT JOIN events v ON v.organization_id = e.organization_id AND v.seq = e.event_seq
WHERE %(after_at)s::timestamptz IS NULL OR (s.earned_at, s.source_id) < (%(after_at)s, %(after_id)s::uuid)
ORDER BY s.earned_at DESC, s.source_id DESC LIMIT %(limit)s
"""


def sources(
    c: Connection, asset: Asset, account: int, now: datetime, after: tuple[Any, ...] | None, limit: int
) -> list[dict[str, Any]]:
    """Return what a balance consists of, newest first; `after` is (earned_at, source_id) of the last row."""
    return c.execute(_CAUSES.replace("{sources}", _LOTS if asset.has_lots else _GAINS), {
        "organization_id": asset.organization_id, "account": account, "now": now, "limit": limit,
        "after_at": None if after is None else after[0], "after_id": None if after is None else after[1],
    }).fetchall()


def account_of(c: Connection, organization_id: UUID, owner_id: UUID, asset_id: UUID) -> int | None:
    """Return the number of an owner's account of an asset."""
    row = c.execute(
        "SELECT a.id FROM accounts a WHERE a.organization_id = %(organization_id)s"
        " AND a.owner_id = %(owner_id)s AND a.asset_id = %(asset_id)s AND a.id > 0",
        {"organization_id": organization_id, "owner_id": owner_id, "asset_id": asset_id},
    ).fetchone()
    return None if row is None else int(row["id"])
