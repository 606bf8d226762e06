"""A balance is explained by the credits that are left of it."""

from decimal import Decimal
from typing import Any

from tests.api.client import ABSENT, error_of, walk
from tests.api_balances.conftest import Shop


def sources(shop: Shop) -> list[dict[str, Any]]:
    """Return the lines, after checking that they add up."""
    path = f"/v1/participants/{shop.person}/balances/explain"
    rows = walk(shop.api, path, asset_id=shop.asset, limit=1)
    balance = shop.api.get(path, asset_id=shop.asset).json["balance"]
    assert sum((Decimal(row["remaining"]) for row in rows), Decimal(0)) == max(Decimal(balance), Decimal(0))
    return rows


def left(shop: Shop) -> list[tuple[str, str, str]]:
    return [(row["description"], row["amount"], row["remaining"]) for row in sources(shop)]


def test_of_a_simple_asset_the_latest_gains_are_left(shop: Shop) -> None:
    for description, amount in (("first", "10"), ("second", "20"), ("third", "30")):
        shop.give(amount, description=description)
    shop.act("hold", amount="5")
    assert left(shop) == [
        ("third", "30.00", "30.00"), ("second", "20.00", "20.00"), ("first", "10.00", "10.00"),
    ]
    shop.act("adjust", type="DEBIT", amount="17")
    assert left(shop) == [("third", "30.00", "30.00"), ("second", "20.00", "13.00")]
    assert {row["action_type"] for row in sources(shop)} == {"ADJUST_CREDIT"}
    shop.act("adjust", type="DEBIT", amount="60", allow_negative=True)
    assert left(shop) == []


def test_a_lot_that_was_split_is_told_with_the_credit_it_came_from(lot_shop: Shop) -> None:
    first = lot_shop.give("10", description="first")["journal_entry_id"]
    second = lot_shop.give("20", description="second")["journal_entry_id"]
    lot_shop.act("hold", amount="14", description="hold")
    rows = sources(lot_shop)
    assert {(row["journal_entry_id"], row["bucket"], row["remaining"]) for row in rows} == {
        (first, "HELD", "10.00"), (second, "HELD", "4.00"), (second, "AVAILABLE", "16.00"),
    }
    assert {row["description"] for row in rows} == {"first", "second"}


def test_nothing_is_explained_by_nothing(shop: Shop) -> None:
    assert left(shop) == []
    path = f"/v1/participants/{shop.person}/balances/explain"
    error_of(shop.api.get(path, asset_id=ABSENT), 404, "not_found")
    nobody = path.replace(shop.person, ABSENT)
    error_of(shop.api.get(nobody, asset_id=shop.asset), 404, "not_found")
