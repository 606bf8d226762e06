"""Redemptions of amounts and rewards, and their reversals, field by field and code by code."""

import threading
from typing import Any

import pytest

from tests.api.client import ABSENT, error_of, walk
from tests.value.conftest import Store


def test_an_amount_redemption_shows_every_field_and_posts_one_entry(store: Store) -> None:
    shown = store.spend("25.00").json
    assert {name: value for name, value in shown.items() if not name.endswith("_at")} == {
        "id": shown["id"], "participant_id": store.person, "program_id": store.program,
        "asset_id": store.asset, "amount": "25.00", "description": "x", "reversed_amount": "0.00",
        "status": "COMPLETED", "journal_entry_id": shown["journal_entry_id"],
    }
    entry = store.api.get(f"/v1/journal-entries/{shown['journal_entry_id']}").json
    assert entry["action_type"] == "REDEMPTION"
    assert {(p["entity_type"], p["amount"]) for p in entry["postings"]} == {
        ("PARTICIPANT", "-25.00"), ("SYSTEM_REDEMPTION", "25.00"),
    }
    assert store.balance() == "75.00"
    assert store.api.get(f"/v1/redemptions/{shown['id']}").json == shown


def test_a_catalogue_redemption_takes_units_at_the_price_of_its_day(store: Store) -> None:
    reward = store.reward(max_total=3)
    shown = store.take(reward, quantity=2).json
    assert (shown["amount"], shown["quantity"], shown["unit_cost"]) == ("20.00", 2, "10.00")
    assert (shown["description"], shown["reversed_quantity"]) == ("Redeemed: Gift Card", 0)
    store.change(reward, unit_cost="99.00")
    assert store.api.get(f"/v1/redemptions/{shown['id']}").json["unit_cost"] == "10.00"
    assert store.get(reward)["redeemed_count"] == 2
    assert store.give_back(shown["id"], quantity=1).json["amount"] == "10.00"
    assert store.get(reward)["redeemed_count"] == 1


def test_an_amount_based_reward_has_a_minimum(store: Store) -> None:
    reward = store.reward(redemption_type="AMOUNT_BASED", unit_cost="5.00")
    error_of(store.take(reward), 400, "invalid_amount")
    error_of(store.take(reward, amount="4.99"), 400, "invalid_amount")
    error_of(store.take(reward, quantity=1), 400, "invalid_request")
    assert store.take(reward, amount="5.00").json["amount"] == "5.00"


@pytest.mark.parametrize("quantity", [0, -1, 1.5, "1", True, 1_000_001, 10**40])
def test_units_are_positive_whole_numbers(store: Store, quantity: Any) -> None:
    reward = store.reward()
    refused = error_of(store.take(reward, quantity=quantity), 400, "invalid_quantity")
    assert list(refused) == ["quantity"]
    sold = store.take(reward, quantity=1.0).json  # JSON knows one kind of number.
    assert sold["quantity"] == 1
    if quantity not in (1_000_001, 10**40):
        refused = error_of(store.give_back(sold["id"], quantity=quantity), 400, "invalid_quantity")
        assert list(refused) == ["quantity"]
    assert store.get(reward)["redeemed_count"] == 1


def test_the_unit_of_the_other_type_is_refused(store: Store) -> None:
    error_of(store.take(store.reward(), amount="10.00"), 400, "invalid_request")


@pytest.mark.parametrize(
    ("fields", "status", "code"),
    [
        ({"status": "DRAFT"}, 422, "reward_unavailable"),
        ({"status": "ARCHIVED"}, 422, "reward_unavailable"),
        ({"available_from": "2999-01-01T00:00:00Z"}, 422, "reward_unavailable"),
        ({"available_until": "2026-01-01T00:00:00Z"}, 422, "reward_unavailable"),
        ({"max_total": 0}, 409, "max_total_exceeded"),
        ({"max_per_participant": 0}, 409, "max_per_participant_exceeded"),
        ({"unit_cost": "100.01"}, 422, "insufficient_funds"),
        ({"eligibility": '"vip" in participant.tags'}, 422, "not_eligible"),
    ],
)
def test_what_stands_in_the_way_is_named_by_the_error_and_by_the_quote(
    store: Store, fields: dict[str, Any], status: int, code: str
) -> None:
    reward = store.reward(**fields)
    error_of(store.take(reward), status, code)
    asked = store.api.post(
        f"/v1/programs/{store.program}/rewards/{reward}/quote", {"participant_id": store.person}
    ).json
    assert asked["redeemable"] is False
    assert code in [reason["code"] for reason in asked["reasons"]]
    assert store.balance() == "100.00"
    assert store.get(reward)["redeemed_count"] == 0


