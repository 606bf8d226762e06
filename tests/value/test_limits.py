"""Limits of rewards, redemptions, reversals and transfers from both sides, and what stands beside them."""

from typing import Any

import pytest

from app import db
from tests.api.client import error_of
from tests.value.conftest import Store

OUTBOX = "SELECT type, data FROM outbox WHERE organization_id = %s ORDER BY id"


@pytest.mark.parametrize(("field", "good", "bad"), [
    ("name", "n" * 255, "n" * 256), ("description", "d" * 1000, "d" * 1001),
    ("category", "c" * 100, "c" * 101),
    ("max_total", 2_147_483_647, 2_147_483_648), ("max_total", 0, -1), ("max_per_participant", 0, -1),
    ("unit_cost", "0.01", "0.00"), ("unit_cost", "9" * 20, "9" * 21), ("status", "DRAFT", "SOLD"),
    ("eligibility", "true", ""), ("metadata", {"a": [1]}, "text"),
])
def test_a_reward_s_field_ends_where_it_says(store: Store, field: str, good: Any, bad: Any) -> None:
    assert field in error_of(
        store.make(**{field: bad}), 400, "invalid_amount" if field == "unit_cost" else "validation_error"
    )
    assert store.make(**{field: good}).status_code == 201


def test_texts_of_redemptions_and_reversals_end_where_they_say(store: Store) -> None:
    reward = store.reward(unit_cost="1.00")
    error_of(store.spend("1.00", description="x" * 501), 400, "validation_error")
    error_of(store.spend("1.00", description=""), 400, "validation_error")
    error_of(store.take(reward, description="x" * 501), 400, "validation_error")
    assert store.take(reward, description="x" * 500).json["description"] == "x" * 500
    redemption = store.spend("1.00", description="x" * 500).json["id"]
    error_of(store.give_back(redemption, reason=""), 400, "validation_error")
    error_of(store.give_back(redemption, reason="r" * 501), 400, "validation_error")
    assert store.give_back(redemption, reason="r" * 500).status_code == 201


def test_the_transaction_limit_counts_redemptions_and_whole_transfers(store: Store) -> None:
    store.customer("bob", "1.00")
    store.customer("eve", "1.00")
    store.api.patch(f"/v1/assets/{store.asset}", {"max_transaction_amount": "10.00"})
    reward = store.reward(unit_cost="5.00")
    error_of(store.spend("10.01"), 422, "transaction_limit_exceeded")
    error_of(store.take(reward, quantity=3), 422, "transaction_limit_exceeded")
    assert store.take(reward, quantity=2).status_code == 201
    assert store.spend("10.00").status_code == 201

    def send(second: str) -> Any:
        return store.api.post("/v1/transfers", {
            "program_id": store.program, "asset_id": store.asset, "description": "x",
            "source_external_id": "ann",
            "recipients": [
                {"external_id": "bob", "amount": "5.00"}, {"external_id": "eve", "amount": second},
            ],
        })

    error_of(send("5.01"), 422, "transaction_limit_exceeded")
    assert send("5.00").status_code == 201


def test_units_that_come_to_more_than_an_amount_can_be_are_the_quantity_s_fault(store: Store) -> None:
    reward = store.reward(unit_cost="5" + "0" * 19)
    path = f"/v1/programs/{store.program}/rewards/{reward}/quote"
    asked = store.api.post(path, {"participant_id": store.person, "quantity": 2})
    for refused in (asked, store.take(reward, quantity=2)):
        assert list(error_of(refused, 400, "invalid_amount")) == ["quantity"]
    error_of(store.take(reward, quantity=1), 422, "insufficient_funds")
    other = store.reward("Any", redemption_type="AMOUNT_BASED", unit_cost="1.00")
    assert list(error_of(store.take(other, amount="1.001"), 400, "invalid_amount")) == ["amount"]


def test_a_count_without_limit_ends_where_it_can_be_stored(store: Store) -> None:
    reward = store.reward(unit_cost="0.01")
    with db.transaction() as c:
        c.execute("UPDATE rewards SET redeemed_count = 2147483646 WHERE id = %s", (reward,))
    error_of(store.take(reward, quantity=2), 409, "max_total_exceeded")
    assert store.take(reward, quantity=1).status_code == 201
    error_of(store.take(reward, quantity=1_000_001), 400, "invalid_quantity")


def test_an_archived_asset_is_neither_spent_nor_given_back_nor_priced(store: Store) -> None:
    reward = store.reward()
    redemption = store.spend("1.00").json["id"]
    store.customer("bob", "1.00")
    store.api.patch(f"/v1/assets/{store.asset}", {"status": "ARCHIVED"})
    error_of(store.spend("1.00"), 422, "asset_archived")
    error_of(store.take(reward), 422, "asset_archived")
    error_of(store.give_back(redemption), 422, "asset_archived")
    error_of(store.make("Other"), 422, "asset_archived")


