"""The SQL of tier definitions: tiers with their levels."""

from datetime import datetime
from typing import Any
from uuid import UUID

from app.db import Connection
from app.domain.json import dumps
from app.store.pages import Column, Order, Page, Slice, Where, fetch

ORDER = Order((Column("t.created_at", "created_at", "timestamptz"), Column("t.id", "id", "uuid")))

_SELECT = """
SELECT t.id, t.program_id, t.key, t.display_name, t.lifecycle, t.status, t.archived_at, t.created_at,
    t.updated_at,
    (SELECT COALESCE(jsonb_agg(jsonb_build_object(
            'id', v.id, 'key', v.key, 'rank', v.rank, 'display_name', v.display_name,
            'qualification', v.qualification, 'benefits', v.benefits, 'color', v.color,
            'icon_url', v.icon_url, 'created_at', v.created_at, 'updated_at', v.updated_at) ORDER BY v.rank),
            '[]')
        FROM tier_levels v WHERE v.organization_id = t.organization_id AND v.tier_id = t.id) AS levels
FROM tiers t
"""
_INSERT = """
INSERT INTO tiers (organization_id, id, program_id, key, display_name, lifecycle, created_at, updated_at)
VALUES (%(organization_id)s, %(id)s, %(program_id)s, %(key)s, %(display_name)s, %(lifecycle)s, %(now)s,
    %(now)s)
ON CONFLICT (organization_id, program_id, key) DO NOTHING
"""
_UPDATE = """
UPDATE tiers SET display_name = %(display_name)s, lifecycle = %(lifecycle)s, status = %(status)s,
    archived_at = %(archived_at)s, updated_at = %(now)s
WHERE organization_id = %(organization_id)s AND id = %(id)s
"""
# Ranks are compared at the end of the transaction, so that two levels can change places.
_PUT_LEVELS = """
INSERT INTO tier_levels (organization_id, id, tier_id, key, rank, display_name, qualification, benefits,
    color, icon_url, created_at, updated_at)
SELECT %(organization_id)s, r.id, %(tier_id)s, r.key, r.rank, r.display_name, r.qualification, r.benefits,
    r.color, r.icon_url, %(now)s, %(now)s
FROM jsonb_to_recordset(%(levels)s::jsonb) AS r(id uuid, key text, rank integer, display_name text,
    qualification jsonb, benefits jsonb, color text, icon_url text)
ON CONFLICT (organization_id, tier_id, key) DO UPDATE SET rank = excluded.rank,
    display_name = excluded.display_name, qualification = excluded.qualification,
    benefits = excluded.benefits, color = excluded.color, icon_url = excluded.icon_url,
    updated_at = excluded.updated_at
"""
_OF_PROGRAMS = """
SELECT t.id, t.program_id, t.key, t.status = 'ARCHIVED' AS archived, t.lifecycle,
    (SELECT jsonb_agg(jsonb_build_object('key', v.key, 'rank', v.rank, 'qualification', v.qualification,
            'benefits', v.benefits))
        FROM tier_levels v WHERE v.organization_id = t.organization_id AND v.tier_id = t.id) AS levels
FROM tiers t
WHERE t.organization_id = %(organization_id)s AND t.id = ANY(%(ids)s::uuid[])
"""
# The tiers that an owner's counters may concern: of the programs that a participant is enrolled in, or some
# member of a group is. Nobody rises in a program that is out of business, nor with a frozen enrollment.
_CONCERNING = """
SELECT t.id, t.program_id, t.key, false AS archived, t.lifecycle,
    (SELECT jsonb_agg(jsonb_build_object('key', v.key, 'rank', v.rank, 'qualification', v.qualification,
            'benefits', v.benefits))
        FROM tier_levels v WHERE v.organization_id = t.organization_id AND v.tier_id = t.id) AS levels,
    p.status = 'ACTIVE' AND x.rises AS rises
FROM tiers t
JOIN programs p ON p.organization_id = t.organization_id AND p.id = t.program_id
JOIN (
    SELECT e.program_id, bool_or(e.status = 'ACTIVE') AS rises FROM enrollments e
    WHERE e.organization_id = %(organization_id)s AND (e.participant_id = %(owner_id)s
        OR e.participant_id IN (SELECT m.participant_id FROM group_members m
            WHERE m.organization_id = %(organization_id)s AND m.group_id = %(owner_id)s
                AND m.status = 'ACTIVE'))
    GROUP BY e.program_id
) x ON x.program_id = t.program_id
WHERE t.organization_id = %(organization_id)s AND t.status = 'ACTIVE'
ORDER BY t.id
"""


def insert(
    c: Connection, organization_id: UUID, program_id: UUID, tier_id: UUID, now: datetime, *, key: str,
    display_name: str | None, lifecycle: dict[str, Any] | None,
) -> bool:
    """Create a tier without levels; False where the program has one of that key."""
    return c.execute(_INSERT, {
        "organization_id": organization_id, "id": tier_id, "program_id": program_id, "key": key,
        "display_name": display_name, "lifecycle": _json(lifecycle), "now": now,
    }).rowcount == 1


def update(c: Connection, organization_id: UUID, tier: dict[str, Any], now: datetime) -> None:
    """Write a changed tier, its levels apart."""
    names = ("id", "display_name", "status", "archived_at")
    c.execute(_UPDATE, {
        **{name: tier[name] for name in names}, "lifecycle": _json(tier["lifecycle"]),
        "organization_id": organization_id, "now": now,
    })


def put_levels(
    c: Connection, organization_id: UUID, tier_id: UUID, levels: list[dict[str, Any]], now: datetime
) -> None:
    """Create levels, or overwrite those of the same key."""
    c.execute(_PUT_LEVELS, {
        "organization_id": organization_id, "tier_id": tier_id, "levels": dumps(levels), "now": now,
    })


def get(c: Connection, organization_id: UUID, program_id: UUID, key: str) -> dict[str, Any] | None:
    """Return a tier with its levels by rising rank."""
    return c.execute(
        f"{_SELECT} WHERE t.organization_id = %s AND t.program_id = %s AND t.key = %s",
        (organization_id, program_id, key),
    ).fetchone()


def count(c: Connection, organization_id: UUID, program_id: UUID) -> int:
    """Return how many tiers a program has, archived ones too."""
    row = c.execute(
        "SELECT count(*) AS n FROM tiers WHERE organization_id = %s AND program_id = %s",
        (organization_id, program_id),
    ).fetchone()
    return int(row["n"]) if row else 0


def page(c: Connection, organization_id: UUID, program_id: UUID, page: Page) -> Slice:
    """Return one page of a program's tiers, newest first."""
    where = Where.of(organization_id, "t.organization_id")
    where.equal("t.program_id", "program_id", program_id)
    return fetch(c, f"{_SELECT} WHERE {where.sql()}", where.parameters, ORDER, page)


def by_id(c: Connection, organization_id: UUID, ids: list[UUID]) -> list[dict[str, Any]]:
    """Return tiers as rule sets keep them, with `program_id`."""
    return c.execute(_OF_PROGRAMS, {"organization_id": organization_id, "ids": ids}).fetchall()


def concerning(c: Connection, organization_id: UUID, owner_id: UUID) -> list[dict[str, Any]]:
    """Return the tiers of a participant's or group's programs, and whether it may rise in each (`rises`)."""
    return c.execute(_CONCERNING, {"organization_id": organization_id, "owner_id": owner_id}).fetchall()


def _json(value: dict[str, Any] | None) -> str | None:
    return None if value is None else dumps(value)
