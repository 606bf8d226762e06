"""Participants: upsert, profile, status, lists, batches, enrollments."""

from typing import Any

import pytest

from app import db
from tests.api.client import ABSENT, Caller, error_of, walk

PROFILE = {
    "email": "ada@example.com", "phone": "+44 1", "first_name": "Ada", "last_name": "Lovelace",
    "display_name": "Countess",
}


def test_an_unknown_external_id_is_created_with_all_fields(api: Caller) -> None:
    program_id = api.program()
    answer = api.post("/v1/participants", {
        "external_id": "ada", "program_id": program_id, "status": "SUSPENDED",
        "attributes": {"city": "London"}, "tags": ["VIP", "vip", "early"], **PROFILE,
    })
    assert answer.status_code == 201
    body = answer.json
    stamps = {name: body.pop(name) for name in ("id", "created_at", "updated_at")}
    assert body == {
        "external_id": "ada", "status": "SUSPENDED", **PROFILE, "attributes": {"city": "London"},
        "tags": ["vip", "early"], "counters": {}, "tiers": {}, "balances": [], "program_ids": [program_id],
    }
    assert api.get(f"/v1/participants/{stamps['id']}").json == body | stamps


def test_a_known_external_id_is_updated_attributes_merge_and_tags_replace(api: Caller) -> None:
    first = api.post("/v1/participants", {
        "external_id": "ada", "attributes": {"a": "1", "b": "1"}, "tags": ["x"], "email": "a@example.com",
    }).json
    answer = api.post("/v1/participants", {
        "external_id": "ada", "attributes": {"b": "2"}, "tags": ["y"], "email": "", "first_name": "Ada",
    })
    assert answer.status_code == 200
    assert answer.json["id"] == first["id"]
    assert answer.json["attributes"] == {"a": "1", "b": "2"}
    assert answer.json["tags"] == ["y"]
    assert answer.json["first_name"] == "Ada"
    assert "email" not in answer.json


@pytest.mark.parametrize(("fields", "at_fault"), [
    ({"external_id": ""}, "external_id"), ({"external_id": "x" * 256}, "external_id"),
    ({"email": "nobody"}, "email"), ({"email": "a@" + "b" * 255 + ".com"}, "email"),
    ({"phone": "1" * 51}, "phone"), ({"first_name": 5}, "first_name"), ({"status": "GONE"}, "status"),
    ({"tags": "vip"}, "tags"), ({"tags": [""]}, "tags[0]"), ({"tags": ["a\tb"]}, "tags[0]"),
    ({"attributes": {"a": 1}}, "attributes.a"), ({"attributes": {"a": ""}}, "attributes.a"),
    ({"attributes": {"a": "ü" * 2049}}, "attributes.a"), ({"counters": {}}, "counters"),
    ({"program_id": "x"}, "program_id"),
])
def test_a_wrong_field_is_named(api: Caller, fields: dict[str, Any], at_fault: str) -> None:
    answer = api.post("/v1/participants", {"external_id": "ada", **fields})
    assert list(error_of(answer, 400, "validation_error")) == [at_fault]


def test_an_absent_program_creates_nobody(api: Caller) -> None:
    answer = api.post("/v1/participants", {"external_id": "ada", "program_id": ABSENT})
    error_of(answer, 404, "not_found")
    assert api.get("/v1/participants", external_id="ada").json["data"] == []


def test_too_many_attributes_are_refused_as_a_whole(api: Caller) -> None:
    many = {f"k{number}": "v" for number in range(500)}
    person = api.participant("ada", attributes=many)
    error_of(api.patch(f"/v1/participants/{person}", {"attributes": {"more": "v"}}), 422, "limit_exceeded")
    large = {f"k{number}": "x" * 4000 for number in range(20)}
    error_of(api.patch(f"/v1/participants/{person}", {"attributes": large}), 422, "limit_exceeded")
    assert api.get(f"/v1/participants/{person}").json["attributes"] == many


def test_a_patch_changes_what_it_names(api: Caller) -> None:
    person = api.participant("ada", tags=["a"], **PROFILE)
    path = f"/v1/participants/{person}"
    body = api.patch(path, {"external_id": "countess", "phone": "", "last_name": None, "tags": []}).json
    assert body["external_id"] == "countess"
    assert "phone" not in body
    assert "last_name" not in body
    assert body["tags"] == []
    assert body["email"] == PROFILE["email"]
    api.participant("ada")
    assert list(error_of(api.patch(path, {"external_id": "ada"}), 409, "key_exists")) == ["external_id"]


def test_the_status_is_changed_by_its_own_endpoint_in_every_direction(api: Caller) -> None:
    person = api.participant("ada")
    details = error_of(api.patch(f"/v1/participants/{person}", {"status": "CLOSED"}), 400, "validation_error")
    assert "/status" in details["status"]
    for status in ("SUSPENDED", "CLOSED", "SUSPENDED", "ACTIVE", "CLOSED", "ACTIVE"):
        answer = api.patch(f"/v1/participants/{person}/status", {"status": status})
        assert (answer.status_code, answer.json["status"]) == (200, status)
    error_of(api.patch(f"/v1/participants/{person}/status", {"status": "GONE"}), 400, "validation_error")
    error_of(api.patch(f"/v1/participants/{ABSENT}/status", {"status": "ACTIVE"}), 404, "not_found")


