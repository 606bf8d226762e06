"""Reading value over HTTP: wallets, journal with its filters, history, statement, balances of the past."""

from typing import Any

import pytest

from app.book import journal
from tests.api.client import ABSENT, Caller, error_of, walk
from tests.api_balances.conftest import Shop
from tests.events.scene import PURCHASE, credit, open_scene


def wallet_path(shop: Shop, verb: str) -> str:
    return f"/v1/programs/{shop.program}/assets/{shop.asset}/{verb}"


def test_a_wallet_is_funded_drawn_from_and_burned(funded_shop: Shop) -> None:
    place = funded_shop
    answer = place.api.post(wallet_path(place, "fund"), {"amount": "100", "description": "Q1"})
    assert answer.status_code == 200
    assert answer.json == {
        "available": "100.00", "journal_entry_id": answer.json["journal_entry_id"],
        "message": "Program funded successfully",
    }
    place.give("30")
    error_of(place.act("adjust", type="CREDIT", amount="70.01"), 422, "insufficient_funds")
    place.act("adjust", type="DEBIT", amount="10")
    error_of(place.api.post(wallet_path(place, "burn"), {"amount": "80.01"}), 422, "insufficient_funds")
    burned = place.api.post(wallet_path(place, "burn"), {"amount": "5"}).json
    assert (burned["available"], burned["message"]) == ("75.00", "Program burned successfully")
    assert place.api.get(f"/v1/programs/{place.program}/balance").json["data"] == [{
        "asset_id": place.asset, "available": "75.00", "held": "0.00", "deferred": "0.00",
        "issuance_policy": "PREFUNDED",
    }]
    rows = walk(place.api, f"/v1/programs/{place.program}/history", limit=2)
    assert [(row["action_type"], row["amount"]) for row in rows] == [
        ("BURN", "-5.00"), ("ADJUST_DEBIT", "10.00"), ("ADJUST_CREDIT", "-30.00"), ("FUND", "100.00")
    ]
    statement = place.api.get(f"/v1/programs/{place.program}/statement", asset_id=place.asset).json
    assert [row["running_balance"] for row in statement["data"]] == ["100.00", "70.00", "80.00", "75.00"]


def test_only_prefunded_assets_have_a_wallet(shop: Shop) -> None:
    for verb in ("fund", "burn"):
        error_of(shop.api.post(wallet_path(shop, verb), {"amount": "5"}), 422, "asset_not_prefunded")
    assert shop.api.get(f"/v1/programs/{shop.program}/balance").json["data"] == []
    error_of(shop.api.get(f"/v1/programs/{ABSENT}/balance"), 404, "not_found")


def test_what_a_rule_credits_the_program_of_an_unlimited_asset_is_no_wallet(api: Caller) -> None:
    scene = open_scene(api)
    scene.rule(PURCHASE, credit(target={"type": "PROGRAM"}))
    assert scene.run()["status"] == "COMPLETED"
    path = f"/v1/programs/{scene.program}"
    assert api.get(f"{path}/balance").json["data"] == []
    assert [row["amount"] for row in walk(api, f"{path}/history")] == ["10.00"]
    funded = api.asset(scene.program, "CASH", scale=2, issuance_policy="PREFUNDED")
    (wallet,) = api.get(f"{path}/balance").json["data"]
    assert (wallet["asset_id"], wallet["available"]) == (funded, "0.00")


def test_funding_twice_under_a_key_funds_once(funded_shop: Shop) -> None:
    for _ in range(2):
        answer = funded_shop.api.post(
            wallet_path(funded_shop, "fund"), {"amount": "10", "idempotency_key": "f1"}
        )
        assert answer.json["available"] == "10.00"


@pytest.fixture
def busy(lot_shop: Shop) -> Shop:
    """A participant with five entries, and a group with one."""
    lot_shop.give("100", description="welcome")
    lot_shop.act("hold", amount="40", reference_id="trip-1")
    lot_shop.act("release", reference_id="trip-1", amount="15")
    lot_shop.act("forfeit", bucket="HELD", amount="5")
    lot_shop.act("adjust", type="DEBIT", amount="30")
    group = lot_shop.api.group(lot_shop.person)
    lot_shop.api.post(
        f"/v1/groups/{group}/balances/adjust", lot_shop.body(type="CREDIT", amount="7")
    )
    return lot_shop


