"""Export and erasure: everything is handed out, and nothing that tells of the person is left anywhere."""

import json
from typing import Any

from app import db
from app.api.application import Florin
from app.flows.due import STEPS
from app.flows.erase import KIND
from app.flows.lanes import Lane
from tests.api.client import ABSENT, Caller, error_of, walk
from tests.events.scene import work

NAME = "grace-hopper-1906"
SECRET = "compiler-inventor"


def _person(api: Caller) -> tuple[str, str]:
    """Make a participant whose name and secret stand in everything that can hold them."""
    program_id = api.program()
    asset_id = api.asset(program_id, inventory_mode="LOT")
    person = api.participant(
        NAME,
        program_id=program_id,
        email=f"{SECRET}@example.com",
        tags=[SECRET],
        attributes={SECRET: SECRET},
    )
    api.put(f"/v1/participants/{person}/state/counters/visits", {"value": "3"})
    answer = api.post(
        f"/v1/participants/{person}/balances/adjust",
        {
            "program_id": program_id,
            "asset_id": asset_id,
            "type": "CREDIT",
            "amount": "7",
            "description": SECRET,
            "idempotency_key": "once",
        },
    )
    assert answer.status_code == 200, answer.json
    answer = api.post(
        "/v1/events",
        {
            "program_id": program_id,
            "external_id": NAME,
            "idempotency_key": "e1",
            "event_timestamp": "2026-01-01T00:00:00Z",
            "event_data": {"type": "x", "who": SECRET},
        },
    )
    assert answer.status_code == 202, answer.json
    answer = api.post(
        "/v1/events",
        {
            "program_id": program_id,
            "external_id": "other",
            "recipient_external_id": NAME,
            "idempotency_key": "e2",
            "event_timestamp": "2026-01-01T00:00:00Z",
            "event_data": {"type": "x"},
        },
    )
    assert answer.status_code == 202, answer.json
    return person, asset_id


def _all_text(organization_id: object) -> dict[str, str]:
    """Return everything that the database holds of an organization, by table."""
    found = {}
    with db.connection() as c:
        tables = c.execute(
            "SELECT table_name AS name FROM information_schema.columns"
            " WHERE table_schema = 'public' AND column_name = 'organization_id'"
        ).fetchall()
        for table in tables:
            rows = c.execute(
                f"SELECT t::text AS row FROM {table['name']} t WHERE organization_id = %s",
                (organization_id,),
            ).fetchall()
            found[table["name"]] = "\n".join(row["row"] for row in rows)
    return found


def _erase_all() -> None:
    with db.transaction() as c:
        c.execute("UPDATE due_work SET due_at = '2000-01-01' WHERE kind = %s", (KIND,))
    while True:
        with db.transaction() as c:
            if not STEPS[Lane.ERASURES](c).more:
                return


def test_an_export_holds_everything(api: Caller) -> None:
    person, _ = _person(api)
    answer = api.get(f"/v1/participants/{person}/export")
    assert answer.status_code == 200
    body = answer.json
    assert body["participant"]["external_id"] == NAME
    assert [row["amount"] for row in body["transactions"]] == ["7"]
    assert [row["remaining"] for row in body["lots"]] == ["7"]
    assert [row["event_data"]["who"] for row in body["events"]] == [SECRET]
    assert len(body["enrollments"]) == 1
    assert SECRET in json.dumps(body["state_history"])
    assert body["truncated"] == []
    error_of(api.get(f"/v1/participants/{ABSENT}/export"), 404, "not_found")


def test_after_an_erasure_no_table_tells_of_the_person(api: Caller, application: Florin) -> None:
    person, asset_id = _person(api)
    application.server.recorder.flush()
    before = _all_text(api.organization_id)
    telling = {table for table, text in before.items() if NAME in text or SECRET in text}
    assert {"participants", "owners", "events", "journal_texts", "state_history", "request_logs"} <= telling
    assert api.delete(f"/v1/participants/{person}").status_code == 204
    shown = api.get(f"/v1/participants/{person}").json
    assert shown["external_id"] == f"erased-{person}"
    assert (shown["status"], shown["tags"], shown["attributes"]) == ("CLOSED", [], {})
    application.server.recorder.flush()
    _erase_all()
    after = _all_text(api.organization_id)
    left: dict[str, Any] = {table: text for table, text in after.items() if NAME in text or SECRET in text}
    assert left == {}
    assert api.get(f"/v1/participants/{person}").json["balances"] == [
        {"asset_id": asset_id, "available": "7", "held": "0", "deferred": "0"}
    ]
    for table in ("journal_entries", "postings"):
        assert after[table] == before[table]


