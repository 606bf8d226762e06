"""The catalogue: fields, statuses, limits, and what changes of a reward."""

import pytest

from tests.api.client import ABSENT, error_of, walk
from tests.value.conftest import Store


def test_a_reward_shows_every_field(store: Store) -> None:
    reward = store.reward(
        description="d", category="c", max_total=5, max_per_participant=2, metadata={"sku": [1, 2.50]},
        available_from="2026-01-01T00:00:00Z", available_until="2999-01-01T00:00:00Z",
        eligibility='"vip" in participant.tags',
    )
    shown = store.get(reward)
    assert {name: value for name, value in shown.items() if not name.endswith("_at")} == {
        "id": reward, "program_id": store.program, "name": "Gift Card", "description": "d", "category": "c",
        "redemption_type": "UNIT_BASED", "asset_id": store.asset, "unit_cost": "10.00", "max_total": 5,
        "max_per_participant": 2, "status": "ACTIVE", "available_from": "2026-01-01T00:00:00Z",
        "available_until": "2999-01-01T00:00:00Z", "eligibility": '"vip" in participant.tags',
        "metadata": {"sku": [1, 2.5]}, "redeemed_count": 0,
    }


def test_names_are_unique_in_a_program(store: Store) -> None:
    store.reward()
    other = store.reward("Other")
    error_of(store.make(), 409, "key_exists")
    error_of(store.change(other, name="Gift Card"), 409, "key_exists")


@pytest.mark.parametrize(
    ("fields", "status", "code", "field"),
    [
        ({"unit_cost": "0"}, 400, "invalid_amount", "unit_cost"),
        ({"unit_cost": "1.001"}, 400, "invalid_amount", "unit_cost"),
        ({"redemption_type": "AMOUNT_BASED", "max_total": 1}, 400, "invalid_request", "max_total"),
        ({"redemption_type": "AMOUNT_BASED", "max_per_participant": 1}, 400, "invalid_request",
         "max_per_participant"),
        ({"asset_id": ABSENT}, 404, "not_found", None),
        ({"max_total": -1}, 400, "validation_error", "max_total"),
        ({"eligibility": "event.amount > 1"}, 400, "validation_error", "eligibility"),
        ({"eligibility": "participant.tags +"}, 400, "validation_error", "eligibility"),
        ({"available_from": "2026-02-01T00:00:00Z", "available_until": "2026-02-01T00:00:00Z"}, 400,
         "validation_error", "available_from"),
        ({"name": ""}, 400, "validation_error", "name"),
        ({"colour": "red"}, 400, "validation_error", "colour"),
    ],
)
def test_what_no_redemption_could_honour_is_refused(
    store: Store, fields: dict[str, object], status: int, code: str, field: str | None
) -> None:
    details = error_of(store.make(**fields), status, code)
    assert field is None or field in details
    assert walk(store.api, f"/v1/programs/{store.program}/rewards") == []


def test_an_asset_of_another_program_is_not_linked(store: Store) -> None:
    elsewhere = store.api.asset(store.api.program(), "ELSE")
    error_of(store.make(asset_id=elsewhere), 400, "asset_not_linked")


def test_archived_is_final_and_hidden(store: Store) -> None:
    reward = store.reward()
    store.reward("Stays")
    assert store.change(reward, status="ARCHIVED").json["status"] == "ARCHIVED"
    error_of(store.change(reward, status="ACTIVE"), 422, "reward_unavailable")
    path = f"/v1/programs/{store.program}/rewards"
    assert [row["name"] for row in walk(store.api, path)] == ["Stays"]
    assert len(walk(store.api, path, include_archived="true")) == 2
    assert [row["id"] for row in walk(store.api, path, status="ARCHIVED")] == [reward]


def test_the_list_sorts_searches_and_pages(store: Store) -> None:
    for name in ("Mug", "Gift small", "gift large", "Cap"):
        store.reward(name)
    path = f"/v1/programs/{store.program}/rewards"
    by_name = walk(store.api, path, sort_by="name", sort_dir="asc", limit=1)
    assert [row["name"] for row in by_name] == ["Cap", "Gift small", "Mug", "gift large"]
    assert {row["name"] for row in walk(store.api, path, search="GIFT")} == {"Gift small", "gift large"}
    assert walk(store.api, path)[0]["name"] == "Cap"


def test_null_clears_and_absent_leaves(store: Store) -> None:
    reward = store.reward(max_total=5, category="c", eligibility="true")
    shown = store.change(reward, max_total=None, eligibility=None).json
    assert (shown["max_total"], shown["category"], "eligibility" in shown) == (None, "c", False)
    error_of(store.change(reward, name=None), 400, "validation_error")


def test_raising_the_stock_reopens_and_lowering_it_closes(store: Store) -> None:
    reward = store.reward(max_total=2)
    store.take(reward, quantity=2)
    assert store.get(reward)["status"] == "OUT_OF_STOCK"
    assert store.change(reward, max_total=3).json["status"] == "ACTIVE"
    assert store.change(reward, max_total=1).json["status"] == "OUT_OF_STOCK"
    assert store.change(reward, max_total=None).json["status"] == "ACTIVE"


def test_a_reward_is_found_only_under_its_program(store: Store) -> None:
    reward = store.reward()
    other = store.api.program()
    error_of(store.api.get(f"/v1/programs/{other}/rewards/{reward}"), 404, "not_found")
    error_of(store.api.get(f"/v1/programs/{store.program}/rewards/{ABSENT}"), 404, "not_found")
    error_of(store.api.patch(f"/v1/programs/{other}/rewards/{reward}", {"name": "x"}), 404, "not_found")