def test_a_shop_may_say_itself_that_something_is_out_of_stock(store: Store) -> None:
    reward = store.reward(max_total=5)
    taken = store.take(reward).json["id"]
    assert store.change(reward, status="OUT_OF_STOCK").json["status"] == "OUT_OF_STOCK"
    error_of(store.take(reward), 409, "max_total_exceeded")
    store.give_back(taken)
    assert store.change(reward, name="Renamed").json["status"] == "OUT_OF_STOCK"
    assert store.change(reward, status="ACTIVE").json["status"] == "ACTIVE"
    assert store.take(reward).status_code == 201


def test_a_repetition_is_answered_whatever_the_price_is_now(store: Store) -> None:
    reward = store.reward(redemption_type="AMOUNT_BASED", unit_cost="5.00")
    first = store.take(reward, amount="5.00", idempotency_key="k")
    store.change(reward, unit_cost="50.00")
    again = store.take(reward, amount="5", idempotency_key="k")
    assert (again.status_code, again.json) == (200, first.json)
    error_of(store.take(reward, amount="6.00", idempotency_key="k"), 409, "idempotency_conflict")
    store.change(reward, status="ARCHIVED")
    assert store.take(reward, amount="5.00", idempotency_key="k").json == first.json


def test_value_returns_to_who_is_suspended_but_not_to_who_left(store: Store) -> None:
    redemption = store.spend("10.00").json["id"]
    path = f"/v1/programs/{store.program}/participants/{store.person}"
    store.api.patch(f"/v1/participants/{store.person}/status", {"status": "SUSPENDED"})
    store.api.patch(path, {"status": "FROZEN"})
    assert store.give_back(redemption, amount="1.00").status_code == 201
    store.api.patch(path, {"status": "CLOSED"})
    error_of(store.give_back(redemption, amount="1.00"), 409, "participant_inactive")
    store.api.patch(path, {"status": "ACTIVE"})
    store.api.patch(f"/v1/participants/{store.person}/status", {"status": "CLOSED"})
    error_of(store.give_back(redemption, amount="1.00"), 409, "participant_inactive")


def test_a_quote_names_every_reason_at_once_and_what_is_missing(store: Store) -> None:
    reward = store.reward(
        unit_cost="60.00", max_total=1, max_per_participant=1, available_from="2999-01-01T00:00:00Z",
        eligibility='"vip" in participant.tags',
    )
    store.api.patch(f"/v1/assets/{store.asset}", {"max_transaction_amount": "100.00"})
    store.api.patch(f"/v1/participants/{store.person}/status", {"status": "SUSPENDED"})
    asked = store.api.post(
        f"/v1/programs/{store.program}/rewards/{reward}/quote",
        {"participant_id": store.person, "quantity": 2},
    ).json
    assert [reason["code"] for reason in asked["reasons"]] == [
        "participant_inactive", "max_total_exceeded", "max_per_participant_exceeded", "reward_unavailable",
        "not_eligible", "transaction_limit_exceeded", "insufficient_funds",
    ]
    assert (asked["missing"], asked["units_left"], asked["units_left_for_participant"]) == ("20.00", 1, 1)
    assert asked["available_from"] == "2999-01-01T00:00:00Z"
    error_of(store.take(reward, quantity=2), 409, "participant_inactive")


def test_the_outbox_tells_of_redemption_reversal_and_transfer(store: Store) -> None:
    store.customer("bob", "1.00")
    made = store.api.post("/v1/webhook-endpoints", {"url": "https://example.com/x", "enabled_events": ["*"]})
    assert made.status_code == 201, made.json
    redemption = store.take(store.reward(), quantity=2).json
    reversal = store.give_back(redemption["id"], quantity=1).json
    sent = store.api.post("/v1/transfers", {
        "program_id": store.program, "asset_id": store.asset, "description": "x",
        "source_external_id": "ann", "recipients": [{"external_id": "bob", "amount": "5.00"}],
    }).json
    with db.connection() as c:
        told = c.execute(OUTBOX, (store.api.organization_id,)).fetchall()
    assert [row["type"] for row in told] == [
        "balance.debited", "redemption.completed", "balance.credited", "redemption.reversed",
        "balance.debited", "balance.credited", "transfer.completed",
    ]
    mine = [row["data"]["sequence"] for row in told if row["data"].get("participant_id") == store.person]
    assert mine == sorted(mine)
    assert redemption.items() <= told[1]["data"].items()
    assert told[3]["data"]["reversal"] == reversal
    assert told[3]["data"]["status"] == "PARTIALLY_REVERSED"
    assert sent.items() <= told[6]["data"].items()
