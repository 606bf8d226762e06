"""The snapshot: everything that deciding a batch may read, in a few statements after the locks.

The statements are started together in a pipeline and read afterwards. One organization at a time.
"""

from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from psycopg.rows import tuple_row

from app.db import Connection, id_array
from app.domain.ids import id_of
from app.domain.instants import parse_instant
from app.domain.json import loads_all
from app.domain.names import OwnerType
from app.domain.values import value
from app.engine.state import EMPTY, BudgetState, Counter, Owner, TierState

_KINDS = {kind.value: kind for kind in OwnerType}

_PROGRAMS = """
SELECT id, status, ruleset_version FROM programs
WHERE organization_id = %(organization_id)s AND id = ANY(%(ids)s::uuid[])
"""

_OWNERS = """
SELECT o.counters::text, o.attributes::text, o.id::text, o.kind, o.tags, o.last_posted_at,
    o.webhook_sequence, COALESCE(p.status, g.status, 'ACTIVE'), p.external_id,
    COALESCE(p.created_at, g.created_at), g.name
FROM owners o
LEFT JOIN participants p ON p.organization_id = o.organization_id AND p.id = o.id
LEFT JOIN groups g ON g.organization_id = o.organization_id AND g.id = o.id AND o.kind = 'GROUP'
WHERE o.organization_id = %(organization_id)s AND o.id = ANY(%(ids)s::uuid[])
"""

_MEMBERSHIPS = """
SELECT participant_id, group_id FROM group_members
WHERE organization_id = %(organization_id)s AND participant_id = ANY(%(ids)s::uuid[]) AND status = 'ACTIVE'
ORDER BY participant_id, joined_at, group_id
"""

_TIERS = """
SELECT s.owner_id, s.program_id, s.tier_id, t.key, s.level_key, l.rank, l.benefits, s.acquired_at,
    s.expires_at, s.checks_at IS NOT NULL AS tracked
FROM tier_states s
JOIN tiers t ON t.organization_id = s.organization_id AND t.id = s.tier_id
LEFT JOIN tier_levels l ON l.organization_id = s.organization_id AND l.tier_id = s.tier_id
    AND l.key = s.level_key
WHERE s.organization_id = %(organization_id)s AND s.owner_id = ANY(%(ids)s::uuid[])
"""

_BUDGETS = """
SELECT rule_id, asset_id, consumed, next_reset_at FROM rule_budgets
WHERE organization_id = %(organization_id)s AND rule_id = ANY(%(ids)s::uuid[])
"""

_EXTERNAL = """
SELECT id, external_id FROM participants
WHERE organization_id = %(organization_id)s AND external_id = ANY(%(names)s::text[])
"""


@value
class ProgramFacts:
    """A program as the snapshot found it."""

    status: str
    ruleset_version: int


@value
class Marks:
    """Bookkeeping of an owner's row: when value moved last, and how many messages told of it."""

    last_posted_at: datetime | None
    webhook_sequence: int


def start_programs(c: Connection, organization_id: UUID, ids: list[UUID]) -> Any:
    """Start reading programs."""
    return c.execute(_PROGRAMS, {"organization_id": organization_id, "ids": id_array(ids)})


def read_programs(cursor: Any) -> dict[UUID, ProgramFacts]:
    """Finish reading programs, by id."""
    return {row["id"]: ProgramFacts(row["status"], row["ruleset_version"]) for row in cursor.fetchall()}


def start_owners(c: Connection, organization_id: UUID, ids: list[UUID]) -> Any:
    """Start reading owners with their state and profile."""
    cursor = c.cursor(row_factory=tuple_row)
    return cursor.execute(_OWNERS, {"organization_id": organization_id, "ids": id_array(ids)})


