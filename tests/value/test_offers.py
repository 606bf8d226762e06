"""When and for how much a reward can be had, from values alone: windows, minimum, units, limits, statuses."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from app.domain import errors
from app.domain.rewards import STOCK_MAX, cost_of, refusals, status_after, units_left

START = datetime(2026, 3, 1, tzinfo=UTC)
END = datetime(2026, 4, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
REWARD: dict[str, Any] = {
    "redemption_type": "UNIT_BASED", "unit_cost": Decimal("2.50"), "scale": 2, "status": "ACTIVE",
    "available_from": None, "available_until": None, "max_total": None, "max_per_participant": None,
    "redeemed_count": 0,
}


def codes(quantity: int | None, before: int = 0, now: datetime = START, **fields: Any) -> list[str]:
    return [error.code for error in refusals({**REWARD, **fields}, quantity, before, now)]


@pytest.mark.parametrize(("now", "refused"), [
    (START - MICROSECOND, True), (START, False), (START + MICROSECOND, False),
    (END - MICROSECOND, False), (END, False), (END + MICROSECOND, True),
])
def test_a_window_holds_both_its_ends(now: datetime, refused: bool) -> None:
    window = {"available_from": START, "available_until": END}
    assert codes(1, now=now, **window) == (["reward_unavailable"] if refused else [])
    assert codes(None, now=now, redemption_type="AMOUNT_BASED", **window) == codes(1, now=now, **window)


@pytest.mark.parametrize(("status", "told"), [
    ("ACTIVE", []), ("DRAFT", ["reward_unavailable"]), ("ARCHIVED", ["reward_unavailable"]),
    ("OUT_OF_STOCK", ["max_total_exceeded"]),
])
def test_only_an_active_reward_can_be_had(status: str, told: list[str]) -> None:
    assert codes(1, status=status) == told
    assert codes(None, status=status, redemption_type="AMOUNT_BASED") == told


@pytest.mark.parametrize(("quantity", "before", "limits", "told"), [
    (3, 0, {"max_total": 10, "redeemed_count": 7}, []),
    (4, 0, {"max_total": 10, "redeemed_count": 7}, ["max_total_exceeded"]),
    (2, 3, {"max_per_participant": 5}, []),
    (3, 3, {"max_per_participant": 5}, ["max_per_participant_exceeded"]),
    (4, 3, {"max_per_participant": 5, "max_total": 10, "redeemed_count": 7},
     ["max_total_exceeded", "max_per_participant_exceeded"]),
    (1, 0, {"redeemed_count": STOCK_MAX - 1}, []),
    (2, 0, {"redeemed_count": STOCK_MAX - 1}, ["max_total_exceeded"]),
    (1, 9, {"max_per_participant": 5, "max_total": 3, "redeemed_count": 9},
     ["max_total_exceeded", "max_per_participant_exceeded"]),
])
def test_limits_count_units_to_the_last(
    quantity: int, before: int, limits: dict[str, int], told: list[str]
) -> None:
    assert codes(quantity, before, **limits) == told


def test_what_is_left_is_never_less_than_nothing() -> None:
    assert units_left({**REWARD, "max_total": 3, "redeemed_count": 5, "max_per_participant": 2}, 4) == (0, 0)
    assert units_left(REWARD, 4) == (None, None)


@pytest.mark.parametrize(("quantity", "amount", "cost"), [
    (None, None, ("2.50", 1)), (1, None, ("2.50", 1)), (3, None, ("7.50", 3)),
    (1_000_000, None, ("2500000.00", 1_000_000)),
])
def test_units_cost_their_number_times_the_price(quantity: int | None, amount: None, cost: Any) -> None:
    assert cost_of(REWARD, quantity, amount) == (Decimal(cost[0]), cost[1])


@pytest.mark.parametrize(("kind", "quantity", "amount", "refusal"), [
    ("UNIT_BASED", 0, None, errors.InvalidQuantity), ("UNIT_BASED", 1_000_001, None, errors.InvalidQuantity),
    ("UNIT_BASED", None, "5", errors.InvalidRequest), ("UNIT_BASED", 1, "5", errors.InvalidRequest),
    ("AMOUNT_BASED", 1, None, errors.InvalidRequest), ("AMOUNT_BASED", 1, "5", errors.InvalidRequest),
    ("AMOUNT_BASED", None, None, errors.InvalidAmount), ("AMOUNT_BASED", None, "2.49", errors.InvalidAmount),
    ("AMOUNT_BASED", None, "2.50", None), ("AMOUNT_BASED", None, "2.51", None),
])
def test_each_type_takes_its_own_unit(
    kind: str, quantity: int | None, amount: str | None, refusal: type[errors.DomainError] | None
) -> None:
    reward = {**REWARD, "redemption_type": kind}
    value = None if amount is None else Decimal(amount)
    if refusal is None:
        assert cost_of(reward, quantity, value) == (value, None)
        return
    with pytest.raises(refusal) as refused:
        cost_of(reward, quantity, value)
    assert set(refused.value.details) <= {"amount", "quantity"} != set()


@pytest.mark.parametrize(("before", "after", "status"), [
    ({}, {"status": "ACTIVE", "max_total": 0}, "OUT_OF_STOCK"),
    ({}, {"status": "OUT_OF_STOCK", "max_total": 5}, "OUT_OF_STOCK"),
    ({"status": "OUT_OF_STOCK", "max_total": 3}, {"max_total": 4, "status": "OUT_OF_STOCK"}, "ACTIVE"),
    ({"status": "OUT_OF_STOCK", "max_total": 3}, {"max_total": 3, "status": "OUT_OF_STOCK"}, "OUT_OF_STOCK"),
    ({"status": "OUT_OF_STOCK", "max_total": 3}, {"max_total": None, "status": "OUT_OF_STOCK"}, "ACTIVE"),
    ({"status": "OUT_OF_STOCK", "max_total": 3}, {"max_total": 3, "status": "ACTIVE"}, "OUT_OF_STOCK"),
    ({"status": "ACTIVE", "max_total": 5}, {"max_total": 2, "status": "ACTIVE"}, "OUT_OF_STOCK"),
    ({"status": "ACTIVE", "max_total": 5}, {"max_total": 9, "status": "OUT_OF_STOCK"}, "OUT_OF_STOCK"),
    ({"status": "DRAFT", "max_total": 5}, {"max_total": 2, "status": "DRAFT"}, "DRAFT"),
    ({"status": "DRAFT", "max_total": 2}, {"max_total": 2, "status": "ACTIVE"}, "OUT_OF_STOCK"),
])
def test_stock_decides_between_active_and_out_of_stock(
    before: dict[str, Any], after: dict[str, Any], status: str
) -> None:
    """Three units were redeemed, or none of a new reward."""
    sold = {"redeemed_count": 3 if before else 0}
    assert status_after(before and {**REWARD, **sold, **before}, {**REWARD, **sold, **after}) == status
