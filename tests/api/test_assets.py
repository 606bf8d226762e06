"""Assets: fields, links, life cycle, and the accounts that come with them."""

from typing import Any

import pytest

from app import db
from tests.api.client import ABSENT, Caller, error_of, walk


def _body(program_id: str, **fields: Any) -> dict[str, Any]:
    return {
        "program_id": program_id, "name": "Points", "symbol": "PTS", "inventory_mode": "SIMPLE",
        "issuance_policy": "UNLIMITED", "scale": 2, **fields,
    }


def test_an_asset_is_created_and_linked(api: Caller) -> None:
    program_id = api.program()
    answer = api.post("/v1/assets", _body(program_id, max_transaction_amount="100.5"))
    assert answer.status_code == 201
    body = answer.json
    assert set(body) == {
        "id", "name", "symbol", "inventory_mode", "issuance_policy", "scale", "max_transaction_amount",
        "program_ids", "status", "created_at", "updated_at",
    }
    assert body["program_ids"] == [program_id]
    assert body["max_transaction_amount"] == "100.50"
    assert body["status"] == "ACTIVE"
    assert api.get(f"/v1/assets/{body['id']}").json == body
    assert api.get(f"/v1/programs/{program_id}/assets").json["data"] == [body]


def test_an_asset_without_a_limit_shows_null(api: Caller) -> None:
    assert api.post("/v1/assets", _body(api.program())).json["max_transaction_amount"] is None


def test_an_asset_brings_three_system_accounts_and_a_prefunded_one_a_wallet(api: Caller) -> None:
    program_id, other_id = api.program(), api.program()
    asset_id = api.asset(program_id, issuance_policy="PREFUNDED")
    api.post(f"/v1/programs/{other_id}/assets", {"asset_id": asset_id})
    with db.connection() as c:
        rows = c.execute(
            "SELECT owner_type, id FROM accounts WHERE organization_id = %s AND asset_id = %s ORDER BY 1",
            (api.organization_id, asset_id),
        ).fetchall()
    assert [row["owner_type"] for row in rows] == [
        "PROGRAM", "PROGRAM", "SYSTEM_BREAKAGE", "SYSTEM_ISSUANCE", "SYSTEM_REDEMPTION",
    ]
    assert all((row["id"] < 0) == row["owner_type"].startswith("SYSTEM") for row in rows)


@pytest.mark.parametrize(("fields", "at_fault"), [
    ({"symbol": "A" * 17}, "symbol"), ({"symbol": ""}, "symbol"), ({"symbol": "A-B"}, "symbol"),
    ({"scale": 19}, "scale"), ({"scale": -1}, "scale"), ({"scale": "2"}, "scale"), ({"scale": 1.5}, "scale"),
    ({"inventory_mode": "lot"}, "inventory_mode"), ({"issuance_policy": None}, "issuance_policy"),
    ({"status": "ACTIVE"}, "status"),
])
def test_a_wrong_field_of_a_new_asset_is_named(api: Caller, fields: dict[str, Any], at_fault: str) -> None:
    answer = api.post("/v1/assets", _body(api.program(), **fields))
    assert list(error_of(answer, 400, "validation_error")) == [at_fault]


def test_a_limit_must_fit_the_scale(api: Caller) -> None:
    program_id = api.program()
    answer = api.post("/v1/assets", _body(program_id, scale=0, max_transaction_amount="1.5"))
    error_of(answer, 400, "invalid_amount")
    answer = api.post("/v1/assets", _body(program_id, scale=0, max_transaction_amount="5.00"))
    assert answer.json["max_transaction_amount"] == "5"


def test_a_symbol_is_unique_within_its_organization(api: Caller) -> None:
    program_id = api.program()
    api.asset(program_id, "PTS")
    answer = api.post("/v1/assets", _body(program_id, symbol="PTS"))
    assert list(error_of(answer, 409, "key_exists")) == ["symbol"]


