"""Hold, release, forfeit and void-hold over HTTP: answers, filters, refusals, inactive owners."""

from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from app import db
from app.domain.names import Bucket
from app.flows.move_value import Call, open_desk
from app.ledger.credits import credit
from tests.api.client import error_of, walk
from tests.api_balances.conftest import Shop


def accrue(shop: Shop, amount: str, reference: str, bucket: Bucket = Bucket.HELD) -> None:
    """Credit under a reference, as a rule does: provisionally into HELD, or as its settle."""
    person = UUID(shop.person)
    with db.transaction() as c:
        call = Call(shop.api.organization_id, None, UUID(shop.program), UUID(shop.asset))
        desk = open_desk(c, call, [person], wallet=True)
        desk.write(desk.plan(lambda: credit(
            desk.account(person), desk.source(), desk.asset, Decimal(amount), bucket=bucket,
            reference_id=reference, **desk.how(),
        )))


def lots(shop: Shop, **query: Any) -> list[dict[str, Any]]:
    """Return the participant's lots, oldest first."""
    path = f"/v1/participants/{shop.person}/balances/lots"
    return list(reversed(walk(shop.api, path, asset_id=shop.asset, **query)))


def test_a_hold_of_a_simple_asset_answers_what_it_did(shop: Shop) -> None:
    shop.give("100")
    answer = shop.act("hold", amount="30")
    assert answer.status_code == 200
    assert answer.json == {
        "operation": "HOLD", "amount_processed": "30.00", "asset_id": shop.asset,
        "program_id": shop.program, "journal_entry_id": answer.json["journal_entry_id"],
        "balance": {"available": "70.00", "held": "30.00", "deferred": "0.00"},
        "message": "Processed 30.00",
    }
    assert shop.act("release").json["amount_processed"] == "30.00"
    assert shop.act("hold").json["amount_processed"] == "100.00"
    assert shop.act("forfeit", bucket="HELD").json["operation"] == "FORFEIT"
    assert shop.balance()["held"] == "0.00"


def test_holding_part_of_a_lot_splits_it_and_keeps_its_vintage(lot_shop: Shop) -> None:
    lot_shop.give("10")
    lot_shop.give("20")
    answer = lot_shop.act("hold", amount="15", reference_id="trip-1")
    assert answer.json["reference_id"] == "trip-1"
    parts = answer.json["lots_processed"]
    assert [part["amount"] for part in parts] == ["10.00", "5.00"]
    first, second, child = sorted(lots(lot_shop), key=lambda lot: (lot["created_at"], lot["id"]))
    assert (first["status"], first["reference_id"], first["id"]) == ("HELD", "trip-1", parts[0]["id"])
    assert (second["status"], second["remaining"], second["amount"]) == ("AVAILABLE", "15.00", "20.00")
    assert (child["id"], child["created_at"]) == (parts[1]["id"], second["created_at"])
    assert child["parent_lot_id"] == second["id"]
    assert all("parent_lot_id" not in lot for lot in (first, second))
    entries = lot_shop.api.get("/v1/journal-entries", reference_id="trip-1").json["data"]
    assert [entry["action_type"] for entry in entries] == ["HOLD"]


def test_a_release_takes_what_carries_its_reference(lot_shop: Shop) -> None:
    lot_shop.give("50")
    lot_shop.act("hold", amount="10", reference_id="a")
    lot_shop.act("hold", amount="20", reference_id="b")
    assert lot_shop.act("release", reference_id="b", amount="5").json["balance"]["held"] == "25.00"
    assert lot_shop.act("release", reference_id="b").json["amount_processed"] == "15.00"
    error_of(lot_shop.act("release", reference_id="b"), 422, "insufficient_funds")
    assert lot_shop.act("release").json["amount_processed"] == "10.00"
    error_of(lot_shop.act("release", amount="1"), 422, "insufficient_funds")
    assert all(lot.get("reference_id") is None for lot in lots(lot_shop))


def test_a_release_of_lots_gives_back_up_to_its_amount(lot_shop: Shop) -> None:
    """As the contract has it: with a reference from its lots, without from any, oldest first."""
    lot_shop.give("20")
    lot_shop.act("hold", amount="7", reference_id="a")
    lot_shop.act("hold", amount="5", reference_id="b")
    answer = lot_shop.act("release", reference_id="b", amount="50").json
    assert (answer["amount_processed"], answer["message"]) == ("5.00", "Processed 5.00")
    assert [part["amount"] for part in answer["lots_processed"]] == ["5.00"]
    assert answer["balance"] == {"available": "13.00", "held": "7.00", "deferred": "0.00"}
    assert lot_shop.act("release", amount="7.01").json["amount_processed"] == "7.00"
    assert lot_shop.balance()["available"] == "20.00"


