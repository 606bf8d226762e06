"""What reports say about assets and programs beside their figures, deleted ones included."""

from typing import Any, LiteralString
from uuid import UUID

from app.db import Connection

_ASSETS: LiteralString = """
SELECT a.id, a.name, a.symbol, a.scale, a.inventory_mode, a.deleted_at FROM assets a
WHERE a.organization_id = %(organization_id)s ORDER BY a.id
"""

_PROGRAMS: LiteralString = """
SELECT p.id, p.name, p.deleted_at FROM programs p WHERE p.organization_id = %(organization_id)s ORDER BY p.id
"""

_CONFIGURED: LiteralString = """
SELECT p.id,
    (SELECT count(*) FROM program_assets x
        WHERE x.organization_id = p.organization_id AND x.program_id = p.id) AS asset_count,
    (SELECT count(*) FROM rules x
        WHERE x.organization_id = p.organization_id AND x.program_id = p.id AND x.deleted_at IS NULL
            AND x.status <> 'ARCHIVED') AS rule_count,
    (SELECT count(*) FROM tiers x WHERE x.organization_id = p.organization_id AND x.program_id = p.id
        AND x.status = 'ACTIVE') AS tier_count,
    (SELECT count(*) FROM rewards x WHERE x.organization_id = p.organization_id AND x.program_id = p.id
        AND x.status <> 'ARCHIVED') AS reward_count
FROM programs p WHERE p.organization_id = %(organization_id)s
"""


def asset_names(c: Connection, organization_id: UUID) -> dict[UUID, dict[str, Any]]:
    """Return all assets by id."""
    rows = c.execute(_ASSETS, {"organization_id": organization_id}).fetchall()
    return {row["id"]: row for row in rows}


def program_names(c: Connection, organization_id: UUID) -> dict[UUID, dict[str, Any]]:
    """Return all programs by id."""
    rows = c.execute(_PROGRAMS, {"organization_id": organization_id}).fetchall()
    return {row["id"]: row for row in rows}


def configured(c: Connection, organization_id: UUID) -> dict[UUID, dict[str, int]]:
    """Return how many assets, and rules, tiers and rewards that are not archived, each program has."""
    rows = c.execute(_CONFIGURED, {"organization_id": organization_id}).fetchall()
    return {row.pop("id"): row for row in rows}


def linked(c: Connection, organization_id: UUID, program_id: UUID) -> set[UUID]:
    """Return the ids of the assets linked to a program."""
    rows = c.execute(
        "SELECT asset_id FROM program_assets WHERE organization_id = %(organization_id)s"
        " AND program_id = %(program_id)s", {"organization_id": organization_id, "program_id": program_id},
    ).fetchall()
    return {row["asset_id"] for row in rows}