def test_a_quote_of_what_can_be_had_changes_nothing(store: Store) -> None:
    reward = store.reward(eligibility='"vip" in participant.tags && program.name == "Rewards"')
    store.api.put(f"/v1/participants/{store.person}/state/tags/vip")
    path = f"/v1/programs/{store.program}/rewards/{reward}/quote"
    asked = store.api.post(path, {"participant_id": store.person, "quantity": 11}).json
    assert (asked["redeemable"], asked["missing"], asked["amount"]) == (False, "10.00", "110.00")
    asked = store.api.post(path, {"participant_id": store.person, "quantity": 10}).json
    assert (asked["redeemable"], asked["missing"], asked["reasons"]) == (True, "0.00", [])
    assert store.balance() == "100.00"
    assert store.take(reward, quantity=10).status_code == 201


def test_limits_per_participant_and_in_all_count_units(store: Store) -> None:
    reward = store.reward(max_total=4, max_per_participant=3, unit_cost="1.00")
    assert store.take(reward, quantity=3).status_code == 201
    error_of(store.take(reward), 409, "max_per_participant_exceeded")
    bob = store.customer("bob", "10.00")
    error_of(store.take(reward, bob, quantity=2), 409, "max_total_exceeded")
    last = store.take(reward, bob).json
    assert store.get(reward)["status"] == "OUT_OF_STOCK"
    error_of(store.take(reward, bob), 409, "max_total_exceeded")
    store.give_back(last["id"])
    assert (store.get(reward)["status"], store.get(reward)["redeemed_count"]) == ("ACTIVE", 3)
    assert store.take(reward, bob).status_code == 201


def test_reversals_never_give_back_more_than_was_redeemed(store: Store) -> None:
    redemption = store.spend("10.00").json["id"]
    assert store.give_back(redemption, amount="3.33").json["amount"] == "3.33"
    shown = store.api.get(f"/v1/redemptions/{redemption}").json
    assert (shown["status"], shown["reversed_amount"]) == ("PARTIALLY_REVERSED", "3.33")
    error_of(store.give_back(redemption, amount="6.68"), 409, "amount_exceeds_remaining")
    error_of(store.give_back(redemption, quantity=1), 400, "invalid_request")
    assert store.give_back(redemption).json["amount"] == "6.67"
    error_of(store.give_back(redemption), 409, "already_reversed")
    assert store.api.get(f"/v1/redemptions/{redemption}").json["status"] == "FULLY_REVERSED"
    amounts = [row["amount"] for row in walk(store.api, f"/v1/redemptions/{redemption}/reversals", limit=1)]
    assert amounts == ["3.33", "6.67"]
    assert store.balance() == "100.00"


def test_units_are_reversed_in_units(store: Store) -> None:
    redemption = store.take(store.reward(), quantity=3).json["id"]
    error_of(store.give_back(redemption, amount="10.00"), 400, "invalid_request")
    error_of(store.give_back(redemption, quantity=4), 409, "quantity_exceeds_remaining")
    error_of(store.give_back(redemption, quantity=0), 400, "invalid_quantity")
    assert store.give_back(redemption, quantity=1).json["quantity"] == 1
    shown = store.api.get(f"/v1/redemptions/{redemption}").json
    assert (shown["reversed_quantity"], shown["reversed_amount"]) == (1, "10.00")
    assert store.give_back(redemption).json["quantity"] == 2


def test_a_key_redeems_once_and_another_payload_under_it_is_a_conflict(store: Store) -> None:
    first = store.spend("10.00", idempotency_key="k")
    again = store.spend("10.0", idempotency_key="k")
    assert (first.status_code, again.status_code, again.json) == (201, 200, first.json)
    assert again.headers["Idempotency-Replayed"] == "true"
    error_of(store.spend("11.00", idempotency_key="k"), 409, "idempotency_conflict")
    reward = store.reward(max_total=1)
    item = store.take(reward, idempotency_key="k")
    assert store.take(reward, idempotency_key="k").json == item.json
    undone = store.give_back(item.json["id"], idempotency_key="k")
    assert store.give_back(item.json["id"], idempotency_key="k").json == undone.json
    assert store.balance() == "90.00"


def test_who_is_not_there_enrolled_or_active_cannot_redeem(store: Store) -> None:
    reward = store.reward()
    stranger = store.api.participant("stranger")
    error_of(store.take(reward, ABSENT), 404, "not_found")
    error_of(store.take(reward, stranger), 404, "not_found")
    error_of(store.take(ABSENT), 404, "not_found")
    other = store.api.program()
    body = {"program_id": other, "reward_id": reward}
    answer = store.api.post(f"/v1/participants/{store.person}/redemptions/items", body)
    error_of(answer, 400, "reward_program_mismatch")
    store.api.patch(f"/v1/participants/{store.person}/status", {"status": "SUSPENDED"})
    error_of(store.take(reward), 409, "participant_inactive")
    store.api.patch(f"/v1/participants/{store.person}/status", {"status": "ACTIVE"})
    store.api.patch(f"/v1/programs/{store.program}", {"status": "SUSPENDED"})
    error_of(store.take(reward), 409, "program_suspended")
    store.api.patch(f"/v1/programs/{store.program}", {"status": "ARCHIVED"})
    error_of(store.take(reward), 409, "program_archived")


