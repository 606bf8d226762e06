"""Accepting one event: the answer, replays, conflicts, refusals, and the limits of what is taken."""

from typing import Any
from uuid import UUID, uuid5

import pytest

from app.flows import backlog
from tests.api.client import ABSENT, error_of, new_caller, walk
from tests.events.scene import AT, Scene, open_scene, work


def test_the_answer_has_the_fields_of_the_contract_and_the_id_that_follows_from_the_key(scene: Scene) -> None:
    answer = scene.api.post("/v1/events", scene.body("order-1", {"type": "purchase"}))
    assert answer.status_code == 202
    assert answer.json == {
        "id": str(uuid5(UUID(scene.program), "order-1")), "program_id": scene.program,
        "participant_id": scene.person("ann"), "external_id": "ann", "idempotency_key": "order-1",
        "event_timestamp": AT, "status": "RECEIVED",
    }
    assert "Idempotency-Replayed" not in answer.headers


@pytest.mark.parametrize("known", [False, True])
def test_the_same_submission_again_is_the_same_event_as_it_stands_now(scene: Scene, known: bool) -> None:
    if known:
        scene.run("before")
    body = scene.body("order-1", {"type": "purchase", "amount": 10.5, "deep": {"a": 1, "b": [2]}})
    first = scene.api.post("/v1/events", body)
    alike = {**body, "event_data": {"deep": {"b": [2.00], "a": 1e0}, "amount": 10.50, "type": "purchase"},
             "event_timestamp": "2026-03-01T13:00:00+01:00"}
    again = scene.api.post("/v1/events", alike)
    assert again.status_code == 202
    assert again.headers["Idempotency-Replayed"] == "true"
    assert again.json == first.json
    work()
    assert scene.api.post("/v1/events", alike).json["status"] == "COMPLETED"
    assert len(walk(scene.api, "/v1/events")) == (2 if known else 1)


@pytest.mark.parametrize("change", [
    {"event_data": {"type": "purchase", "amount": 11}},
    {"event_data": {"type": "purchase", "amount": "10"}},
    {"event_timestamp": "2026-03-01T12:00:01Z"},
    {"external_id": "bob"},
    {"recipient_external_id": "bob"},
])
def test_the_same_key_with_another_payload_is_a_conflict_and_leaves_no_trace(
    scene: Scene, change: dict[str, Any]
) -> None:
    body = scene.body("order-1", {"type": "purchase", "amount": 10})
    assert scene.api.post("/v1/events", body).status_code == 202
    error_of(scene.api.post("/v1/events", {**body, **change}), 409, "idempotency_conflict")
    assert [row["external_id"] for row in walk(scene.api, "/v1/participants")] == ["ann"]
    assert len(walk(scene.api, "/v1/events")) == 1


def test_the_same_person_named_otherwise_is_another_payload(scene: Scene) -> None:
    scene.send("order-1")
    by_id = scene.body("order-1", participant_id=scene.person())
    error_of(scene.api.post("/v1/events", by_id), 409, "idempotency_conflict")


def test_the_key_may_come_in_the_header_and_belongs_to_its_program_alone(scene: Scene) -> None:
    body = scene.body()
    del body["idempotency_key"]
    answer = scene.api.send("POST", "/v1/events", body, headers={"Idempotency-Key": "k"})
    assert (answer.status_code, answer.json["idempotency_key"]) == (202, "k")
    other = open_scene(scene.api, "OTHER")
    assert other.send("k", {"type": "else"})["id"] != answer.json["id"]
    both = scene.api.send("POST", "/v1/events", {**body, "idempotency_key": "k"},
                          headers={"Idempotency-Key": "other"})
    error_of(both, 400, "invalid_request")


def test_a_client_key_cannot_stand_where_system_events_stand(scene: Scene) -> None:
    details = error_of(scene.api.post("/v1/events", scene.body("system:x")), 400, "validation_error")
    assert details == {"idempotency_key": "must not start with system:"}


@pytest.mark.parametrize(("change", "field"), [
    ({"program_id": None}, "program_id"),
    ({"program_id": "1"}, "program_id"),
    ({"idempotency_key": ""}, "idempotency_key"),
    ({"idempotency_key": "k" * 256}, "idempotency_key"),
    ({"idempotency_key": "a\x00b"}, "idempotency_key"),
    ({"event_timestamp": "2026-03-01"}, "event_timestamp"),
    ({"event_timestamp": "2026-02-30T12:00:00Z"}, "event_timestamp"),
    ({"event_timestamp": 1}, "event_timestamp"),
    ({"event_data": None}, "event_data"),
    ({"event_data": []}, "event_data"),
    ({"event_data": "text"}, "event_data"),
    ({"external_id": ""}, "external_id"),
    ({"external_id": "e" * 256}, "external_id"),
    ({"external_id": None}, "external_id"),
    ({"participant_id": "ann", "external_id": None}, "participant_id"),
    ({"recipient_id": 7}, "recipient_id"),
    ({"event_type": "SYSTEM"}, "event_type"),
])
def test_a_wrong_field_is_named_and_nothing_is_written(
    scene: Scene, change: dict[str, Any], field: str
) -> None:
    body = {**scene.body(), **change}
    assert field in error_of(scene.api.post("/v1/events", body), 400, "validation_error")
    assert walk(scene.api, "/v1/events") == []
    assert walk(scene.api, "/v1/participants") == []


