"""The SQL of rule versions: insert only; an evaluation names the one that was in force."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from app.db import Connection
from app.domain.json import dumps
from app.domain.rules import ChangeType
from app.store.pages import Column, Order, Page, Slice, Where, fetch

_INSERT = """
INSERT INTO rule_history (organization_id, id, rule_id, program_id, change_type, changed_at,
    changed_by_api_key_id, changes, snapshot)
VALUES (%(organization_id)s, %(id)s, %(rule_id)s, %(program_id)s, %(change_type)s, %(changed_at)s,
    %(changed_by_api_key_id)s, %(changes)s, %(snapshot)s)
"""

_PAGE = """
SELECT id, rule_id, program_id, change_type, changed_at, changed_by_api_key_id, changes, snapshot
FROM rule_history WHERE
"""

ORDER = Order((Column("id", "id", "uuid"),))


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
    c: Connection, organization_id: UUID, rule_id: UUID, page: Page, *, change_type: str | None,
    start: datetime | None, end: datetime | None,
) -> Slice:
    """Return one page of a rule's versions, newest first."""
    where = Where.of(organization_id)
    where.equal("rule_id", "rule_id", rule_id)
    where.equal("change_type", "change_type", change_type)
    where.window("changed_at", start, end)
    return fetch(c, _PAGE + where.sql(), where.parameters, ORDER, page)