def test_an_erasure_may_be_repeated_and_touches_nobody_else(api: Caller) -> None:
    person, _ = _person(api)
    other = api.participant("other-person", email="other@example.com", attributes={"a": "b"})
    for _ in range(2):
        assert api.delete(f"/v1/participants/{person}").status_code == 204
        _erase_all()
    shown = api.get(f"/v1/participants/{other}").json
    assert (shown["email"], shown["attributes"]) == ("other@example.com", {"a": "b"})
    error_of(api.delete(f"/v1/participants/{ABSENT}"), 404, "not_found")
    assert api.post("/v1/participants", {"external_id": NAME}).status_code == 201


def test_who_was_erased_stays_closed_and_nameless(api: Caller) -> None:
    person, _ = _person(api)
    path = f"/v1/participants/{person}"
    program = api.get(path).json["program_ids"][0]
    api.delete(path)
    for answer in (
        api.put(f"{path}/state/tags", {"tags": [SECRET]}),
        api.put(f"{path}/state/tags/{SECRET}"),
        api.delete(f"{path}/state/tags/{SECRET}"),
        api.put(f"{path}/state/counters/visits", {"value": "1"}),
        api.patch(f"{path}/state/attributes", {"attributes": {SECRET: SECRET}}),
        api.put(f"{path}/state/attributes/{SECRET}", {"value": SECRET}),
        api.delete(f"{path}/state/attributes/{SECRET}"),
        api.patch(f"/v1/programs/{program}/participants/{person}", {"status": "ACTIVE"}),
        api.delete(f"/v1/programs/{program}/participants/{person}"),
        api.patch(f"{path}/status", {"status": "ACTIVE"}),
        api.patch(path, {"first_name": NAME}),
        api.patch(path, {"external_id": NAME}),
        api.post("/v1/participants", {"external_id": f"erased-{person}", "status": "ACTIVE"}),
    ):
        error_of(answer, 409, "participant_inactive")
    batch = api.post("/v1/participants/batch", {"participants": [{"external_id": f"erased-{person}"}]})
    assert batch.json["data"][0]["code"] == "participant_inactive"
    gone = {"external_id": f"erased-{person}", "program_id": ABSENT}
    error_of(api.post("/v1/participants", gone), 404, "not_found")
    shown = api.get(path).json
    assert (shown["status"], shown["external_id"]) == ("CLOSED", f"erased-{person}")
    assert "first_name" not in shown
    assert (shown["tags"], shown["attributes"]) == ([], {})
    # Who only closed an account is not forgotten: tags and attributes stay open.
    closed = api.participant("closed", status="CLOSED")
    assert api.put(f"/v1/participants/{closed}/state/tags", {"tags": ["left"]}).status_code == 200


def _rule(api: Caller, program_id: str, **action: str) -> None:
    answer = api.post("/v1/rules", {
        "program_id": program_id, "name": action["type"], "condition": "true", "actions": [action],
    })
    assert answer.status_code == 201, answer.json