def test_the_list_is_slim_and_filters_searches_and_sorts(api: Caller) -> None:
    program_id = api.program()
    api.participant("c-1", first_name="Carol", program_id=program_id)
    api.participant("a-1", email="ALICE@example.com")
    middle = api.participant("b-1", display_name="50%_off", phone="12345")
    api.patch(f"/v1/participants/{middle}/status", {"status": "CLOSED"})

    def found(**query: Any) -> list[str]:
        return [row["external_id"] for row in walk(api, "/v1/participants", **query)]

    assert found() == ["b-1", "a-1", "c-1"]
    assert found(sort_by="external_id", sort_dir="asc", limit=1) == ["a-1", "b-1", "c-1"]
    assert found(sort_by="status", sort_dir="desc")[0] == "b-1"
    assert found(external_id="a-1") == ["a-1"]
    assert found(external_id="A-1") == []
    assert found(program_id=program_id) == ["c-1"]
    assert found(status="CLOSED") == ["b-1"]
    for text, hit in (("carol", "c-1"), ("alice@EX", "a-1"), ("234", "b-1"), ("50%_", "b-1"), ("C-", "c-1")):
        assert found(search=text) == [hit], text
    assert found(search="5_%") == []
    row = api.get("/v1/participants", external_id="a-1").json["data"][0]
    assert set(row) == {"id", "external_id", "status", "email", "created_at", "updated_at"}
    assert found(from_=row["created_at"]) == ["b-1", "a-1"]
    last = api.get("/v1/participants", external_id="b-1").json["data"][0]
    assert found(from_=row["created_at"], to=last["created_at"]) == ["b-1", "a-1"]
    assert found(from_="2000-01-01T00:00:00Z", to=row["created_at"]) == ["a-1", "c-1"]


def test_a_batch_tells_the_outcome_of_each_in_its_order(api: Caller) -> None:
    api.participant("known")
    answer = api.post("/v1/participants/batch", {"participants": [
        {"external_id": "new", "tags": ["a"]}, {"external_id": "known", "first_name": "K"},
        {"external_id": "lost", "program_id": ABSENT}, {"external_id": "new", "tags": ["b"]},
    ]})
    assert answer.status_code == 200
    rows = answer.json["data"]
    assert [row["status"] for row in rows] == ["created", "updated", "error", "updated"]
    assert rows[0]["id"] == rows[3]["id"]
    assert rows[2]["code"] == "not_found"
    assert api.get(f"/v1/participants/{rows[0]['id']}").json["tags"] == ["b"]
    assert api.get("/v1/participants", external_id="lost").json["data"] == []


def test_a_batch_holds_at_most_500(api: Caller) -> None:
    people = [{"external_id": f"p{number}"} for number in range(501)]
    error_of(api.post("/v1/participants/batch", {"participants": people}), 400, "validation_error")
    assert api.post("/v1/participants/batch", {"participants": people[:500]}).status_code == 200
    assert len(walk(api, "/v1/participants", limit=200)) == 500


def test_a_new_participant_is_announced_to_subscribers_and_an_update_is_not(api: Caller) -> None:
    with db.transaction() as c:
        c.execute(
            "INSERT INTO webhook_endpoints (organization_id, id, url, enabled_events, secret, created_at,"
            " updated_at) VALUES (%s, gen_random_uuid(), 'https://example.com', '{participant.created}', '',"
            " read_clock(), read_clock())", (api.organization_id,),
        )
    person = api.participant("ada", tags=["vip"], email="ada@example.com")
    api.post("/v1/participants", {"external_id": "ada", "tags": ["x"]})
    with db.connection() as c:
        rows = c.execute(
            "SELECT type, participant_id, data FROM outbox WHERE organization_id = %s", (api.organization_id,)
        ).fetchall()
    assert [(row["type"], str(row["participant_id"])) for row in rows] == [("participant.created", person)]
    data = rows[0]["data"]
    assert (data["id"], data["external_id"], data["tags"]) == (person, "ada", ["vip"])


def test_enrollments_are_listed_changed_and_ended(api: Caller) -> None:
    program_id = api.program()
    person = api.participant("ada", program_id=program_id)
    path = f"/v1/programs/{program_id}/participants"
    row = api.get(path).json["data"][0]
    assert set(row) == {"program_id", "participant_id", "external_id", "status", "enrolled_at", "updated_at"}
    assert (row["participant_id"], row["status"]) == (person, "ACTIVE")
    for status in ("FROZEN", "LOCKED", "CLOSED", "ACTIVE", "FROZEN"):
        assert api.patch(f"{path}/{person}", {"status": status}).json["status"] == status
    assert api.get(path, status="ACTIVE").json["data"] == []
    assert len(api.get(path, status="FROZEN").json["data"]) == 1
    api.post("/v1/participants", {"external_id": "ada", "program_id": program_id})
    assert len(api.get(path, status="ACTIVE").json["data"]) == 1
    assert api.delete(f"{path}/{person}").status_code == 204
    assert api.get(f"/v1/participants/{person}").json["program_ids"] == []
    error_of(api.delete(f"{path}/{person}"), 404, "not_found")
    error_of(api.patch(f"{path}/{person}", {"status": "ACTIVE"}), 404, "not_found")
    error_of(api.patch(f"{path}/{person}", {"status": "GONE"}), 400, "validation_error")


def test_enrollments_of_an_archived_program_stay_as_they_are(api: Caller) -> None:
    program_id = api.program()
    path = f"/v1/programs/{program_id}/participants"
    person = api.participant("ada", program_id=program_id)
    api.patch(f"/v1/programs/{program_id}", {"status": "ARCHIVED"})
    error_of(api.patch(f"{path}/{person}", {"status": "FROZEN"}), 409, "program_archived")
    error_of(api.delete(f"{path}/{person}"), 409, "program_archived")
    assert [row["status"] for row in api.get(path).json["data"]] == ["ACTIVE"]
