"""Accepting many events in one request: each item stands alone, order is the array's."""

import json
from typing import Any

import pytest

from app import db
from app.flows import ingest
from tests.api.client import ABSENT, error_of, walk
from tests.events.scene import AT, Scene, counter, set_attribute, work


def send(scene: Scene, items: list[Any]) -> dict[str, Any]:
    """Send a batch and return the answer."""
    answer = scene.api.post("/v1/events/batch", {"events": items})
    assert answer.status_code == 202, answer.json
    return dict(answer.json)


def test_the_answer_has_one_result_for_each_item_in_its_place(scene: Scene) -> None:
    good, bad = scene.body("a"), scene.body("b", external_id="")
    answer = send(scene, [good, bad, scene.body("c")])
    assert {name: answer[name] for name in ("total", "success_count", "error_count")} == {
        "total": 3, "success_count": 2, "error_count": 1,
    }
    assert [(each["index"], each["status"]) for each in answer["results"]] == [
        (0, "accepted"), (1, "error"), (2, "accepted"),
    ]
    first, second, _ = answer["results"]
    assert set(first) == {"index", "status", "event"}
    assert first["event"] == scene.api.post("/v1/events", good).json
    assert second == {
        "index": 1, "status": "error", "error": "external_id must have at least 1 character",
        "code": "validation_error", "message": second["message"],
        "details": {"external_id": "must have at least 1 character"},
    }


@pytest.mark.parametrize(("change", "error"), [
    ({"program_id": ABSENT}, "Program not found"), ({"program_id": "x"}, "program_id must be a UUID"),
    ({"idempotency_key": "", "external_id": ""},
     "idempotency_key must have at least 1 character; external_id must have at least 1 character"),
])
def test_the_error_of_an_item_says_all_in_a_line(scene: Scene, change: dict[str, Any], error: str) -> None:
    (result,) = send(scene, [{**scene.body(), **change}])["results"]
    assert result["error"] == error


@pytest.mark.parametrize(("change", "code"), [
    ({"program_id": ABSENT}, "not_found"),
    ({"program_id": "x"}, "validation_error"),
    ({"participant_id": ABSENT, "external_id": None}, "participant_not_found"),
    ({"recipient_id": ABSENT}, "recipient_not_found"),
    ({"participant_id": ABSENT}, "invalid_request"),
    ({"event_data": []}, "validation_error"),
    ({"event_data": {"text": "x" * 70_000}}, "validation_error"),
    ({"event_data": {"text": "\x00"}}, "validation_error"),
    ({"event_data": {"text": "\ud800"}}, "validation_error"),
    ({"event_data": {"number": 10**60}}, "validation_error"),
    ({"unknown": 1}, "validation_error"),
    ({"idempotency_key": "first", "event_data": {"type": "other"}}, "idempotency_conflict"),
])
def test_a_refused_item_leaves_no_trace_and_the_others_are_accepted(
    scene: Scene, change: dict[str, Any], code: str
) -> None:
    bad = {**scene.body("bad", external_id="bob"), **change}
    answer = send(scene, [scene.body("first"), bad, scene.body("last")])
    assert [each["status"] for each in answer["results"]] == ["accepted", "error", "accepted"]
    assert answer["results"][1]["code"] == code
    assert {row["idempotency_key"] for row in walk(scene.api, "/v1/events")} == {"first", "last"}
    assert [row["external_id"] for row in walk(scene.api, "/v1/participants")] == ["ann"]


@pytest.mark.parametrize("item", [None, 1, "text", [], {}])
def test_an_item_that_is_no_event_is_refused_at_its_place(scene: Scene, item: Any) -> None:
    answer = send(scene, [item, scene.body()])
    assert [each["status"] for each in answer["results"]] == ["error", "accepted"]


@pytest.mark.parametrize("broken", [
    '{"number": 1e999}', '{"twice": 1, "twice": 2}', '{"deep": ' + "[" * 100 + "]" * 100 + "}",
])
def test_what_could_not_even_be_read_breaks_its_own_item_only(scene: Scene, broken: str) -> None:
    good = json.dumps(scene.body("good"))
    bad = json.dumps(scene.body("bad", {"here": 1})).replace('{"here": 1}', broken)
    answer = scene.api.send(
        "POST", "/v1/events/batch", data=f'{{"events": [{bad}, {good}]}}', content_type="application/json"
    )
    assert answer.status_code == 202, answer.json
    assert [each["status"] for each in answer.json["results"]] == ["error", "accepted"]


@pytest.mark.parametrize("body", [
    {"events": []}, {"events": [{}] * 101}, {"events": {}}, {}, {"events": [{}], "more": 1},
])
def test_a_batch_has_one_to_a_hundred_items_and_nothing_else(scene: Scene, body: Any) -> None:
    error_of(scene.api.post("/v1/events/batch", body), 400, "validation_error")


@pytest.mark.parametrize("text", ['{"events": [', '{"events": [NaN]}', '{"events": [1,]}', "[]"])
def test_what_is_no_json_is_an_error_of_the_request(scene: Scene, text: str) -> None:
    answer = scene.api.send("POST", "/v1/events/batch", data=text, content_type="application/json")
    assert answer.status_code == 400


@pytest.mark.parametrize("value", [r'"\u0000"', r'"\ud800"', "1e999", "9" * 61])
def test_a_body_without_events_whose_value_cannot_be_kept_is_refused(scene: Scene, value: str) -> None:
    answer = scene.api.send(
        "POST", "/v1/events/batch", data=f'{{"name": {value}}}', content_type="application/json"
    )
    error_of(answer, 400, "validation_error")


