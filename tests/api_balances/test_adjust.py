"""Manual credits and debits: answers field by field, refusals by code, once under a key."""

from typing import Any

import pytest

from tests.api.client import ABSENT, Caller, error_of
from tests.api_balances.conftest import Shop


def test_a_credit_answers_what_it_did_and_the_balance_after_it(shop: Shop) -> None:
    answer = shop.act("adjust", type="CREDIT", amount="100.5")
    assert answer.status_code == 200
    entry = answer.json["journal_entry_id"]
    assert answer.json == {
        "amount": "100.50", "asset_id": shop.asset, "program_id": shop.program, "type": "CREDIT",
        "bucket": "AVAILABLE", "journal_entry_id": entry, "message": "Balance adjusted successfully",
        "balance": {"available": "100.50", "held": "0.00", "deferred": "0.00"},
    }
    assert shop.balance() == {
        "asset_id": shop.asset, "available": "100.50", "held": "0.00", "deferred": "0.00"
    }


def test_a_debit_returns_value_to_issuance(shop: Shop) -> None:
    shop.give("10")
    entry_id = shop.act("adjust", type="DEBIT", amount="4").json["journal_entry_id"]
    entry = shop.api.get(f"/v1/journal-entries/{entry_id}").json
    assert entry["action_type"] == "ADJUST_DEBIT"
    assert [(p["entity_type"], p["amount"]) for p in entry["postings"]] == [
        ("PARTICIPANT", "-4.00"), ("SYSTEM_ISSUANCE", "4.00")
    ]
    assert shop.balance()["available"] == "6.00"


def test_more_than_is_there_is_refused_and_changes_nothing(shop: Shop) -> None:
    shop.give("10")
    answer = shop.act("adjust", type="DEBIT", amount="10.01")
    error_of(answer, 422, "insufficient_funds")
    assert "10.00" in answer.json["message"]
    assert shop.balance()["available"] == "10.00"


@pytest.mark.parametrize("fixture", ["shop", "lot_shop"])
def test_a_debit_may_overdraw_where_it_is_told_to(fixture: str, request: pytest.FixtureRequest) -> None:
    place: Shop = request.getfixturevalue(fixture)
    place.give("10")
    answer = place.act("adjust", type="DEBIT", amount="25", allow_negative=True)
    assert answer.json["balance"]["available"] == "-15.00"
    place.give("20")
    assert place.balance()["available"] == "5.00"


def test_held_value_is_adjusted_in_its_bucket(shop: Shop) -> None:
    shop.give("10", bucket="HELD")
    assert shop.balance()["held"] == "10.00"
    assert shop.act("adjust", type="DEBIT", amount="3", bucket="HELD").json["balance"]["held"] == "7.00"


@pytest.mark.parametrize(("fields", "status", "code"), [
    ({"amount": "1.001"}, 400, "invalid_scale"),
    ({"amount": "0"}, 400, "invalid_amount"),
    ({"amount": "-5"}, 400, "invalid_amount"),
    ({"amount": "1e3"}, 400, "invalid_amount"),
    ({"amount": "123456789012345678901"}, 400, "invalid_amount"),
    ({"amount": 5}, 400, "validation_error"),
    ({"type": "TRANSFER"}, 400, "validation_error"),
    ({"bucket": "DEFERRED"}, 400, "validation_error"),
    ({"description": ""}, 400, "validation_error"),
    ({"description": "x" * 501}, 400, "validation_error"),
    ({"allow_negative": True}, 400, "invalid_request"),
    ({"allow_negative": True, "type": "DEBIT", "bucket": "HELD"}, 400, "invalid_request"),
    ({"surprise": 1}, 400, "validation_error"),
    ({"program_id": ABSENT}, 404, "not_found"),
    ({"asset_id": ABSENT}, 404, "not_found"),
])
def test_a_wrong_adjustment_is_refused_by_its_code(
    shop: Shop, fields: dict[str, Any], status: int, code: str
) -> None:
    error_of(shop.act("adjust", **{"type": "CREDIT", "amount": "5", **fields}), status, code)
    assert shop.balance() is None