def kinds(shop: Shop, **query: Any) -> list[str]:
    return [row["action_type"] for row in walk(shop.api, "/v1/journal-entries", limit=2, **query)]


def test_the_journal_is_listed_newest_first_and_by_every_filter(busy: Shop) -> None:
    everything = ["ADJUST_CREDIT", "ADJUST_DEBIT", "FORFEIT", "RELEASE", "HOLD", "ADJUST_CREDIT"]
    mine = everything[1:]
    assert kinds(busy) == everything
    assert kinds(busy, participant_id=busy.person) == mine
    assert kinds(busy, external_id="ann-MILES") == mine
    assert kinds(busy, external_id="nobody") == []
    assert kinds(busy, program_id=busy.program, asset_id=busy.asset) == everything
    assert kinds(busy, program_id=ABSENT) == []
    assert kinds(busy, action_type="HOLD") == ["HOLD"]
    assert kinds(busy, reference_id="trip-1") == ["RELEASE", "HOLD"]
    assert kinds(busy, bucket="HELD") == ["FORFEIT", "RELEASE", "HOLD"]
    assert kinds(busy, min_amount="40", participant_id=busy.person) == ["HOLD", "ADJUST_CREDIT"]
    assert kinds(busy, max_amount="-30", participant_id=busy.person) == ["ADJUST_DEBIT", "HOLD"]
    assert kinds(busy, bucket="HELD", min_amount="40") == ["HOLD"]
    assert kinds(busy, event_id=ABSENT) == []
    assert kinds(busy, rule_id=ABSENT) == []
    assert kinds(busy, participant_id=busy.person, action_type="FORFEIT") == ["FORFEIT"]


def test_the_journal_window_includes_both_ends(busy: Shop) -> None:
    rows = walk(busy.api, "/v1/journal-entries")
    window = {"from_": rows[3]["created_at"], "to": rows[1]["created_at"]}
    assert kinds(busy, **window) == ["ADJUST_DEBIT", "FORFEIT", "RELEASE"]


def test_owners_exclude_each_other(busy: Shop) -> None:
    answer = busy.api.get("/v1/journal-entries", participant_id=busy.person, external_id="x")
    error_of(answer, 400, "invalid_request")
    error_of(busy.api.get("/v1/journal-entries", action_type="NONSENSE"), 400, "validation_error")


def test_an_entry_is_shown_with_all_its_fields(busy: Shop) -> None:
    row = walk(busy.api, "/v1/journal-entries", reference_id="trip-1")[1]
    entry = busy.api.get(f"/v1/journal-entries/{row['id']}").json
    assert entry == row
    assert entry["description"] == "test"
    assert entry["program_name"] == "Rewards"
    assert entry["created_by_api_key_id"]
    assert entry["event_id"] is None
    assert entry["rule_id"] is None
    assert entry["entry_hash"] is None
    postings = [{k: v for k, v in p.items() if k not in ("id", "created_at")} for p in entry["postings"]]
    assert postings == [
        {"entity_type": "PARTICIPANT", "participant_id": busy.person, "asset_symbol": "MILES",
         "bucket": bucket, "amount": amount}
        for bucket, amount in (("AVAILABLE", "-40.00"), ("HELD", "40.00"))
    ]
    error_of(busy.api.get(f"/v1/journal-entries/{ABSENT}"), 404, "not_found")


def test_history_shows_each_posting_newest_first(busy: Shop) -> None:
    path = f"/v1/participants/{busy.person}/activity/history"
    rows = walk(busy.api, path, limit=3)
    assert [(row["action_type"], row["bucket"], row["amount"]) for row in rows] == [
        ("ADJUST_DEBIT", "AVAILABLE", "-30.00"), ("FORFEIT", "HELD", "-5.00"),
        ("RELEASE", "AVAILABLE", "15.00"), ("RELEASE", "HELD", "-15.00"),
        ("HOLD", "HELD", "40.00"), ("HOLD", "AVAILABLE", "-40.00"),
        ("ADJUST_CREDIT", "AVAILABLE", "100.00"),
    ]
    assert len(walk(busy.api, path, bucket="HELD")) == 3
    late = {"from_": rows[0]["created_at"], "event_from": rows[0]["created_at"]}
    assert len(walk(busy.api, path, **late)) == 1
    error_of(busy.api.get(path, to=rows[0]["created_at"]), 400, "validation_error")