def test_the_limit_is_set_cleared_and_left(api: Caller) -> None:
    path = f"/v1/assets/{api.asset(api.program(), scale=2)}"
    assert api.patch(path, {"max_transaction_amount": "7"}).json["max_transaction_amount"] == "7.00"
    assert api.patch(path, {"name": "Miles"}).json["max_transaction_amount"] == "7.00"
    assert api.patch(path, {"max_transaction_amount": None}).json["max_transaction_amount"] is None
    error_of(api.patch(path, {"max_transaction_amount": "0.001"}), 400, "invalid_amount")
    error_of(api.patch(path, {"symbol": "X"}), 400, "validation_error")
    error_of(api.patch(path, {"scale": 3}), 400, "validation_error")


def test_archiving_is_final_and_keeps_the_asset_readable(api: Caller) -> None:
    path = f"/v1/assets/{api.asset(api.program())}"
    archived = api.patch(path, {"status": "ARCHIVED"}).json
    assert archived["status"] == "ARCHIVED"
    assert api.get(path).json["deleted_at"] == archived["deleted_at"]
    error_of(api.patch(path, {"status": "ACTIVE"}), 400, "validation_error")
    answer = api.post(f"/v1/programs/{api.program()}/assets", {"asset_id": archived["id"]})
    error_of(answer, 422, "asset_archived")


def test_linking_twice_is_a_conflict_and_unlinking_an_unused_asset_works(api: Caller) -> None:
    first, second = api.program(), api.program()
    asset_id = api.asset(first)
    linked = api.post(f"/v1/programs/{second}/assets", {"asset_id": asset_id})
    assert linked.status_code == 200
    assert linked.json["program_ids"] == [first, second]
    error_of(api.post(f"/v1/programs/{second}/assets", {"asset_id": asset_id}), 409, "already_linked")
    assert api.delete(f"/v1/programs/{second}/assets/{asset_id}").status_code == 204
    error_of(api.delete(f"/v1/programs/{second}/assets/{asset_id}"), 404, "not_found")
    error_of(api.post(f"/v1/programs/{second}/assets", {"asset_id": ABSENT}), 404, "not_found")


def test_an_asset_with_entries_in_the_program_stays_linked(api: Caller) -> None:
    program_id = api.program()
    asset_id = api.asset(program_id)
    with db.transaction() as c:
        c.execute(
            "INSERT INTO journal_entries (organization_id, id, program_id, asset_id, action_type, created_at)"
            " VALUES (%s, 'ffffffff-ffff-7fff-8fff-ffffffffff00', %s, %s, 'CREDIT', read_clock())",
            (api.organization_id, program_id, asset_id),
        )
    error_of(api.delete(f"/v1/programs/{program_id}/assets/{asset_id}"), 409, "asset_in_use")


def test_the_list_filters_searches_and_sorts(api: Caller) -> None:
    first, second = api.program(), api.program()
    animals = ((first, "AAA", "zebra"), (first, "BBB", "yak"), (second, "CCC", "xerus"))
    for program_id, symbol, name in animals:
        api.asset(program_id, symbol, name=name)
    archived = api.asset(second, "DDD", name="walrus")
    api.patch(f"/v1/assets/{archived}", {"status": "ARCHIVED"})

    def symbols(**query: Any) -> list[str]:
        return [row["symbol"] for row in walk(api, "/v1/assets", **query)]

    assert symbols() == ["DDD", "CCC", "BBB", "AAA"]
    assert symbols(program_id=first) == ["BBB", "AAA"]
    assert symbols(status="ARCHIVED") == ["DDD"]
    assert symbols(search="yA") == ["BBB"]
    assert symbols(search="cc") == ["CCC"]
    assert symbols(sort_by="name", sort_dir="asc") == ["DDD", "CCC", "BBB", "AAA"]
    assert symbols(sort_by="symbol", sort_dir="asc", limit=1) == ["AAA", "BBB", "CCC", "DDD"]
