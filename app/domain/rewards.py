"""Rewards as values: their words, and whether one can be redeemed now and for how much."""

from collections.abc import Iterator, Mapping
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
from app.domain.instants import format_instant

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
    return next(iter(refusals(reward, quantity, redeemed_before, now)), None)


def refusals(
    reward: Mapping[str, Any], quantity: int | None, redeemed_before: int, now: datetime
) -> list[DomainError]:
    """Return every reason why a reward cannot be redeemed; a redemption tells the first.

    State comes before business (decision A6).
    """
    found: list[DomainError] = []
    status = reward["status"]
    if status == RewardStatus.OUT_OF_STOCK:
        found.append(MaxTotalExceeded())
    if quantity is not None:
        found += _over_limits(reward, quantity, redeemed_before)
    if status not in (RewardStatus.ACTIVE, RewardStatus.OUT_OF_STOCK):
        found.append(RewardUnavailable(f"Reward is {status}"))
    start, end = reward["available_from"], reward["available_until"]
    if start is not None and now < start:
        found.append(RewardUnavailable(
            "Reward is not available yet", {"available_from": f"is {format_instant(start)}"}
        ))
    if end is not None and now > end:
        found.append(RewardUnavailable(
            "Reward is no longer available", {"available_until": f"was {format_instant(end)}"}
        ))
    return found


def _over_limits(reward: Mapping[str, Any], quantity: int, redeemed_before: int) -> Iterator[DomainError]:
    left, own = units_left(reward, redeemed_before)
    # Without a limit there is still that of the count itself.
    most = STOCK_MAX - reward["redeemed_count"] if left is None else left
    if quantity > most and reward["status"] != RewardStatus.OUT_OF_STOCK:
        yield MaxTotalExceeded(f"Only {most} are left", {"quantity": f"{most} are left"})
    if own is not None and quantity > own:
        yield MaxPerParticipantExceeded(
            f"Only {own} are left for this participant", {"quantity": f"{own} are left for this participant"}
        )


def units_left(reward: Mapping[str, Any], redeemed_before: int) -> tuple[int | None, int | None]:
    """Return how many units are left in all and for a participant with so many; None: no limit."""
    total, own = reward["max_total"], reward["max_per_participant"]
    return (
        None if total is None else max(total - reward["redeemed_count"], 0),
        None if own is None else max(own - redeemed_before, 0),
    )


def status_after(before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    """Return the status of a reward that was changed, or of a new one (`before` is empty).

    Stock decides between ACTIVE and OUT_OF_STOCK where it changed or ACTIVE was asked for; a shop may also
    say by itself that a reward is out of stock, and it stays so until the shop says otherwise or raises the
    stock.
    """
    status: str = after["status"]
    full = after["max_total"] is not None and after["redeemed_count"] >= after["max_total"]
    if status == RewardStatus.ACTIVE and full:
        return RewardStatus.OUT_OF_STOCK
    asked = not before or status != before["status"]
    restocked = bool(before) and after["max_total"] != before["max_total"]
    if status == RewardStatus.OUT_OF_STOCK and not asked and restocked and not full:
        return RewardStatus.ACTIVE
    return status
