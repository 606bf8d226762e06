"""The bounds of every field of the operations on value from both sides, for participants and groups alike."""

from typing import Any
from uuid import uuid4

import pytest

from tests.api.client import error_of, walk
from tests.api_balances.conftest import Shop

ONE_TOO_MANY = [str(uuid4()) for _ in range(1001)]
REFERENCE = "azAZ09._:@-" + "r" * 244  # 255 of all that a reference may have.
BOUNDS: list[tuple[str, str, Any, Any]] = [
    ("hold", "description", "d" * 500, "d" * 501), ("hold", "description", "d", ""),
    ("hold", "description", "ä" * 500, "ä\x00"), ("hold", "reference_id", REFERENCE, REFERENCE + "r"),
    *(("hold", "reference_id", "r", f"r{bad}") for bad in " /#%\n\x00äß*"), ("hold", "reference_id", "-", ""),
    ("hold", "idempotency_key", "k" * 255, "k" * 256), ("hold", "idempotency_key", "k", ""),
    ("hold", "idempotency_key", "systematic", "system:k"), ("hold", "idempotency_key", "a b", "a\nb"),
    ("hold", "earned_to", "2999-12-31T23:59:59Z", "3000-01-01T00:00:00Z"),
    ("hold", "earned_from", "1900-01-01T00:00:00Z", "1899-12-31T23:59:59Z"),
    ("hold", "earned_from", "2026-01-01T00:00:00.123456789+14:00", "2026-01-01"),
    ("hold", "bucket", "HELD", "DEFERRED"), ("forfeit", "bucket", "AVAILABLE", "DEFERRED"),
    ("forfeit", "bucket", "AVAILABLE", None), ("adjust", "type", "CREDIT", "credit"),
    ("adjust", "bucket", "HELD", "DEFERRED"), ("adjust", "allow_negative", False, "false"),
    ("adjust", "description", "d" * 500, "d" * 501), ("adjust", "idempotency_key", "k" * 255, "k" * 256),
    ("adjust", "program_id", None, "x"), ("adjust", "asset_id", None, 7),
]
NEEDED = {"adjust": {"type": "CREDIT", "amount": "1"}, "forfeit": {"bucket": "AVAILABLE"}, "hold": {}}


@pytest.fixture(params=["participants", "groups"])
def place(lot_shop: Shop, request: pytest.FixtureRequest) -> tuple[Shop, str]:
    """A shop, and the path of a participant or group that has 10.00."""
    owner = lot_shop.person if request.param == "participants" else lot_shop.api.group(lot_shop.person)
    path = f"/v1/{request.param}/{owner}"
    lot_shop.api.post(f"{path}/balances/adjust", lot_shop.body(type="CREDIT", amount="10"))
    return lot_shop, path


@pytest.mark.parametrize(("operation", "field", "good", "bad"), BOUNDS)
def test_a_field_ends_where_it_says(
    place: tuple[Shop, str], operation: str, field: str, good: Any, bad: Any
) -> None:
    shop, path = place
    body = shop.body(**NEEDED[operation])
    refused = shop.api.post(f"{path}/balances/{operation}", {**body, field: bad})
    assert list(error_of(refused, 400, "validation_error")) == [field]
    if good is not None:
        body[field] = good
    taken = shop.api.post(f"{path}/balances/{operation}", body)
    assert taken.status_code == 200, taken.json
    if field == "reference_id":
        assert taken.json["reference_id"] == good
        (entry,) = walk(shop.api, "/v1/journal-entries", reference_id=good)
        assert entry["id"] == taken.json["journal_entry_id"]


def test_as_many_lots_as_a_choice_may_name(place: tuple[Shop, str]) -> None:
    shop, path = place
    (lot,) = walk(shop.api, f"{path}/balances/lots", asset_id=shop.asset)
    for lots in ([], ONE_TOO_MANY, ["x"]):
        answer = shop.api.post(f"{path}/balances/hold", shop.body(lot_ids=lots))
        assert set(error_of(answer, 400, "validation_error")) <= {"lot_ids", "lot_ids[0]"}
    answer = shop.api.post(f"{path}/balances/hold", shop.body(lot_ids=[*ONE_TOO_MANY[:999], lot["id"]]))
    assert answer.json["lots_processed"] == [{"id": lot["id"], "amount": "10.00"}]


def test_the_earned_window_holds_both_its_ends(place: tuple[Shop, str]) -> None:
    shop, path = place
    (lot,) = walk(shop.api, f"{path}/balances/lots", asset_id=shop.asset)
    edge = lot["created_at"]
    answer = shop.api.post(f"{path}/balances/hold", shop.body(earned_from=edge, earned_to=edge))
    assert answer.json["amount_processed"] == "10.00"
    before = edge[:-1] + "0Z"  # The same instant, spelled with a digit more.
    assert shop.api.post(f"{path}/balances/release", shop.body(earned_to=before)).status_code == 200
    late = {"earned_from": "2999-01-01T00:00:00Z"}
    error_of(shop.api.post(f"{path}/balances/hold", shop.body(**late)), 422, "insufficient_funds")
    answer = shop.api.post(f"{path}/balances/hold", shop.body(**late, earned_to=edge))
    assert list(error_of(answer, 400, "validation_error")) == ["earned_to"]


