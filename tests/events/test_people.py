"""Whom an event concerns: creating, enrolling and re-activating on all four paths, and recipients."""

from typing import Any

import pytest

from app import db
from app.domain.ids import new_id
from tests.api.client import ABSENT, Caller, error_of, walk
from tests.events.scene import PURCHASE, Scene, counter, credit, open_scene, tag, work

PATHS = ("external_id", "participant_id", "recipient_external_id", "recipient_id")


def named(scene: Scene, path: str, external_id: str = "eve") -> dict[str, Any]:
    """Return the fields that name a participant along one of the four paths."""
    value = scene.person(external_id) if path in ("participant_id", "recipient_id") else external_id
    return {path: value}


def enrollment(scene: Scene, external_id: str = "eve") -> str | None:
    """Return how a participant stands in the scene's program."""
    person = scene.person(external_id)
    rows = walk(scene.api, f"/v1/programs/{scene.program}/participants")
    return next((row["status"] for row in rows if row["participant_id"] == person), None)


@pytest.mark.parametrize("path", ["external_id", "recipient_external_id"])
def test_an_unknown_participant_is_created_and_enrolled(scene: Scene, path: str) -> None:
    answer = scene.send(**{path: "eve"})
    assert enrollment(scene) == "ACTIVE"
    if path == "external_id":
        assert answer["participant_id"] == scene.person("eve")
    else:
        assert scene.event(answer["id"])["recipient_id"] == scene.person("eve")


@pytest.mark.parametrize(("path", "code", "field"), [
    ("external_id", "participant_not_found", "external_id"),
    ("recipient_external_id", "recipient_not_found", "recipient_external_id"),
])
def test_a_program_that_rejects_unknown_participants_creates_nobody(
    api: Caller, path: str, code: str, field: str
) -> None:
    scene = open_scene(api, on_unknown_participant="REJECT")
    api.participant("ann")
    answer = api.post("/v1/events", scene.body(**{path: "eve"}))
    assert field in error_of(answer, 422, code)
    assert [row["external_id"] for row in walk(api, "/v1/participants")] == ["ann"]


@pytest.mark.parametrize("policy", ["CREATE", "REJECT"])
@pytest.mark.parametrize(("path", "code"), [
    ("participant_id", "participant_not_found"), ("recipient_id", "recipient_not_found"),
])
def test_an_unknown_id_is_refused_whatever_the_program_says(
    api: Caller, policy: str, path: str, code: str
) -> None:
    scene = open_scene(api, on_unknown_participant=policy)
    api.participant("ann")
    error_of(api.post("/v1/events", scene.body(**{path: ABSENT})), 422, code)


def test_an_event_that_is_refused_for_its_recipient_does_not_create_its_participant(scene: Scene) -> None:
    answer = scene.api.post("/v1/events", scene.body(external_id="eve", recipient_id=ABSENT))
    error_of(answer, 422, "recipient_not_found")
    assert walk(scene.api, "/v1/participants") == []


@pytest.mark.parametrize("policy", ["CREATE", "REJECT"])
@pytest.mark.parametrize("path", PATHS)
def test_a_known_stranger_is_enrolled(api: Caller, path: str, policy: str) -> None:
    scene = open_scene(api, on_unknown_participant=policy)
    for name in ("ann", "eve"):
        api.participant(name)
    scene.send(**named(scene, path))
    assert enrollment(scene) == "ACTIVE"


@pytest.mark.parametrize("status", ["FROZEN", "LOCKED", "CLOSED"])
@pytest.mark.parametrize("path", PATHS)
def test_an_inactive_enrollment_becomes_active_again(scene: Scene, path: str, status: str) -> None:
    scene.send(external_id="eve")
    person = scene.person("eve")
    url = f"/v1/programs/{scene.program}/participants/{person}"
    assert scene.api.patch(url, {"status": status}).status_code == 200
    assert enrollment(scene) == status
    scene.send(**named(scene, path))
    assert enrollment(scene) == "ACTIVE"


def test_without_a_recipient_value_goes_to_the_participant(scene: Scene) -> None:
    scene.rule(PURCHASE, credit("10"), counter(), tag("buyer"))
    assert scene.run()["status"] == "COMPLETED"
    assert scene.available("ann") == "10.00"


def test_with_a_recipient_value_goes_there_and_state_stays_with_the_participant(scene: Scene) -> None:
    scene.rule(PURCHASE, credit("10"), counter(), tag("buyer"),
               credit("3", target={"type": "PARTICIPANT"}), tag("gifted", target={"type": "RECIPIENT"}))
    shown = scene.run(recipient_external_id="bob")
    assert shown["recipient_id"] == scene.person("bob")
    assert (scene.available("ann"), scene.available("bob")) == ("3.00", "10.00")
    ann, bob = scene.shown("ann"), scene.shown("bob")
    assert (ann["tags"], ann["counters"]) == (["buyer"], {"n": "1"})
    assert (bob["tags"], bob["counters"]) == (["gifted"], {})
    actions = shown["rule_evaluations"][0]["actions"]
    to_bob = {"type": "PARTICIPANT", "id": scene.person("bob")}
    assert [each.get("target") for each in actions] == [to_bob, None, None, None, to_bob]


def test_a_recipient_may_be_the_participant_itself(scene: Scene) -> None:
    scene.rule(PURCHASE, credit("10"), counter())
    scene.run(recipient_external_id="ann")
    assert scene.available("ann") == "10.00"
    assert scene.shown("ann")["counters"] == {"n": "1"}


def test_a_participant_who_is_new_twice_in_a_batch_is_made_once(scene: Scene) -> None:
    items = [scene.body(external_id="new"), scene.body(external_id="other", recipient_external_id="new"),
             scene.body(external_id="new")]
    answer = scene.api.post("/v1/events/batch", {"events": items}).json
    assert answer["success_count"] == 3
    assert sorted(row["external_id"] for row in walk(scene.api, "/v1/participants")) == ["new", "other"]
    work()
    assert {row["status"] for row in walk(scene.api, "/v1/events")} == {"COMPLETED"}


def test_a_creation_is_told_to_who_subscribes(scene: Scene) -> None:
    with db.transaction() as c:
        c.execute(
            "INSERT INTO webhook_endpoints (organization_id, id, url, enabled_events, secret, created_at,"
            " updated_at) VALUES (%s, %s, 'https://example.com', %s, '', read_clock(), read_clock())",
            (scene.api.organization_id, new_id(), ["participant.created"]),
        )
    scene.send(external_id="eve")
    scene.send(external_id="eve")
    with db.connection() as c:
        rows = c.execute("SELECT type, data FROM outbox").fetchall()
    assert [(row["type"], row["data"]["external_id"]) for row in rows] == [("participant.created", "eve")]
    assert rows[0]["data"]["program_ids"] == [scene.program]