def read_owners(cursor: Any, organization_id: UUID) -> tuple[dict[UUID, Owner], dict[UUID, Marks]]:
    """Finish reading owners: their state, and their bookkeeping, by id."""
    owners: dict[UUID, Owner] = {}
    marks: dict[UUID, Marks] = {}
    rows = cursor.fetchall()
    maps = iter(loads_all(text for row in rows for text in row[:2]))
    for row, counters, attributes in zip(rows, maps, maps, strict=True):
        _, _, text, kind, tags, posted_at, messages, status, external_id, created_at, name = row
        owner_id = id_of(text)
        marks[owner_id] = Marks(posted_at, messages)
        owners[owner_id] = Owner(
            organization_id, owner_id, _KINDS[kind], status, created_at, external_id, name, tuple(tags),
            {key: counter(value) for key, value in counters.items()} or EMPTY, attributes or EMPTY,
        )
    return owners, marks


def counter(stored: Any) -> Counter:
    """Read a stored counter: a decimal in text, or an object where it resets by itself."""
    if isinstance(stored, str):
        return Counter(Decimal(stored))
    reset_at = stored.get("reset_at")
    return Counter(
        Decimal(stored["value"]), stored.get("reset_after"), parse_instant(reset_at) if reset_at else None
    )


def start_memberships(c: Connection, organization_id: UUID, ids: list[UUID]) -> Any:
    """Start reading the groups of participants."""
    return c.execute(_MEMBERSHIPS, {"organization_id": organization_id, "ids": id_array(ids)})


def read_memberships(cursor: Any) -> dict[UUID, tuple[str, ...]]:
    """Finish reading the groups of participants, oldest membership first."""
    found: dict[UUID, list[str]] = {}
    for row in cursor.fetchall():
        found.setdefault(row["participant_id"], []).append(str(row["group_id"]))
    return {participant: tuple(groups) for participant, groups in found.items()}


def start_tiers(c: Connection, organization_id: UUID, ids: list[UUID]) -> Any:
    """Start reading the tier levels of owners."""
    return c.execute(_TIERS, {"organization_id": organization_id, "ids": id_array(ids)})


def read_tiers(cursor: Any) -> dict[UUID, dict[UUID, dict[str, TierState]]]:
    """Finish reading tier levels: by owner, program and tier key."""
    return read_standings(cursor)[0]


def read_standings(
    cursor: Any,
) -> tuple[dict[UUID, dict[UUID, dict[str, TierState]]], dict[UUID, frozenset[UUID]]]:
    """Finish reading tier levels, and the tiers by whose lifecycle each owner will be looked at."""
    found: dict[UUID, dict[UUID, dict[str, TierState]]] = {}
    tracked: dict[UUID, frozenset[UUID]] = {}
    for row in cursor.fetchall():
        if row["tracked"]:
            tracked[row["owner_id"]] = tracked.get(row["owner_id"], frozenset()) | {row["tier_id"]}
        if row["level_key"] is None:
            continue
        of_program = found.setdefault(row["owner_id"], {}).setdefault(row["program_id"], {})
        of_program[row["key"]] = TierState(
            row["level_key"], row["rank"], row["benefits"] or EMPTY, row["acquired_at"], row["expires_at"]
        )
    return found, tracked


def start_budgets(c: Connection, organization_id: UUID, rule_ids: list[UUID]) -> Any:
    """Start reading what rules have issued."""
    return c.execute(_BUDGETS, {"organization_id": organization_id, "ids": rule_ids})


def read_budgets(cursor: Any) -> dict[tuple[UUID, UUID], BudgetState]:
    """Finish reading budgets, by rule and asset."""
    return {
        (row["rule_id"], row["asset_id"]): BudgetState(row["consumed"], row["next_reset_at"])
        for row in cursor.fetchall()
    }


def start_external_ids(c: Connection, organization_id: UUID, names: list[str]) -> Any:
    """Start resolving external ids."""
    return c.execute(_EXTERNAL, {"organization_id": organization_id, "names": names})


def read_external_ids(cursor: Any) -> dict[str, UUID]:
    """Finish resolving external ids; unknown ones are absent."""
    return {row["external_id"]: row["id"] for row in cursor.fetchall()}