def test_decimals_count_by_value(shop: Shop) -> None:
    assert shop.give("5.0000")["amount"] == "5.00"


def test_an_asset_of_another_program_is_not_linked(shop: Shop) -> None:
    other = shop.api.program()
    answer = shop.act("adjust", type="CREDIT", amount="5", program_id=other)
    error_of(answer, 400, "asset_not_linked")


@pytest.mark.parametrize("status", ["SUSPENDED", "CLOSED"])
def test_an_inactive_participant_is_not_adjusted(shop: Shop, status: str) -> None:
    shop.api.patch(f"/v1/participants/{shop.person}/status", {"status": status})
    error_of(shop.act("adjust", type="CREDIT", amount="5"), 409, "participant_inactive")


@pytest.mark.parametrize(("status", "code"), [
    ("SUSPENDED", "program_suspended"), ("ARCHIVED", "program_archived"),
])
def test_an_inactive_program_moves_no_value(shop: Shop, status: str, code: str) -> None:
    shop.api.patch(f"/v1/programs/{shop.program}", {"status": status})
    error_of(shop.act("adjust", type="CREDIT", amount="5"), 409, code)


def test_an_archived_asset_takes_no_entries(shop: Shop) -> None:
    shop.api.patch(f"/v1/assets/{shop.asset}", {"status": "ARCHIVED"})
    error_of(shop.act("adjust", type="CREDIT", amount="5"), 422, "asset_archived")


def test_the_limit_of_one_movement_holds_for_credits_and_debits(shop: Shop) -> None:
    shop.give("50")
    shop.api.patch(f"/v1/assets/{shop.asset}", {"max_transaction_amount": "20"})
    for kind in ("CREDIT", "DEBIT"):
        error_of(shop.act("adjust", type=kind, amount="20.01"), 422, "transaction_limit_exceeded")
        assert shop.act("adjust", type=kind, amount="20").status_code == 200
    assert shop.act("hold", amount="50").status_code == 200


def test_a_key_does_it_once_and_tells_so(shop: Shop) -> None:
    first = shop.act("adjust", type="CREDIT", amount="5", idempotency_key="k1")
    second = shop.act("adjust", type="CREDIT", amount="5.00", idempotency_key="k1")
    assert second.status_code == 200
    assert second.json == first.json
    assert second.headers["Idempotency-Replayed"] == "true"
    error_of(
        shop.act("adjust", type="CREDIT", amount="6", idempotency_key="k1"), 409, "idempotency_conflict"
    )
    assert shop.balance()["available"] == "5.00"


def test_another_organization_sees_nothing(shop: Shop, http: Any) -> None:
    from tests.api.client import new_caller

    stranger: Caller = new_caller(http)
    entry = shop.give("5")["journal_entry_id"]
    answer = stranger.post(
        f"/v1/participants/{shop.person}/balances/adjust", shop.body(type="CREDIT", amount="5")
    )
    error_of(answer, 404, "not_found")
    error_of(stranger.get(f"/v1/journal-entries/{entry}"), 404, "not_found")
    assert stranger.get("/v1/journal-entries").json["data"] == []


def test_a_groups_balance_is_adjusted_and_shown_as_a_total(shop: Shop) -> None:
    group = shop.api.group(shop.person)
    answer = shop.api.post(
        f"/v1/groups/{group}/balances/adjust", shop.body(type="CREDIT", amount="30")
    )
    assert answer.status_code == 200, answer.json
    assert "balance" not in answer.json
    assert answer.json["message"] == "Group balance adjusted successfully"
    held = shop.api.post(f"/v1/groups/{group}/balances/hold", shop.body(amount="10"))
    assert held.json["balance"] == {"available": "20.00", "held": "10.00", "deferred": "0.00"}
    rows = shop.api.get(f"/v1/groups/{group}/balances").json["data"]
    assert rows == [{"asset_id": shop.asset, "balance": "30.00"}]
    assert shop.api.get(f"/v1/groups/{group}/balances", program_id=shop.api.program()).json["data"] == []