def test_a_release_of_a_simple_balance_gives_back_exactly_its_amount(shop: Shop) -> None:
    shop.give("20")
    shop.act("hold", amount="7")
    error_of(shop.act("release", amount="7.01"), 422, "insufficient_funds")
    assert shop.act("release", amount="7").json["balance"]["held"] == "0.00"


def test_filters_choose_lots_by_id_and_by_when_they_were_earned(lot_shop: Shop) -> None:
    for amount in ("1", "2", "4"):
        lot_shop.give(amount)
    first, second, third = lots(lot_shop)
    assert lot_shop.act("hold", lot_ids=[second["id"]]).json["amount_processed"] == "2.00"
    window = {"earned_from": third["created_at"], "earned_to": third["created_at"]}
    assert lot_shop.act("forfeit", bucket="AVAILABLE", **window).json["amount_processed"] == "4.00"
    assert lot_shop.act("hold", earned_to=first["created_at"]).json["amount_processed"] == "1.00"
    error_of(lot_shop.act("hold", lot_ids=[first["id"]]), 422, "insufficient_funds")


def test_provisional_credits_are_voided_or_settled_but_not_released(lot_shop: Shop) -> None:
    lot_shop.give("50")
    lot_shop.act("hold", amount="5", reference_id="r1")
    accrue(lot_shop, "10", "r1")
    accrue(lot_shop, "3", "r1")
    assert lot_shop.act("release", reference_id="r1").json["amount_processed"] == "5.00"
    answer = lot_shop.act("void-hold", reference_id="r1")
    assert answer.json["operation"] == "VOID_HOLD"
    assert answer.json["amount_processed"] == "13.00"
    assert answer.json["balance"] == {"available": "50.00", "held": "0.00", "deferred": "0.00"}
    error_of(lot_shop.act("void-hold", reference_id="r1"), 422, "insufficient_funds")


@pytest.mark.parametrize(("final", "source"), [("6", "4.00"), ("10", None), ("15", "-5.00")])
def test_a_settle_below_at_and_above_the_hold(lot_shop: Shop, final: str, source: str | None) -> None:
    accrue(lot_shop, "10", "auth-1")
    accrue(lot_shop, final, "auth-1", Bucket.AVAILABLE)
    assert lot_shop.balance()["available"] == f"{final}.00"
    assert lot_shop.balance()["held"] == "0.00"
    entries = lot_shop.api.get("/v1/journal-entries", reference_id="auth-1").json["data"]
    assert [entry["action_type"] for entry in entries] == ["SETTLE", "CREDIT"]
    issued = [p["amount"] for p in entries[0]["postings"] if p["entity_type"] == "SYSTEM_ISSUANCE"]
    assert issued == ([] if source is None else [source])


def test_a_settle_without_a_hold_is_a_credit(lot_shop: Shop) -> None:
    accrue(lot_shop, "8", "auth-2", Bucket.AVAILABLE)
    assert lot_shop.balance()["available"] == "8.00"
    entries = lot_shop.api.get("/v1/journal-entries", reference_id="auth-2").json["data"]
    assert [entry["action_type"] for entry in entries] == ["CREDIT"]


