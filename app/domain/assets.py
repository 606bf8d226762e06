"""What the ledger needs to know of an asset."""

from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from app.domain.names import InventoryMode, IssuancePolicy


@dataclass(frozen=True, slots=True)
class Asset:
    """An asset as the ledger sees it; the three accounts are the asset's system accounts (negative ids)."""

    organization_id: UUID
    id: UUID
    symbol: str
    scale: int
    mode: InventoryMode
    policy: IssuancePolicy
    archived: bool
    transaction_limit: Decimal | None
    issuance_account: int
    breakage_account: int
    redemption_account: int

    @property
    def has_lots(self) -> bool:
        """Whether value stands in lots."""
        return self.mode is InventoryMode.LOT
