"""Rewards as values: their words, and whether one can be redeemed now and for how much."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from app.domain.amounts import EXACT, format_amount
from app.domain.errors import (
    DomainError,
    InvalidAmount,
    InvalidQuantity,
    InvalidRequest,
    MaxPerParticipantExceeded,
    MaxTotalExceeded,
    RewardUnavailable,
)

QUANTITY_MAX = 1_000_000  # Units of one redemption.
STOCK_MAX = 2_147_483_647


class RewardStatus(StrEnum):
    """Whether a reward is offered; ARCHIVED is final, OUT_OF_STOCK comes and goes with the count."""

    DRAFT = "DRAFT"
    ACTIVE = "ACTIVE"
    OUT_OF_STOCK = "OUT_OF_STOCK"
    ARCHIVED = "ARCHIVED"


class RedemptionType(StrEnum):
    """Whether a reward is redeemed in units at a price, or in any amount from a minimum on."""

    UNIT_BASED = "UNIT_BASED"
    AMOUNT_BASED = "AMOUNT_BASED"


def cost_of(
    reward: Mapping[str, Any], quantity: int | None, amount: Decimal | None
) -> tuple[Decimal, int | None]:
    """Return the amount and, for a UNIT_BASED reward, the units of a redemption.

    Raises InvalidRequest for the other type's unit, InvalidQuantity, and InvalidAmount below the minimum.
    """
    if reward["redemption_type"] == RedemptionType.UNIT_BASED:
        if amount is not None:
            raise InvalidRequest(
                "This reward is redeemed by quantity", {"amount": "only for AMOUNT_BASED rewards"}
            )
        units = 1 if quantity is None else quantity
        if not 1 <= units <= QUANTITY_MAX:
            raise InvalidQuantity(details={"quantity": f"must be between 1 and {QUANTITY_MAX}"})
        return EXACT.multiply(reward["unit_cost"], Decimal(units)), units
    if quantity is not None:
        raise InvalidRequest(
            "This reward is redeemed by amount", {"quantity": "only for UNIT_BASED rewards"}
        )
    if amount is None:
        raise InvalidAmount(details={"amount": "is required for AMOUNT_BASED rewards"})
    if amount < reward["unit_cost"]:
        least = format_amount(reward["unit_cost"], reward["scale"])
        raise InvalidAmount(details={"amount": f"must be at least {least}"})
    return amount, None


def refusal(
    reward: Mapping[str, Any], quantity: int | None, redeemed_before: int, now: datetime
) -> DomainError | None:
    """Return why a reward cannot be redeemed at `now`, None where it can. `quantity` None: by amount."""
    status = reward["status"]
    if status == RewardStatus.OUT_OF_STOCK:
        return MaxTotalExceeded()
    if status != RewardStatus.ACTIVE:
        return RewardUnavailable(f"Reward is {status}")
    if reward["available_from"] is not None and now < reward["available_from"]:
        return RewardUnavailable("Reward is not available yet")
    if reward["available_until"] is not None and now > reward["available_until"]:
        return RewardUnavailable("Reward is no longer available")
    if quantity is None:
        return None
    if reward["max_total"] is not None and reward["redeemed_count"] + quantity > reward["max_total"]:
        left = reward["max_total"] - reward["redeemed_count"]
        return MaxTotalExceeded(f"Only {left} are left")
    most = reward["max_per_participant"]
    if most is not None and redeemed_before + quantity > most:
        left = max(most - redeemed_before, 0)
        return MaxPerParticipantExceeded(f"Only {left} are left for this participant")
    return None


def status_with(status: str, redeemed_count: int, max_total: int | None) -> str:
    """Return the status that the count brings: a reward runs out of stock and comes back by itself."""
    full = max_total is not None and redeemed_count >= max_total
    if status == RewardStatus.ACTIVE and full:
        return RewardStatus.OUT_OF_STOCK
    if status == RewardStatus.OUT_OF_STOCK and not full:
        return RewardStatus.ACTIVE
    return status