@pytest.mark.parametrize("change", [
    {"participant_id": ABSENT},
    {"recipient_id": ABSENT, "recipient_external_id": "bob"},
])
def test_fields_that_exclude_each_other_are_an_invalid_request(scene: Scene, change: dict[str, Any]) -> None:
    body = {**scene.body(external_id="ann"), **change}
    error_of(scene.api.post("/v1/events", body), 400, "invalid_request")


@pytest.mark.parametrize(("text", "code"), [
    ('{"a": 1e100}', "validation_error"),
    ('{"a": 1e-101}', "validation_error"),
    ('{"a": %s}' % ("1" * 61), "validation_error"),
    ('{"a": "\\u0000"}', "validation_error"),
    ('{"a\\u0000": 1}', "validation_error"),
    ('{"a": "\\ud800"}', "validation_error"),
    ('{"a": 1, "a": 2}', "invalid_request"),
    ('{"a": NaN}', "invalid_request"),
    ('{"a": ' + '{"a":' * 32 + "1" + "}" * 33, "validation_error"),
    ('{"a": ' + "[" * 32 + "]" * 32 + "}", "validation_error"),
    ('{"a": ' + "[" * 20_000 + "]" * 20_000 + "}", "validation_error"),
    ('{"a": "%s"}' % ("x" * 65_536), "validation_error"),
    ('{"a": "%s"}' % ("x" * 1_100_000), "payload_too_large"),
])
def test_data_that_no_rule_should_meet_is_refused(scene: Scene, text: str, code: str) -> None:
    head = (
        f'{{"program_id":"{scene.program}","idempotency_key":"k","external_id":"ann",'
        f'"event_timestamp":"{AT}","event_data":'
    )
    answer = scene.api.send("POST", "/v1/events", data=head + text + "}", content_type="application/json")
    error_of(answer, 413 if code == "payload_too_large" else 400, code)
    assert walk(scene.api, "/v1/events") == []


@pytest.mark.parametrize("data", [
    {},
    {"type": None},
    {"type": ["a", "list"]},
    {"large": 5e20, "small": 1e-100, "exact": 0.1, "negative": -0.0},
    {"text": "x" * 65_000},
    {"deep": [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]},
    {"ünï": "\U0001f600", "": "empty name", "tab": "\t"},
])
def test_data_within_the_limits_comes_back_as_it_was_sent(scene: Scene, data: dict[str, Any]) -> None:
    shown = scene.run("k", data)
    assert shown["event_data"] == data
    assert shown["status"] == "COMPLETED"


def test_numbers_keep_their_digits_and_each_digit_counts(scene: Scene) -> None:
    body = (
        f'{{"program_id":"{scene.program}","idempotency_key":"k","external_id":"ann",'
        f'"event_timestamp":"{AT}","event_data":{{"a":12345678901234567890.1234567890123456789,"b":10.50}}}}'
    )
    sent = scene.api.send("POST", "/v1/events", data=body, content_type="application/json")
    text = scene.api.get(f"/v1/events/{sent.json['id']}").get_data(as_text=True)
    assert '"event_data":{"a":12345678901234567890.1234567890123456789,"b":10.50}' in text
    other = body.replace("6789,", "6788,")
    answer = scene.api.send("POST", "/v1/events", data=other, content_type="application/json")
    error_of(answer, 409, "idempotency_conflict")


def test_an_unknown_program_is_not_found_and_an_inactive_one_takes_nothing_new(scene: Scene) -> None:
    error_of(scene.api.post("/v1/events", scene.body(program_id=ABSENT)), 404, "not_found")
    scene.send("before")
    scene.api.patch(f"/v1/programs/{scene.program}", {"status": "SUSPENDED"})
    error_of(scene.api.post("/v1/events", scene.body("new")), 422, "program_inactive")
    replay = scene.api.post("/v1/events", scene.body("before"))
    assert replay.status_code == 202, "what was accepted stays accepted"


def test_another_organizations_program_does_not_exist(scene: Scene, http: Any) -> None:
    stranger = new_caller(http)
    error_of(stranger.post("/v1/events", scene.body()), 404, "not_found")
    own = scene.send("k")
    error_of(stranger.get(f"/v1/events/{own['id']}"), 404, "not_found")
    error_of(stranger.post(f"/v1/events/{own['id']}/retry"), 404, "not_found")


def test_a_full_queue_takes_no_more_and_says_when_to_come_back(
    scene: Scene, redis_client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backlog, "_seen", [0.0, 0.0])
    redis_client.set(backlog.DEPTH_KEY, 5_000_000)
    answer = scene.api.post("/v1/events", scene.body())
    error_of(answer, 429, "too_many_requests")
    assert int(answer.headers["Retry-After"]) > 0
