"""Programs: fields, filters, life cycle."""

from typing import Any

import pytest

from tests.api.client import ABSENT, Caller, error_of, walk


def test_a_program_is_created_with_its_defaults(api: Caller) -> None:
    answer = api.post("/v1/programs", {"name": "Rewards"})
    assert answer.status_code == 201
    body = answer.json
    assert set(body) == {
        "id", "name", "on_unknown_participant", "status", "redemption_target_type", "reversal_grace",
        "created_at", "updated_at",
    }
    assert body["on_unknown_participant"] == "CREATE"
    assert body["status"] == "ACTIVE"
    assert body["redemption_target_type"] == "SYSTEM_REDEMPTION"
    assert body["reversal_grace"] == "720h"
    assert body["created_at"] == body["updated_at"]
    assert body["created_at"].endswith("Z")
    assert api.get(f"/v1/programs/{body['id']}").json == body


def test_a_program_is_created_with_all_fields(api: Caller) -> None:
    fields = {
        "name": "x" * 255, "description": "y" * 1000, "on_unknown_participant": "REJECT",
        "reversal_grace": "1h30m",
    }
    body = api.post("/v1/programs", fields).json
    assert {name: body[name] for name in fields} == fields


@pytest.mark.parametrize(("fields", "at_fault"), [
    ({}, "name"), ({"name": "x" * 256}, "name"), ({"name": "x", "description": "y" * 1001}, "description"),
    ({"name": "x", "on_unknown_participant": "MAYBE"}, "on_unknown_participant"),
    ({"name": "x", "status": "ACTIVE"}, "status"), ({"name": "x", "reversal_grace": "1d"}, "reversal_grace"),
    ({"name": "x\ny"}, "name"),
])
def test_a_wrong_field_of_a_new_program_is_named(api: Caller, fields: dict[str, Any], at_fault: str) -> None:
    assert list(error_of(api.post("/v1/programs", fields), 400, "validation_error")) == [at_fault]


def test_only_present_fields_change(api: Caller) -> None:
    program_id = api.program(description="old")
    answer = api.patch(f"/v1/programs/{program_id}", {"name": "New"})
    assert answer.status_code == 200
    assert (answer.json["name"], answer.json["description"]) == ("New", "old")
    assert answer.json["updated_at"] > answer.json["created_at"]
    assert "description" not in api.patch(f"/v1/programs/{program_id}", {"description": None}).json
    assert list(error_of(
        api.patch(f"/v1/programs/{program_id}", {"name": None}), 400, "validation_error"
    )) == ["name"]


def test_an_archived_program_accepts_nothing_but_its_return(api: Caller) -> None:
    program_id = api.program()
    path = f"/v1/programs/{program_id}"
    assert "deleted_at" in api.patch(path, {"status": "ARCHIVED"}).json
    error_of(api.patch(path, {"name": "x"}), 409, "program_archived")
    error_of(api.put(f"{path}/state/tags", {"tags": ["a"]}), 409, "program_archived")
    error_of(api.post("/v1/assets", {
        "program_id": program_id, "name": "x", "symbol": "X", "inventory_mode": "LOT",
        "issuance_policy": "UNLIMITED", "scale": 2,
    }), 409, "program_archived")
    assert api.get(path).json["status"] == "ARCHIVED"
    returned = api.patch(path, {"status": "ACTIVE", "name": "Back"}).json
    assert (returned["status"], returned["name"]) == ("ACTIVE", "Back")
    assert "deleted_at" not in returned
    assert api.patch(path, {"status": "SUSPENDED"}).json["status"] == "SUSPENDED"
    assert api.patch(path, {"name": "x"}).status_code == 200


def test_the_redemption_target_and_its_entity_agree(api: Caller) -> None:
    path = f"/v1/programs/{api.program()}"
    entity_id = api.post("/v1/ledger-entities", {"name": "Partner"}).json["id"]
    with_entity = {"redemption_target_type": "LEDGER_ENTITY", "redemption_target_entity_id": entity_id}
    assert api.patch(path, with_entity).json["redemption_target_entity_id"] == entity_id
    error_of(api.patch(path, {"redemption_target_type": "LEDGER_ENTITY"}), 400, "invalid_request")
    wrong = {**with_entity, "redemption_target_type": "SYSTEM_BREAKAGE"}
    error_of(api.patch(path, wrong), 400, "invalid_request")
    error_of(api.patch(path, {"redemption_target_entity_id": entity_id}), 400, "invalid_request")
    absent = {**with_entity, "redemption_target_entity_id": ABSENT}
    error_of(api.patch(path, absent), 404, "not_found")
    cleared = api.patch(path, {"redemption_target_type": "SYSTEM_BREAKAGE"}).json
    assert "redemption_target_entity_id" not in cleared


def test_checks_follow_their_order_shape_existence_state(api: Caller) -> None:
    archived = f"/v1/programs/{api.program()}"
    api.patch(archived, {"status": "ARCHIVED"})
    broken = {"redemption_target_type": "LEDGER_ENTITY"}
    whole = {**broken, "redemption_target_entity_id": ABSENT}
    for path in (f"/v1/programs/{ABSENT}", archived):
        error_of(api.patch(path, broken), 400, "invalid_request")
        error_of(api.patch(path, {"redemption_target_entity_id": ABSENT}), 400, "invalid_request")
        error_of(api.patch(path, whole), 404, "not_found")
        error_of(api.post(f"{path}/assets", {"asset_id": ABSENT}), 404, "not_found")
        error_of(api.delete(f"{path}/assets/{ABSENT}"), 404, "not_found")
    error_of(api.patch(archived, {"status": "ARCHIVED"}), 409, "program_archived")


def test_the_list_filters_searches_and_sorts(api: Caller) -> None:
    for name in ("alpha", "beta 100%", "gamma_x", "delta"):
        api.program(name=name)
    archived = api.program(name="Old")
    api.patch(f"/v1/programs/{archived}", {"status": "ARCHIVED"})

    def names(**query: Any) -> list[str]:
        return [row["name"] for row in walk(api, "/v1/programs", **query)]

    assert names() == ["delta", "gamma_x", "beta 100%", "alpha"]
    assert names(sort_dir="asc") == ["alpha", "beta 100%", "gamma_x", "delta"]
    assert names(sort_by="name", sort_dir="asc") == ["alpha", "beta 100%", "delta", "gamma_x"]
    assert names(include_archived="true")[0] == "Old"
    assert names(status="ARCHIVED") == ["Old"]
    assert names(search="ALPH") == ["alpha"]
    assert names(search="0%") == ["beta 100%"]
    assert names(search="a_x") == ["gamma_x"]
    assert names(search="nothing") == []
    assert names(limit=1, sort_by="name") == names(sort_by="name")


def test_an_absent_program_is_not_found_on_every_path(api: Caller) -> None:
    asset_id = api.asset(api.program())
    for answer in (
        api.get(f"/v1/programs/{ABSENT}"), api.patch(f"/v1/programs/{ABSENT}", {"name": "x"}),
        api.get(f"/v1/programs/{ABSENT}/assets"), api.get(f"/v1/programs/{ABSENT}/participants"),
        api.post(f"/v1/programs/{ABSENT}/assets", {"asset_id": asset_id}),
    ):
        assert error_of(answer, 404, "not_found") == {}
        assert answer.json["message"] == "Program not found"
