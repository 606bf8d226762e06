"""Everything that is kept about one participant, read for its export."""

from typing import Any
from uuid import UUID

from app.db import Connection
from app.domain.ids import partition_of

ROWS_MAX = 10_000  # Of each kind, the newest; the answer says where there were more.

_PARTS = {
    "enrollments": """
SELECT program_id, status, enrolled_at FROM enrollments
WHERE organization_id = %(organization_id)s AND participant_id = %(id)s
ORDER BY enrolled_at DESC, program_id LIMIT %(rows)s
""",
    "groups": """
SELECT m.group_id, g.name, m.role, m.status, m.joined_at, m.left_at
FROM group_members m JOIN groups g ON g.organization_id = m.organization_id AND g.id = m.group_id
WHERE m.organization_id = %(organization_id)s AND m.participant_id = %(id)s
ORDER BY m.joined_at DESC, m.group_id LIMIT %(rows)s
""",
    "tiers": """
SELECT t.program_id, t.key, s.level_key AS level, s.acquired_at, s.expires_at
FROM tier_states s JOIN tiers t ON t.organization_id = s.organization_id AND t.id = s.tier_id
WHERE s.organization_id = %(organization_id)s AND s.owner_id = %(id)s AND s.level_key IS NOT NULL
ORDER BY t.program_id, t.key LIMIT %(rows)s
""",
    "lots": """
SELECT l.id, c.asset_id, trim_scale(l.amount)::text AS amount,
    trim_scale(l.remaining)::text AS remaining, l.bucket, l.reference_id, l.created_at,
    l.expires_at, l.matures_at
FROM lots l JOIN accounts c ON c.organization_id = l.organization_id AND c.id = l.account_id
WHERE l.organization_id = %(organization_id)s AND c.owner_id = %(id)s
ORDER BY l.created_at DESC, l.id LIMIT %(rows)s
""",
    "transactions": """
SELECT p.entry_id AS journal_entry_id, e.action_type, e.asset_id, p.bucket,
    trim_scale(p.amount)::text AS amount, t.description, t.reference_id, e.created_at
FROM postings p
JOIN accounts c ON c.organization_id = p.organization_id AND c.id = p.account_id AND c.owner_id = %(id)s
JOIN journal_entries e ON e.organization_id = p.organization_id AND e.id = p.entry_id
LEFT JOIN journal_texts t ON t.organization_id = p.organization_id AND t.entry_id = p.entry_id
WHERE p.organization_id = %(organization_id)s AND p.account_id > 0
ORDER BY p.entry_id DESC, p.line LIMIT %(rows)s
""",
    "redemptions": """
SELECT id, program_id, asset_id, reward_id, quantity, trim_scale(amount)::text AS amount, description,
    status, created_at
FROM redemptions WHERE organization_id = %(organization_id)s AND participant_id = %(id)s
ORDER BY id DESC LIMIT %(rows)s
""",
    "events": """
SELECT id, program_id, event_type, idempotency_key, event_timestamp, created_at, event_data
FROM events
WHERE organization_id = %(organization_id)s AND partition = %(partition)s AND participant_id = %(id)s
ORDER BY seq DESC LIMIT %(rows)s
""",
    "state_history": """
SELECT changed_at, changes FROM state_history
WHERE organization_id = %(organization_id)s AND owner_id = %(id)s ORDER BY id DESC LIMIT %(rows)s
""",
}


def read(
    c: Connection, organization_id: UUID, participant_id: UUID
) -> tuple[dict[str, list[dict[str, Any]]], list[str]]:
    """Return the parts of an export by name, and the names of those that were cut off."""
    parts: dict[str, list[dict[str, Any]]] = {}
    cut: list[str] = []
    for name, sql in _PARTS.items():
        rows = c.execute(sql, {
            "organization_id": organization_id, "id": participant_id, "rows": ROWS_MAX + 1,
            "partition": partition_of(participant_id),
        }).fetchall()
        if len(rows) > ROWS_MAX:
            cut.append(name)
        parts[name] = rows[:ROWS_MAX]
    return parts, cut
