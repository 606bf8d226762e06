"""Rules for tests: short ways to write one down, and the assets and tiers that they may refer to."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from app.domain.action_reading import actions_from_json
from app.domain.assets import Asset
from app.domain.names import InventoryMode, IssuancePolicy
from app.domain.rules import Budget, Rule

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ORGANIZATION = UUID(int=1)
POINTS = UUID(int=2)  # SIMPLE, no decimals.
CASH = UUID(int=3)  # LOT, two decimals.
OLD = UUID(int=4)  # Archived.


def asset(asset_id: UUID, symbol: str, scale: int, mode: InventoryMode, archived: bool = False) -> Asset:
    """Return an asset of the tests' program."""
    return Asset(
        ORGANIZATION, asset_id, symbol, scale, mode, IssuancePolicy.UNLIMITED, archived, None, -1, -2, -3
    )


ASSETS = {
    POINTS: asset(POINTS, "POINTS", 0, InventoryMode.SIMPLE),
    CASH: asset(CASH, "CASH", 2, InventoryMode.LOT),
    OLD: asset(OLD, "OLD", 0, InventoryMode.SIMPLE, archived=True),
}
TIERS = {"loyalty": frozenset({"silver", "gold"})}


def rule(condition: str, *actions: dict[str, Any], budgets: tuple[Budget, ...] = (), **fields: Any) -> Rule:
    """Return a rule that does these actions."""
    return Rule(
        id=UUID(int=10), program_id=UUID(int=11), history_id=UUID(int=12), name="a rule",
        condition=condition, actions=actions_from_json(actions), order=10, budgets=budgets, **fields,
    )


def credit(amount: str = "1", asset_id: UUID = POINTS, **fields: Any) -> dict[str, Any]:
    """Return a CREDIT as JSON."""
    return {"type": "CREDIT", "asset_id": str(asset_id), "amount": amount, **fields}
