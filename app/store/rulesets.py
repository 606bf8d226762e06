"""Rule sets: the immutable configuration that decisions are taken under.

Every change that a decision can see (a rule, an asset's link, status or limit, a tier, the program's name)
calls `renew` in its own transaction, with the program's row locked.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from app.db import Connection

_RENEW = """
WITH bumped AS (
    UPDATE programs SET ruleset_version = ruleset_version + 1
    WHERE organization_id = %(organization_id)s AND id = %(program_id)s
    RETURNING ruleset_version, name, reversal_grace
)
INSERT INTO rulesets (organization_id, program_id, version, history_ids, assets, tiers, program, created_at)
SELECT %(organization_id)s, %(program_id)s, b.ruleset_version,
    COALESCE((SELECT array_agg(r.history_id ORDER BY r.position, r.number) FROM rules r
        WHERE r.organization_id = %(organization_id)s AND r.program_id = %(program_id)s
            AND r.status = 'ACTIVE'), '{}'),
    COALESCE((SELECT jsonb_agg(jsonb_build_object(
            'id', a.id, 'symbol', a.symbol, 'scale', a.scale, 'mode', a.inventory_mode,
            'policy', a.issuance_policy, 'archived', a.status = 'ARCHIVED',
            'limit', a.max_transaction_amount::text, 'issuance', a.issuance_account,
            'breakage', a.breakage_account, 'redemption', a.redemption_account) ORDER BY a.id)
        FROM program_assets l JOIN assets a ON a.organization_id = l.organization_id AND a.id = l.asset_id
        WHERE l.organization_id = %(organization_id)s AND l.program_id = %(program_id)s), '[]'),
    COALESCE((SELECT jsonb_agg(jsonb_build_object(
            'id', t.id, 'key', t.key, 'archived', t.status = 'ARCHIVED', 'lifecycle', t.lifecycle,
            'levels', (SELECT jsonb_agg(jsonb_build_object('key', v.key, 'rank', v.rank,
                    'qualification', v.qualification, 'benefits', v.benefits) ORDER BY v.rank)
                FROM tier_levels v WHERE v.organization_id = t.organization_id AND v.tier_id = t.id))
            ORDER BY t.key)
        FROM tiers t
        WHERE t.organization_id = %(organization_id)s AND t.program_id = %(program_id)s), '[]'),
    jsonb_build_object('name', b.name),
    %(at)s
FROM bumped b
"""

_LOAD = """
SELECT s.organization_id, s.program_id, s.version, s.history_ids, s.assets, s.tiers, s.program
FROM rulesets s
WHERE s.organization_id = %(organization_id)s AND s.program_id = %(program_id)s AND s.version = %(version)s
"""

_RULES = """
SELECT h.id, h.rule_id, h.snapshot, r.number
FROM rule_history h JOIN rules r ON r.organization_id = h.organization_id AND r.id = h.rule_id
WHERE h.organization_id = %(organization_id)s AND h.id = ANY(%(ids)s::uuid[])
"""


@dataclass(frozen=True, slots=True)
class StoredRule:
    """One rule as it stood in a rule set: its version's id, its short number and its snapshot."""

    history_id: UUID
    rule_id: UUID
    number: int
    snapshot: dict[str, Any]


@dataclass(frozen=True, slots=True)
class StoredRuleset:
    """A rule set as stored; the rules are named by their history ids, in order."""

    organization_id: UUID
    program_id: UUID
    version: int
    history_ids: tuple[UUID, ...]
    assets: list[dict[str, Any]]
    tiers: list[dict[str, Any]]
    program: dict[str, Any]


def renew(c: Connection, organization_id: UUID, program_id: UUID, at: datetime) -> None:
    """Put the program's present configuration in force as a new version."""
    c.execute(_RENEW, {"organization_id": organization_id, "program_id": program_id, "at": at})


def renew_for_asset(c: Connection, organization_id: UUID, asset_id: UUID, at: datetime) -> None:
    """Renew the rule sets of all programs that an asset is linked to, in the order of their ids."""
    rows = c.execute(
        "SELECT program_id FROM program_assets WHERE organization_id = %s AND asset_id = %s"
        " ORDER BY program_id",
        (organization_id, asset_id),
    ).fetchall()
    for row in rows:
        renew(c, organization_id, row["program_id"], at)


def load(c: Connection, organization_id: UUID, program_id: UUID, version: int) -> StoredRuleset | None:
    """Return a rule set by its version."""
    row = c.execute(
        _LOAD, {"organization_id": organization_id, "program_id": program_id, "version": version}
    ).fetchone()
    if row is None:
        return None
    return StoredRuleset(
        organization_id=row["organization_id"], program_id=row["program_id"], version=row["version"],
        history_ids=tuple(row["history_ids"]), assets=row["assets"], tiers=row["tiers"],
        program=row["program"],
    )


def load_rules(c: Connection, organization_id: UUID, history_ids: list[UUID]) -> list[StoredRule]:
    """Return the rule versions named, in no particular order."""
    rows = c.execute(_RULES, {"organization_id": organization_id, "ids": history_ids}).fetchall()
    return [StoredRule(row["id"], row["rule_id"], row["number"], row["snapshot"]) for row in rows]


def names(
    c: Connection, organization_id: UUID, program_id: UUID, version: int | None
) -> tuple[dict[int, StoredRule], dict[str, str]]:
    """Return what a rule set calls things: its rules by number, and the symbols of its assets by id."""
    stored = load(c, organization_id, program_id, version) if version is not None else None
    if stored is None:
        return {}, {}
    rules = load_rules(c, organization_id, list(stored.history_ids))
    return {rule.number: rule for rule in rules}, {asset["id"]: asset["symbol"] for asset in stored.assets}
