"""Lists of events: every filter, every order, cursors that hold still."""

from typing import Any

import pytest

from app import db
from app.store import event_lists
from tests.api.client import ABSENT, error_of, walk
from tests.events.scene import PURCHASE, Scene, credit, open_scene, tag, work

AT_ANY = "2026-03-01T12:00:00Z"


def keys(scene: Scene, path: str = "/v1/events", **query: Any) -> list[str]:
    """Return the keys of the events that a list shows, in its order."""
    return [row["idempotency_key"] for row in walk(scene.api, path, **query)]


def take_in_hand(event_id: str) -> None:
    """Put an event into the hands of a worker."""
    with db.connection() as c:
        c.execute(
            "UPDATE partition_leases l SET worker = 'w', from_position = e.seq, to_position = e.seq"
            " FROM events e WHERE e.id = %s AND l.partition = e.partition", (event_id,),
        )


@pytest.fixture
def full(scene: Scene) -> Scene:
    """Six events in five states: two completed, one failed, one received, one pending, one retried."""
    scene.rule('event.type == "fail"', {"type": "DEBIT", "amount": "1"})
    for number, (key, kind) in enumerate(
        [("done-1", "purchase"), ("done-2", "purchase"), ("failed", "fail"), ("retried", "fail")]
    ):
        scene.send(key, {"type": kind}, external_id=f"person-{number % 2}",
                   event_timestamp=f"2026-03-0{9 - number}T12:00:00Z")
    work()
    retried = scene.api.get("/v1/events/by-key", program_id=scene.program, idempotency_key="retried").json
    assert scene.api.post(f"/v1/events/{retried['id']}/retry").status_code == 200
    scene.send("received", {"type": "purchase"}, event_timestamp="2026-01-01T00:00:00Z")
    scene.send("tried", {"type": "purchase"}, event_timestamp="2026-01-02T00:00:00Z")
    with db.connection() as c:
        c.execute(
            "UPDATE inbox SET attempts = 1, error_message = 'it rained' WHERE event_seq ="
            " (SELECT seq FROM events WHERE idempotency_key = 'tried')"
        )
    return scene


def test_newest_first_unless_asked_otherwise(full: Scene) -> None:
    newest = ["tried", "received", "retried", "failed", "done-2", "done-1"]
    assert keys(full) == newest
    assert keys(full, sort_dir="asc") == newest[::-1]
    assert keys(full, sort_by="event_timestamp") == [
        "done-1", "done-2", "failed", "retried", "tried", "received",
    ]


@pytest.mark.parametrize("limit", [1, 2, 3, 5, 6, 7])
@pytest.mark.parametrize("direction", ["asc", "desc"])
def test_the_order_by_status_is_the_alphabets_and_has_no_gaps(
    full: Scene, limit: int, direction: str
) -> None:
    rows = walk(full.api, "/v1/events", sort_by="status", sort_dir=direction, limit=limit)
    assert len({row["id"] for row in rows}) == 6
    expected = ["COMPLETED", "COMPLETED", "FAILED", "PENDING", "PENDING", "RECEIVED"]
    assert [row["status"] for row in rows] == (expected if direction == "asc" else expected[::-1])


@pytest.mark.parametrize(("status", "expected"), [
    ("COMPLETED", ["done-2", "done-1"]), ("FAILED", ["failed"]), ("RECEIVED", ["received"]),
    ("PENDING", ["tried", "retried"]), ("PROCESSING", []),
])
def test_each_status_lists_what_shows_it(full: Scene, status: str, expected: list[str]) -> None:
    assert keys(full, status=status) == expected
    assert keys(full, status=status, limit=1) == expected
    assert keys(full, status=status, sort_by="status") == expected
    assert {row["status"] for row in walk(full.api, "/v1/events", status=status)} <= {status}