def test_the_target_is_the_one_of_the_redemption_s_day(store: Store) -> None:
    partner = store.api.post("/v1/ledger-entities", {"name": "Partner"}).json["id"]
    store.api.patch(f"/v1/programs/{store.program}", {
        "redemption_target_type": "LEDGER_ENTITY", "redemption_target_entity_id": partner,
    })
    first = store.spend("30.00").json["id"]
    store.api.patch(f"/v1/programs/{store.program}", {"redemption_target_type": "SYSTEM_BREAKAGE"})
    second = store.spend("1.00").json
    entry = store.api.get(f"/v1/journal-entries/{second['journal_entry_id']}").json
    assert "SYSTEM_BREAKAGE" in {posting["entity_type"] for posting in entry["postings"]}
    undone = store.give_back(first, amount="10.00").json
    entry = store.api.get(f"/v1/journal-entries/{undone['journal_entry_id']}").json
    assert {(p["entity_type"], p["amount"]) for p in entry["postings"]} == {
        ("PARTICIPANT", "10.00"), ("LEDGER_ENTITY", "-10.00"),
    }


def test_every_redemption_follows_the_target_though_processes_foresee_the_last_one(store: Store) -> None:
    """What was locked in advance may be what the program had before: it never decides where value goes."""
    partners = [store.api.post("/v1/ledger-entities", {"name": f"Partner {n}"}).json["id"] for n in range(2)]
    reward = store.reward(unit_cost="1.00")
    targets = [("LEDGER_ENTITY", partners[0]), ("LEDGER_ENTITY", partners[1]), ("SYSTEM_REDEMPTION", None),
               ("LEDGER_ENTITY", partners[0]), ("SYSTEM_BREAKAGE", None)]
    for kind, entity in targets:
        store.api.patch(f"/v1/programs/{store.program}", {
            "redemption_target_type": kind,
            **({} if entity is None else {"redemption_target_entity_id": entity}),
        })
        for made in (store.spend("1.00"), store.spend("1.00"), store.take(reward), store.take(reward)):
            assert made.status_code == 201, made.json
            entry = store.api.get(f"/v1/journal-entries/{made.json['journal_entry_id']}").json
            to = next(posting for posting in entry["postings"] if posting["entity_type"] != "PARTICIPANT")
            assert (to["entity_type"], to.get("ledger_entity_id")) == (kind, entity)


def test_the_list_filters_by_status_reward_and_time(store: Store) -> None:
    reward = store.reward()
    taken, spent = store.take(reward).json, store.spend("1.00").json
    store.give_back(spent["id"])
    path = f"/v1/participants/{store.person}/redemptions"
    assert [row["id"] for row in walk(store.api, path, limit=1)] == [spent["id"], taken["id"]]
    assert [row["id"] for row in walk(store.api, path, status="FULLY_REVERSED")] == [spent["id"]]
    assert [row["id"] for row in walk(store.api, path, reward_catalog_item_id=reward)] == [taken["id"]]
    assert walk(store.api, path, from_="2999-01-01T00:00:00Z") == []


def at_once(calls: list[Any]) -> list[Any]:
    """Make all calls at the same time and return what they gave."""
    results: list[Any] = [None] * len(calls)
    barrier = threading.Barrier(len(calls))

    def run(index: int) -> None:
        barrier.wait()
        results[index] = calls[index]()

    threads = [threading.Thread(target=run, args=(index,)) for index in range(len(calls))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def test_stock_is_exact_when_many_redeem_at_once(store: Store) -> None:
    reward = store.reward(max_total=5, unit_cost="1.00")
    people = [store.customer(f"p{i}", "2.00") for i in range(8)]
    answers = at_once([lambda person=person: store.take(reward, person) for person in people * 2])
    codes = sorted(answer.status_code for answer in answers)
    assert codes == [201] * 5 + [409] * 11
    assert {a.json["code"] for a in answers if a.status_code == 409} == {"max_total_exceeded"}
    assert (store.get(reward)["redeemed_count"], store.get(reward)["status"]) == (5, "OUT_OF_STOCK")
    assert sum(float(store.balance(person)) for person in people) == 11.0


def test_reversals_at_once_never_exceed_the_whole(store: Store) -> None:
    redemption = store.spend("10.00").json["id"]
    answers = at_once([lambda: store.give_back(redemption, amount="3.00") for _ in range(8)])
    assert sorted(answer.status_code for answer in answers) == [201] * 3 + [409] * 5
    assert store.balance() == "99.00"