def test_a_group_does_all_that_a_participant_does(place: tuple[Shop, str]) -> None:
    """Field by field the same answers, but for an adjustment, which shows no balance of a group."""
    shop, path = place
    is_group = path.startswith("/v1/groups")
    post, common = shop.api.post, {"asset_id": shop.asset, "program_id": shop.program}
    adjusted = post(f"{path}/balances/adjust", shop.body(type="DEBIT", amount="1")).json
    assert adjusted == {
        **common, "amount": "1.00", "type": "DEBIT", "bucket": "AVAILABLE",
        "journal_entry_id": adjusted["journal_entry_id"],
        "message": "Group balance adjusted successfully" if is_group else "Balance adjusted successfully",
        **({} if is_group else {"balance": {"available": "9.00", "held": "0.00", "deferred": "0.00"}}),
    }
    for operation, more, balance in (
        ("hold", {"amount": "4", "reference_id": "r"}, ("5.00", "4.00")),
        ("release", {"amount": "1", "reference_id": "r"}, ("6.00", "3.00")),
        ("forfeit", {"amount": "2", "bucket": "HELD", "reference_id": "r"}, ("6.00", "1.00")),
    ):
        done = post(f"{path}/balances/{operation}", shop.body(**more)).json
        amount = f"{more['amount']}.00"
        assert done == {
            **common, "operation": operation.upper(), "amount_processed": amount, "reference_id": "r",
            "balance": {"available": balance[0], "held": balance[1], "deferred": "0.00"},
            "journal_entry_id": done["journal_entry_id"], "message": f"Processed {amount}",
            "lots_processed": [{"id": done["lots_processed"][0]["id"], "amount": amount}],
        }
    error_of(post(f"{path}/balances/void-hold", shop.body(reference_id="r")), 422, "insufficient_funds")
    assert [row["amount"] for row in walk(shop.api, f"{path}/activity/history", bucket="HELD", limit=1)] == [
        "-2.00", "-1.00", "4.00"
    ]
    statement = walk(shop.api, f"{path}/statement", asset_id=shop.asset, limit=2)
    assert statement[-1]["running_balance"] == "7.00"
    lots = walk(shop.api, f"{path}/balances/lots", asset_id=shop.asset, limit=1)
    assert sum(float(lot["remaining"]) for lot in lots) == 7
    entries = walk(shop.api, "/v1/journal-entries", reference_id="r")
    owner = "group_id" if is_group else "participant_id"
    assert {posting.get(owner) for entry in entries for posting in entry["postings"]} == {
        path.rpartition("/")[2], None
    }


def test_a_hundred_people_and_groups_receive_in_one_entry(lot_shop: Shop) -> None:
    lot_shop.give("1000")
    api, recipients = lot_shop.api, []
    for number in range(50):
        person = api.participant(f"p{number}", program_id=lot_shop.program)
        named = {"external_id": f"p{number}"} if number % 2 else {"participant_id": person}
        recipients += [{**named, "amount": "1.01"}, {"group_id": api.group(person), "amount": "2.02"}]
    body = {**lot_shop.body(), "source_participant_id": lot_shop.person, "recipients": recipients}
    last = {"participant_id": api.participant("last", program_id=lot_shop.program), "amount": "1"}
    answer = api.post("/v1/transfers", {**body, "recipients": [*recipients, last]})
    assert list(error_of(answer, 400, "validation_error")) == ["recipients"]
    done = api.post("/v1/transfers", body)
    assert (done.status_code, done.json["recipient_count"], done.json["total_amount"]) == (201, 100, "151.50")
    entry = api.get(f"/v1/journal-entries/{done.json['journal_entry_id']}").json
    kinds = [posting["entity_type"] for posting in entry["postings"]]
    assert (len(kinds), kinds.count("PARTICIPANT"), kinds.count("GROUP")) == (101, 51, 50)
    assert lot_shop.balance()["available"] == "848.50"
    assert lot_shop.balance(recipients[0]["participant_id"])["available"] == "1.01"
    (lot,) = walk(api, f"/v1/groups/{recipients[1]['group_id']}/balances/lots", asset_id=lot_shop.asset)
    assert (lot["amount"], lot["status"], "expires_at" in lot) == ("2.02", "AVAILABLE", False)


@pytest.mark.parametrize(("field", "good", "bad"), [("description", "d" * 500, "d" * 501)])
def test_a_wallet_s_texts_end_where_they_say(funded_shop: Shop, field: str, good: str, bad: str) -> None:
    path = f"/v1/programs/{funded_shop.program}/assets/{funded_shop.asset}"
    for verb in ("fund", "burn"):
        answer = funded_shop.api.post(f"{path}/{verb}", {"amount": "5", field: bad})
        assert list(error_of(answer, 400, "validation_error")) == [field]
        assert funded_shop.api.post(f"{path}/{verb}", {"amount": "5", field: good}).status_code == 200
    assert [row["description"] for row in walk(
        funded_shop.api, f"/v1/programs/{funded_shop.program}/history"
    )] == [good, good]
