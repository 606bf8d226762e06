"""Assets as the ledger sees them, read for operations that come without a rule set."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from app.db import Connection
from app.domain.assets import Asset
from app.domain.names import AssetStatus, InventoryMode, IssuancePolicy

_COLUMNS = """a.organization_id, a.id, a.symbol, a.scale, a.inventory_mode, a.issuance_policy, a.status,
    a.max_transaction_amount, a.issuance_account, a.breakage_account, a.redemption_account"""

_GET = f"""
SELECT {_COLUMNS} FROM assets a WHERE a.organization_id = %(organization_id)s AND a.id = ANY(%(ids)s::uuid[])
"""

_IN_PROGRAM = f"""
SELECT {_COLUMNS}, EXISTS (SELECT 1 FROM program_assets l WHERE l.organization_id = a.organization_id
    AND l.program_id = %(program_id)s AND l.asset_id = a.id) AS linked
FROM assets a WHERE a.organization_id = %(organization_id)s AND a.id = %(asset_id)s
"""

_OF_REWARD = f"""
SELECT {_COLUMNS}, EXISTS (SELECT 1 FROM program_assets l WHERE l.organization_id = a.organization_id
    AND l.program_id = %(program_id)s AND l.asset_id = a.id) AS linked
FROM rewards w JOIN assets a ON a.organization_id = w.organization_id AND a.id = w.asset_id
WHERE w.organization_id = %(organization_id)s AND w.id = %(reward_id)s
"""


def get(c: Connection, organization_id: UUID, asset_id: UUID) -> Asset | None:
    """Return one asset."""
    return many(c, organization_id, [asset_id]).get(asset_id)


def many(c: Connection, organization_id: UUID, ids: list[UUID]) -> dict[UUID, Asset]:
    """Return assets by id."""
    rows = c.execute(_GET, {"organization_id": organization_id, "ids": ids}).fetchall()
    return {row["id"]: asset_of(row) for row in rows}


def in_program(
    c: Connection, organization_id: UUID, program_id: UUID, asset_id: UUID
) -> tuple[Asset, bool] | None:
    """Return an asset and whether it is linked to the program; None where there is no such asset."""
    return read_in_program(start_in_program(c, organization_id, program_id, asset_id))


def start_in_program(c: Connection, organization_id: UUID, program_id: UUID, asset_id: UUID) -> Any:
    """Start the query of `in_program`, for use in a pipeline."""
    return c.execute(_IN_PROGRAM, {
        "organization_id": organization_id, "program_id": program_id, "asset_id": asset_id,
    })


def start_of_reward(c: Connection, organization_id: UUID, program_id: UUID, reward_id: UUID) -> Any:
    """Start reading the asset in which a reward is priced; finish with `read_in_program`."""
    return c.execute(_OF_REWARD, {
        "organization_id": organization_id, "program_id": program_id, "reward_id": reward_id,
    })


def read_in_program(cursor: Any) -> tuple[Asset, bool] | None:
    """Finish the query of `in_program`."""
    row = cursor.fetchone()
    return None if row is None else (asset_of(row), row["linked"])


def asset_of(row: Mapping[str, Any]) -> Asset:
    """Return the asset that a row tells of."""
    return Asset(
        row["organization_id"], row["id"], row["symbol"], row["scale"], InventoryMode(row["inventory_mode"]),
        IssuancePolicy(row["issuance_policy"]), row["status"] == AssetStatus.ARCHIVED,
        row["max_transaction_amount"], row["issuance_account"], row["breakage_account"],
        row["redemption_account"],
    )


def linked_to(c: Connection, organization_id: UUID, program_id: UUID) -> set[UUID]:
    """Return the ids of the assets linked to a program."""
    rows = c.execute(
        "SELECT asset_id FROM program_assets WHERE organization_id = %(organization_id)s"
        " AND program_id = %(program_id)s", {"organization_id": organization_id, "program_id": program_id},
    ).fetchall()
    return {row["asset_id"] for row in rows}