def test_groups_and_events_of_who_was_erased_show_ids_and_amounts(api: Caller) -> None:
    person, asset_id = _person(api)
    program = api.get(f"/v1/participants/{person}").json["program_ids"][0]
    _rule(api, program, type="CREDIT", asset_id=asset_id, amount="2", description="for {{ event.who }}")
    _rule(api, program, type="TAG", tag=SECRET)
    work()
    group = f"/v1/groups/{api.group(person, api.participant('friend'))}"
    given = {"program_id": program, "asset_id": asset_id, "type": "CREDIT", "amount": "5", "description": "d"}
    assert api.post(f"{group}/balances/adjust", given).status_code == 200
    rows = walk(api, "/v1/events", participant_id=person)
    assert [row["external_id"] for row in rows] == [NAME]
    event, other = rows[0]["id"], walk(api, "/v1/events", external_id="other")[0]["id"]
    entry = api.get(f"/v1/events/{event}").json["rule_evaluations"][0]["actions"][0]["journal_entry_id"]
    before = [api.get(path).json for path in (group, f"{group}/members", f"/v1/events/{event}")]
    assert api.delete(f"/v1/participants/{person}").status_code == 204
    _erase_all()

    shown = api.get(f"/v1/events/{event}").json
    forgotten = {"event_data": {}, "external_id": f"erased-{person}", "rule_evaluations": []}
    assert shown == {**before[2], **forgotten}
    assert api.get("/v1/events/by-key", program_id=program, idempotency_key="e1").json == shown
    assert walk(api, "/v1/events", external_id=NAME) == []
    assert [row["event_data"] for row in walk(api, "/v1/events", participant_id=person)] == [{}]
    explained = api.get(f"/v1/events/{event}/explain").json
    assert (explained["explained"], SECRET in json.dumps(explained)) == (False, False)
    theirs = api.get(f"/v1/events/{other}").json
    assert (theirs["recipient_id"], theirs["event_data"]) == (person, {"type": "x"})
    posted = api.get(f"/v1/journal-entries/{entry}").json
    assert sorted(each["amount"] for each in posted["postings"]) == ["-2", "2"]
    assert SECRET not in json.dumps(posted)

    assert api.get(group).json == before[0]
    members = api.get(f"{group}/members").json
    for row in before[1]["data"]:
        row["external_id"] = row["external_id"].replace(NAME, f"erased-{person}")
    assert members == before[1]
    enrolled = walk(api, f"/v1/programs/{program}/participants", status="CLOSED")
    assert [row["external_id"] for row in enrolled] == [f"erased-{person}"]


def test_no_event_is_taken_about_who_was_erased_and_the_name_is_free(api: Caller) -> None:
    person, _ = _person(api)
    program = api.get(f"/v1/participants/{person}").json["program_ids"][0]
    api.delete(f"/v1/participants/{person}")
    body = {
        "program_id": program, "idempotency_key": "new", "event_timestamp": "2026-01-01T00:00:00Z",
        "event_data": {"who": SECRET},
    }
    for who, code in (
        ({"participant_id": person}, "participant_not_found"),
        ({"external_id": f"erased-{person}"}, "participant_not_found"),
        ({"external_id": "other", "recipient_id": person}, "recipient_not_found"),
        ({"external_id": "other", "recipient_external_id": f"erased-{person}"}, "recipient_not_found"),
    ):
        error_of(api.post("/v1/events", {**body, **who}), 422, code)
        batch = api.post("/v1/events/batch", {"events": [{**body, **who}]}).json
        assert batch["results"][0]["code"] == code
    fresh = api.post("/v1/events", {**body, "external_id": NAME})
    assert fresh.status_code == 202
    assert fresh.json["participant_id"] != person
    # Another's name that only begins like a pseudonym is a name like any other.
    assert api.post("/v1/events", {
        **body, "external_id": f"erased-{ABSENT}", "idempotency_key": "like",
    }).status_code == 202


def test_what_an_event_wrote_that_waited_through_an_erasure_is_forgotten_too(api: Caller) -> None:
    person, _ = _person(api)
    program = api.get(f"/v1/participants/{person}").json["program_ids"][0]
    _rule(api, program, type="SET_ATTRIBUTE", key="who", value="{{ event.who }}")
    api.delete(f"/v1/participants/{person}")
    work()
    assert api.get(f"/v1/participants/{person}").json["attributes"] == {"who": SECRET}
    _erase_all()
    assert api.get(f"/v1/participants/{person}").json["attributes"] == {}
    after = _all_text(api.organization_id)
    assert {table for table, text in after.items() if SECRET in text} <= {"rules", "rule_history"}