@pytest.mark.parametrize(("operation", "fields", "status", "code"), [
    ("hold", {"amount": "100.01"}, 422, "insufficient_funds"),
    ("hold", {"amount": "1.001"}, 400, "invalid_amount"),
    ("hold", {"reference_id": "r"}, 400, "lot_asset_required"),
    ("hold", {"lot_ids": ["00000000-0000-4000-8000-000000000000"]}, 400, "lot_asset_required"),
    ("hold", {"earned_from": "2026-01-01T00:00:00Z"}, 400, "lot_asset_required"),
    ("hold", {"reference_id": "has space"}, 400, "validation_error"),
    ("hold", {"lot_ids": []}, 400, "validation_error"),
    ("hold", {"earned_from": "2026-01-02T00:00:00Z", "earned_to": "2026-01-01T00:00:00Z"}, 400,
     "validation_error"),
    ("release", {}, 422, "insufficient_funds"),
    ("forfeit", {}, 400, "validation_error"),
    ("forfeit", {"bucket": "DEFERRED"}, 400, "validation_error"),
    ("forfeit", {"bucket": "HELD"}, 422, "insufficient_funds"),
    ("void-hold", {}, 400, "validation_error"),
    ("void-hold", {"reference_id": "r"}, 400, "lot_asset_required"),
    ("void-hold", {"reference_id": "r", "amount": "1"}, 400, "validation_error"),
])
def test_what_cannot_be_handled_is_refused_by_its_code(
    shop: Shop, operation: str, fields: dict[str, Any], status: int, code: str
) -> None:
    shop.give("100")
    error_of(shop.act(operation, **fields), status, code)
    assert shop.balance() == {
        "asset_id": shop.asset, "available": "100.00", "held": "0.00", "deferred": "0.00"
    }


@pytest.mark.parametrize("status", ["SUSPENDED", "CLOSED"])
def test_of_the_inactive_value_can_be_taken_but_not_moved(lot_shop: Shop, status: str) -> None:
    lot_shop.give("50")
    lot_shop.act("hold", amount="10")
    accrue(lot_shop, "5", "r1")
    lot_shop.api.patch(f"/v1/participants/{lot_shop.person}/status", {"status": status})
    error_of(lot_shop.act("hold", amount="1"), 409, "participant_inactive")
    error_of(lot_shop.act("release"), 409, "participant_inactive")
    assert lot_shop.act("void-hold", reference_id="r1").status_code == 200
    assert lot_shop.act("forfeit", bucket="HELD").status_code == 200
    assert lot_shop.act("forfeit", bucket="AVAILABLE").status_code == 200
    assert lot_shop.balance()["available"] == "0.00"


def test_an_archived_group_keeps_its_value(lot_shop: Shop) -> None:
    path = f"/v1/groups/{lot_shop.api.group(lot_shop.person)}"
    lot_shop.api.post(f"{path}/balances/adjust", lot_shop.body(type="CREDIT", amount="10"))
    lot_shop.api.delete(path)
    for name, more in (
        ("adjust", {"type": "DEBIT", "amount": "1"}), ("hold", {}), ("release", {}),
        ("forfeit", {"bucket": "AVAILABLE"}), ("void-hold", {"reference_id": "r"}),
    ):
        error_of(lot_shop.api.post(f"{path}/balances/{name}", lot_shop.body(**more)), 409, "group_archived")
    assert lot_shop.api.get(path).json["balances"] == {lot_shop.asset: "10.00"}


def test_a_frozen_enrollment_counts_as_inactive(shop: Shop) -> None:
    person = shop.api.participant("eve", program_id=shop.program)
    shop.api.patch(f"/v1/programs/{shop.program}/participants/{person}", {"status": "FROZEN"})
    error_of(shop.act("adjust", person, type="CREDIT", amount="5"), 409, "participant_inactive")


def test_a_void_of_a_prefunded_asset_returns_to_the_wallet(api: Any) -> None:
    from tests.api_balances.conftest import open_shop

    place = open_shop(api, "VOUCH", inventory_mode="LOT", issuance_policy="PREFUNDED")
    place.api.post(f"/v1/programs/{place.program}/assets/{place.asset}/fund", {"amount": "20"})
    accrue(place, "15", "r1")
    assert wallet(place) == "5.00"
    place.act("void-hold", reference_id="r1")
    assert wallet(place) == "20.00"


def wallet(shop: Shop) -> str:
    return str(shop.api.get(f"/v1/programs/{shop.program}/balance").json["data"][0]["available"])


def test_a_key_holds_once(lot_shop: Shop) -> None:
    lot_shop.give("50")
    first = lot_shop.act("hold", amount="10", idempotency_key="k")
    again = lot_shop.act("hold", amount="10.0", idempotency_key="k")
    assert again.json == first.json
    assert again.headers["Idempotency-Replayed"] == "true"
    assert lot_shop.balance()["held"] == "10.00"
    error_of(lot_shop.act("hold", amount="11", idempotency_key="k"), 409, "idempotency_conflict")
    # Another operation has keys of its own.
    assert lot_shop.act("release", amount="10", idempotency_key="k").status_code == 200