def test_a_statement_runs_over_pages_and_windows(busy: Shop) -> None:
    path = f"/v1/participants/{busy.person}/statement"
    rows = walk(busy.api, path, asset_id=busy.asset, limit=2)
    assert [row["running_balance"] for row in rows] == [
        "100.00", "60.00", "100.00", "85.00", "100.00", "95.00", "65.00"
    ]
    whole = busy.api.get(path, asset_id=busy.asset).json
    assert (whole["opening_balance"], whole["closing_balance"]) == ("0", "65.00")
    assert "bucket" not in whole
    part = busy.api.get(
        path, asset_id=busy.asset, bucket="HELD", from_=rows[3]["created_at"], to=rows[5]["created_at"]
    ).json
    assert (part["opening_balance"], part["closing_balance"]) == ("40.00", "20.00")
    assert [row["running_balance"] for row in part["data"]] == ["25.00", "20.00"]
    assert part["bucket"] == "HELD"
    assert part["from"] == rows[3]["created_at"]
    ids = {row["posting_id"] for row in rows}
    assert len(ids) == len(rows)


def test_balances_of_the_past_are_what_the_postings_made(busy: Shop) -> None:
    path = f"/v1/participants/{busy.person}/balances"
    times = [row["created_at"] for row in reversed(walk(busy.api, "/v1/journal-entries"))]
    seen = [busy.api.get(path, as_of=at).json["data"][0] for at in times]
    assert [(row["available"], row["held"]) for row in seen] == [
        ("100.00", "0.00"), ("60.00", "40.00"), ("75.00", "25.00"), ("75.00", "20.00"),
        ("45.00", "20.00"), ("45.00", "20.00"),
    ]
    assert busy.api.get(path, as_of="2020-01-01T00:00:00Z").json["data"] == []
    error_of(busy.api.get(path, as_of="2999-01-01T00:00:00Z"), 400, "validation_error")


def test_lots_are_listed_by_their_filters(busy: Shop) -> None:
    path = f"/v1/participants/{busy.person}/balances/lots"
    rows = walk(busy.api, path, asset_id=busy.asset, limit=1)
    assert {row["status"] for row in rows} == {"AVAILABLE", "HELD"}
    assert len(walk(busy.api, path, asset_id=busy.asset, status="HELD")) == 1
    assert walk(busy.api, path, asset_id=busy.asset, program_id=ABSENT) == []
    assert walk(busy.api, path, asset_id=busy.asset, expires_before="2999-01-01T00:00:00Z") == []
    error_of(busy.api.get(path), 400, "validation_error")
    simple = busy.api.asset(busy.program, "SIMP")
    error_of(busy.api.get(path, asset_id=simple), 400, "lot_asset_required")
    error_of(busy.api.get(path, asset_id=ABSENT), 404, "not_found")


def test_a_cursor_belongs_to_its_filters(busy: Shop) -> None:
    cursor = busy.api.get("/v1/journal-entries", limit=1).json["pagination"]["next_cursor"]
    answer = busy.api.get("/v1/journal-entries", limit=1, cursor=cursor, action_type="HOLD")
    error_of(answer, 400, "invalid_request")


@pytest.mark.parametrize("filters", [
    {"action_type": "FORFEIT"}, {"min_amount": "90"}, {"bucket": "HELD"}, {"rule_id": ABSENT},
])
def test_a_page_looks_at_a_bounded_part_of_the_journal_and_the_next_goes_on(
    busy: Shop, filters: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = "/v1/journal-entries"
    whole = [row["id"] for row in walk(busy.api, path, **filters)]
    monkeypatch.setattr(journal, "SCANS", (1, 2))
    pages: list[list[str]] = []
    cursor: dict[str, str] = {}
    while True:
        page = busy.api.get(path, **filters, **cursor).json
        pages.append([row["id"] for row in page["data"]])
        if not page["pagination"]["has_more"]:
            break
        cursor = {"cursor": page["pagination"]["next_cursor"]}
    assert [one for page in pages for one in page] == whole
    assert len(pages) > 2
    assert all(len(page) <= 3 for page in pages)