def test_a_key_that_occurs_twice_is_one_event_or_a_conflict(scene: Scene) -> None:
    one = scene.body("k", {"type": "purchase", "amount": 10})
    same = {**one, "event_data": {"amount": 10.0, "type": "purchase"}}
    other = {**one, "event_data": {"type": "purchase", "amount": 11}}
    results = send(scene, [one, same, other])["results"]
    assert results[0]["event"] == results[1]["event"]
    assert (results[2]["status"], results[2]["code"]) == ("error", "idempotency_conflict")
    assert len(walk(scene.api, "/v1/events")) == 1


def test_a_batch_sent_again_changes_nothing(scene: Scene) -> None:
    items = [scene.body(f"k{index}", external_id=f"person-{index % 7}") for index in range(100)]
    first = send(scene, items)
    work()
    again = send(scene, items)
    assert again["success_count"] == 100
    assert [each["event"]["id"] for each in again["results"]] == [
        each["event"]["id"] for each in first["results"]
    ]
    assert {each["event"]["status"] for each in again["results"]} == {"COMPLETED"}
    assert len(walk(scene.api, "/v1/events")) == 100


def test_a_batch_of_known_people_needs_only_the_short_way_and_tells_them_apart(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"person-{n % 7}" for n in range(50)]
    first = send(scene, [scene.body(f"a{n}", external_id=name) for n, name in enumerate(names)])
    ids = {each["event"]["external_id"]: each["event"]["participant_id"] for each in first["results"]}
    monkeypatch.setattr(ingest, "accept", None)  # The long way is closed.
    items = [scene.body(f"b{n}", {"n": n}, external_id=name) for n, name in enumerate(names)]
    items[3] = scene.body("b3", {"n": 3}, participant_id=ids["person-3"])
    items[4]["event_timestamp"] = "2026-03-01T13:00:00.50+01:00"
    second = send(scene, items)
    assert [each["index"] for each in second["results"]] == list(range(50))
    for n, (name, each) in enumerate(zip(names, second["results"], strict=True)):
        assert (each["status"], each["event"]["idempotency_key"]) == ("accepted", f"b{n}")
        assert each["event"]["participant_id"] == ids[name]
        assert each["event"].get("external_id") == (None if n == 3 else name)
        kept = scene.event(each["event"]["id"])
        assert {field: kept.get(field) for field in each["event"]} == each["event"]
        assert kept["event_data"] == {"n": n}


def test_what_is_new_in_a_batch_sent_again_is_accepted_in_its_order(scene: Scene) -> None:
    scene.rule("true", set_attribute("last", "{{ event.step }}"), counter(value="event.step"))
    items = [scene.body(f"k{step}", {"step": step}) for step in range(20)]
    send(scene, items[:1])
    send(scene, items[3:9:2])
    work()
    items[7] = {**items[7], "event_data": {"step": -7}}
    answer = send(scene, items)
    assert [each["index"] for each in answer["results"] if each["status"] == "error"] == [7]
    assert answer["results"][7]["code"] == "idempotency_conflict"
    assert [each["event"]["status"] for each in answer["results"][:4]] == [
        "COMPLETED", "RECEIVED", "RECEIVED", "COMPLETED",
    ]
    work()
    shown = scene.shown()
    assert shown["attributes"] == {"last": "19"}
    assert shown["counters"] == {"n": str(sum(range(20)))}


def test_nothing_of_a_batch_is_kept_before_somebody_new_is_made(scene: Scene) -> None:
    scene.run("before")
    items = [scene.body("a"), scene.body("b", external_id="bob"), scene.body("c")]
    results = send(scene, items)["results"]
    assert [each["status"] for each in results] == ["accepted"] * 3
    with db.connection() as c:
        rows = c.execute(
            "SELECT idempotency_key, xmin::text AS made FROM events ORDER BY seq"
        ).fetchall()
    assert [row["idempotency_key"] for row in rows] == ["before", "a", "b", "c"]
    assert len({row["made"] for row in rows[1:]}) == 1, "one transaction made them"


def test_events_of_one_participant_run_in_the_order_of_the_array(scene: Scene) -> None:
    scene.rule("true", set_attribute("last", "{{ event.step }}"), counter(value="event.step"))
    scene.rule("get(participant.counters, 'n', 0) != event.step * (event.step - 1) / 2",
               {"type": "TAG", "tag": "out-of-order"})
    for start in (0, 100):
        send(scene, [scene.body(f"k{step}", {"step": step}) for step in range(start, start + 100)])
    work()
    shown = scene.shown()
    assert shown["attributes"] == {"last": "199"}
    assert shown["counters"] == {"n": "19900"}
    assert shown["tags"] == []
    assert {row["status"] for row in walk(scene.api, "/v1/events", limit=200)} == {"COMPLETED"}


def test_one_batch_may_serve_several_programs(scene: Scene) -> None:
    other = scene.api.program(on_unknown_participant="REJECT")
    items = [scene.body("a", external_id="new"), scene.body("b", external_id="new", program_id=other),
             scene.body("c", external_id="newer", program_id=other)]
    results = send(scene, items)["results"]
    assert [each["status"] for each in results] == ["accepted", "accepted", "error"], (
        "the second item's participant is known, for the first one made it"
    )
    assert results[2]["code"] == "participant_not_found"
    assert sorted(scene.shown("new")["program_ids"]) == sorted([scene.program, other])


def test_a_large_batch_is_taken_up_to_eight_mebibytes(scene: Scene) -> None:
    items = [scene.body(f"k{index}", {"text": "x" * 60_000}) for index in range(100)]
    assert send(scene, items)["success_count"] == 100
    head = {"program_id": scene.program, "event_timestamp": AT, "text": "x" * 9_000_000}
    error_of(scene.api.post("/v1/events/batch", {"events": [head]}), 413, "payload_too_large")
