"""What a rule refers to, read when one is saved: its program's linked assets and its tiers."""

from uuid import UUID

from app.db import Connection
from app.domain.assets import Asset
from app.domain.names import InventoryMode, IssuancePolicy

_ASSETS = """
SELECT a.id, a.symbol, a.scale, a.inventory_mode, a.issuance_policy, a.status, a.max_transaction_amount,
    a.issuance_account, a.breakage_account, a.redemption_account
FROM program_assets l
JOIN assets a ON a.organization_id = l.organization_id AND a.id = l.asset_id
WHERE l.organization_id = %(organization_id)s AND l.program_id = %(program_id)s
"""

_TIERS = """
SELECT t.key, array_remove(array_agg(v.key), NULL) AS levels
FROM tiers t
LEFT JOIN tier_levels v ON v.organization_id = t.organization_id AND v.tier_id = t.id
WHERE t.organization_id = %(organization_id)s AND t.program_id = %(program_id)s AND t.status = 'ACTIVE'
GROUP BY t.key
"""


def linked_assets(c: Connection, organization_id: UUID, program_id: UUID) -> dict[UUID, Asset]:
    """Return the assets linked to a program, archived ones too."""
    rows = c.execute(_ASSETS, {"organization_id": organization_id, "program_id": program_id}).fetchall()
    return {
        row["id"]: Asset(
            organization_id=organization_id,
            id=row["id"],
            symbol=row["symbol"],
            scale=row["scale"],
            mode=InventoryMode(row["inventory_mode"]),
            policy=IssuancePolicy(row["issuance_policy"]),
            archived=row["status"] == "ARCHIVED",
            transaction_limit=row["max_transaction_amount"],
            issuance_account=row["issuance_account"],
            breakage_account=row["breakage_account"],
            redemption_account=row["redemption_account"],
        )
        for row in rows
    }


def tier_levels(c: Connection, organization_id: UUID, program_id: UUID) -> dict[str, frozenset[str]]:
    """Return the levels of each tier of a program that is not archived, by the tier's key."""
    rows = c.execute(_TIERS, {"organization_id": organization_id, "program_id": program_id}).fetchall()
    return {row["key"]: frozenset(row["levels"]) for row in rows}