@pytest.mark.parametrize(("status", "retried"), [
    ("COMPLETED", False), ("RECEIVED", False), ("PENDING", False), ("PROCESSING", False), ("FAILED", True),
])
def test_of_all_that_a_list_shows_only_failed_events_are_retried(
    full: Scene, status: str, retried: bool
) -> None:
    if status == "PROCESSING":
        take_in_hand(walk(full.api, "/v1/events", status="RECEIVED")[0]["id"])
    rows = walk(full.api, "/v1/events", status=status)
    assert rows
    for row in rows:
        answer = full.api.post(f"/v1/events/{row['id']}/retry")
        if retried:
            assert (answer.status_code, answer.json["status"]) == (200, "PENDING")
        else:
            assert error_of(answer, 409, "event_not_failed") == {"status": f"the event is {status}"}


def test_many_rows_of_a_status_are_found_the_other_way(full: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    few = {status: keys(full, status=status) for status in ("FAILED", "PENDING", "RECEIVED")}
    monkeypatch.setattr(event_lists, "FEW", 1)
    assert {status: keys(full, status=status) for status in few} == few


def test_an_event_in_a_workers_hands_is_processing(full: Scene) -> None:
    event = walk(full.api, "/v1/events", status="RECEIVED")[0]
    take_in_hand(event["id"])
    assert keys(full, status="PROCESSING") == ["received"]
    assert keys(full, status="RECEIVED") == []
    assert full.event(event["id"])["status"] == "PROCESSING"


def test_a_waiting_event_tells_of_its_last_attempt(full: Scene) -> None:
    (tried,) = (row for row in walk(full.api, "/v1/events") if row["idempotency_key"] == "tried")
    assert (tried["status"], tried["error_message"], tried["processed_at"]) == ("PENDING", "it rained", None)


def test_items_are_the_event_without_its_evaluations(full: Scene) -> None:
    for row in walk(full.api, "/v1/events"):
        whole = full.event(row["id"])
        whole.pop("rule_evaluations")
        assert row == whole


def test_filters_hold_together(full: Scene) -> None:
    other = open_scene(full.api, "OTHER")
    other.send("elsewhere", {"type": "purchase"}, external_id="person-0")
    person = full.person("person-0")
    assert keys(full, program_id=full.program, external_id="person-0") == ["failed", "done-1"]
    assert keys(full, participant_id=person) == ["elsewhere", "failed", "done-1"]
    assert keys(full, f"/v1/participants/{person}/activity/events") == ["elsewhere", "failed", "done-1"]
    path = f"/v1/participants/{person}/activity/events"
    assert keys(full, path, program_id=full.program, status="FAILED") == ["failed"]
    assert keys(full, participant_id=person, sort_by="event_timestamp", limit=1) == [
        "done-1", "failed", "elsewhere",
    ]
    assert keys(full, participant_id=person, external_id="person-1") == []
    assert keys(full, external_id="nobody") == []
    assert keys(full, participant_id=ABSENT) == []
    assert keys(full, program_id=ABSENT) == []
    assert keys(full, event_type="SYSTEM") == []
    assert len(keys(full, event_type="EXTERNAL")) == 7
    error_of(full.api.get(f"/v1/participants/{ABSENT}/activity/events"), 404, "not_found")


def test_the_two_windows_look_at_two_clocks(full: Scene) -> None:
    happened = {"event_from": "2026-03-06T12:00:00Z", "event_to": "2026-03-08T12:00:00Z"}
    assert keys(full, **happened) == ["retried", "failed", "done-2"], "both ends are included"
    rows = walk(full.api, "/v1/events")
    received = {"from_": rows[3]["created_at"], "to": rows[1]["created_at"]}
    assert keys(full, **received) == ["received", "retried", "failed"]
    assert keys(full, **received, **happened) == ["retried", "failed"]
    error_of(full.api.get("/v1/events", to=AT_ANY), 400, "validation_error")
    error_of(full.api.get("/v1/events", event_from=AT_ANY, event_to=AT_ANY), 400, "validation_error")


def test_the_rule_filter_finds_events_in_which_the_rule_matched(scene: Scene) -> None:
    budget = [{"asset_id": scene.asset, "limit": "10"}]
    paid = scene.rule(PURCHASE, credit("10"), budgets=budget, stop_after_match=True)
    stopped = scene.rule("true", tag("x"))
    erring = scene.rule("event.missing == 1", tag("y"))
    failing = scene.rule('event.type == "fail"', {"type": "DEBIT", "amount": "1"})
    scene.run("paid")
    scene.run("over budget")
    scene.run("other", {"type": "other"})
    scene.run("failed", {"type": "fail"})
    assert keys(scene, rule_id=paid) == ["over budget", "paid"]
    assert keys(scene, rule_id=stopped) == ["failed", "other"]
    assert keys(scene, rule_id=erring) == []
    assert keys(scene, rule_id=failing) == ["failed"]
    assert keys(scene, rule_id=paid, limit=1) == ["over budget", "paid"]
    assert keys(scene, rule_id=ABSENT) == []
    assert keys(scene, rule_id=paid, program_id=ABSENT) == []


@pytest.mark.parametrize("sort", [
    {}, {"sort_dir": "asc"}, {"sort_by": "status"}, {"sort_by": "status", "sort_dir": "asc"},
    {"status": "COMPLETED"}, {"sort_by": "event_timestamp"},
    {"sort_by": "event_timestamp", "sort_dir": "asc"},
    {"sort_by": "event_timestamp", "event_from": "2020-01-01T00:00:00Z"},
    {"sort_by": "event_timestamp", "status": "COMPLETED"},
])
def test_a_page_looks_at_so_many_events_and_the_next_goes_on_behind_them(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, sort: dict[str, Any]
) -> None:
    rare = scene.rule('event.type == "rare"', tag("x"))
    for number in range(12):
        # Three happened at each instant, so that the second key of the order counts as well.
        scene.send(f"k{number}", {"type": "rare" if number in (1, 2, 9) else "usual"},
                   event_timestamp=f"2026-03-0{1 + number // 3}T12:00:00Z")
    work()
    found = keys(scene, rule_id=rare, **sort)
    assert sorted(found) == ["k1", "k2", "k9"]
    monkeypatch.setattr(event_lists, "LOOKED_AT_MAX", 4)
    assert keys(scene, rule_id=rare, **sort) == found
    assert keys(scene, rule_id=rare, limit=1, **sort) == found
    newest = scene.api.get("/v1/events", rule_id=rare).json
    assert [row["idempotency_key"] for row in newest["data"]] == ["k9"]
    assert newest["pagination"]["has_more"]
    assert len(keys(scene, program_id=scene.program)) == 12


def test_pages_hold_still_while_events_arrive(scene: Scene) -> None:
    for number in range(5):
        scene.send(f"k{number}")
    first = scene.api.get("/v1/events", limit=2).json
    for number in range(5, 9):
        scene.send(f"k{number}")
    work()
    second = scene.api.get("/v1/events", limit=2, cursor=first["pagination"]["next_cursor"]).json
    third = scene.api.get("/v1/events", limit=2, cursor=second["pagination"]["next_cursor"]).json
    rows = first["data"] + second["data"] + third["data"]
    assert [row["idempotency_key"] for row in rows] == ["k4", "k3", "k2", "k1", "k0"]
    assert third["pagination"] == {"has_more": False}


def test_a_cursor_belongs_to_its_filters(full: Scene) -> None:
    cursor = full.api.get("/v1/events", limit=1).json["pagination"]["next_cursor"]
    for query in ({"status": "FAILED"}, {"sort_by": "status"}, {"program_id": full.program}):
        error_of(full.api.get("/v1/events", cursor=cursor, **query), 400, "invalid_request")
    error_of(full.api.get("/v1/events", cursor=cursor[:-2] + "xx"), 400, "invalid_request")


@pytest.mark.parametrize("query", [
    {"status": "DONE"}, {"sort_by": "id"}, {"sort_dir": "up"}, {"limit": 0}, {"limit": 201},
    {"participant_id": "ann"}, {"event_type": "INTERNAL"}, {"rule_id": "x"}, {"external_id": ""},
])
def test_a_wrong_parameter_is_named(scene: Scene, query: dict[str, Any]) -> None:
    assert set(error_of(scene.api.get("/v1/events", **query), 400, "validation_error")) == set(query)
