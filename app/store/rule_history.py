"""The SQL of rule versions: insert only; an evaluation names the one that was in force."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from app.db import Connection
from app.domain.json import dumps
from app.domain.rules import ChangeType

_INSERT = """
INSERT INTO rule_history (organization_id, id, rule_id, program_id, change_type, changed_at,
    changed_by_api_key_id, changes, snapshot)
VALUES (%(organization_id)s, %(id)s, %(rule_id)s, %(program_id)s, %(change_type)s, %(changed_at)s,
    %(changed_by_api_key_id)s, %(changes)s, %(snapshot)s)
"""

_PAGE = """
SELECT id, rule_id, program_id, change_type, changed_at, changed_by_api_key_id, changes, snapshot
FROM rule_history
WHERE organization_id = %(organization_id)s AND rule_id = %(rule_id)s
    AND (%(change_type)s::text IS NULL OR change_type = %(change_type)s)
    AND (%(from)s::timestamptz IS NULL OR changed_at >= %(from)s)
    AND (%(to)s::timestamptz IS NULL OR changed_at <= %(to)s)
    AND (%(after_id)s::uuid IS NULL OR id < %(after_id)s)
ORDER BY id DESC LIMIT %(limit)s
"""


@dataclass(frozen=True, slots=True)
class RuleVersion:
    """One version of a rule: what changed, who changed it, and the whole rule as it was then."""

    id: UUID
    rule_id: UUID
    program_id: UUID
    change_type: ChangeType
    changed_at: datetime
    changed_by_api_key_id: UUID | None
    changes: dict[str, Any]
    snapshot: dict[str, Any]


def insert(c: Connection, organization_id: UUID, version: RuleVersion) -> None:
    """Add a version. Its id is time-ordered, so that ids sort as the versions came."""
    c.execute(_INSERT, {
        "organization_id": organization_id,
        "id": version.id,
        "rule_id": version.rule_id,
        "program_id": version.program_id,
        "change_type": version.change_type.value,
        "changed_at": version.changed_at,
        "changed_by_api_key_id": version.changed_by_api_key_id,
        "changes": Jsonb(version.changes, dumps=dumps),
        "snapshot": Jsonb(version.snapshot, dumps=dumps),
    })


def page(
    c: Connection, organization_id: UUID, rule_id: UUID, *, change_type: str | None, since: datetime | None,
    until: datetime | None, after_id: UUID | None, limit: int,
) -> list[RuleVersion]:
    """Return up to `limit` versions of a rule, newest first, behind `after_id`."""
    rows = c.execute(_PAGE, {
        "organization_id": organization_id, "rule_id": rule_id, "change_type": change_type, "from": since,
        "to": until, "after_id": after_id, "limit": limit,
    }).fetchall()
    return [RuleVersion(change_type=ChangeType(row.pop("change_type")), **row) for row in rows]
