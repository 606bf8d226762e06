"""Whom an action is for: each way of naming a target, and each that names nobody."""

from typing import Any

import pytest

from app.domain.names import EventErrorCode, EventStatus
from tests.engine.scenes import Scene, credit, named

FOUND = {
    "by id": ({"type": "PARTICIPANT", "id": "{{ event.who }}"}, {"who": str(named("bob"))}, "bob"),
    "by participant_id": (
        {"type": "PARTICIPANT", "participant_id": "event.who"}, {"who": str(named("bob"))}, "bob"
    ),
    "the event's participant": ({"type": "PARTICIPANT"}, {}, "alice"),
    "a group by group_id": (
        {"type": "GROUP", "group_id": "event.who"}, {"who": str(named("family"))}, "family"
    ),
    "the event's group": ({"type": "GROUP"}, {}, "family"),
    "the program": ({"type": "PROGRAM"}, {}, "program"),
    "the recipient": ({"type": "RECIPIENT"}, {}, "bob"),
}
LOST = {
    "nobody by that id": (
        {"type": "PARTICIPANT", "id": str(named("nobody"))}, "alice", EventErrorCode.RECIPIENT_NOT_FOUND
    ),
    "a group by a person's id": (
        {"type": "GROUP", "id": str(named("bob"))}, "alice", EventErrorCode.RECIPIENT_NOT_FOUND
    ),
    "a person by a group's id": (
        {"type": "PARTICIPANT", "id": str(named("family"))}, "alice", EventErrorCode.RECIPIENT_NOT_FOUND
    ),
    "an event without a group": ({"type": "GROUP"}, "alice", EventErrorCode.RECIPIENT_NOT_FOUND),
    "an event without a recipient": ({"type": "RECIPIENT"}, "alice", EventErrorCode.RECIPIENT_NOT_FOUND),
    "an event without a participant": ({"type": "PARTICIPANT"}, None, EventErrorCode.NO_PARTICIPANT),
}


def stage(target: dict[str, Any]) -> Scene:
    scene = Scene()
    points = scene.asset("PTS")
    scene.person("alice")
    scene.person("bob")
    scene.group("family")
    scene.world.absent.add(named("nobody"))  # Somebody has looked for it.
    scene.rule("true", credit(points, "7", target=target))
    return scene


@pytest.mark.parametrize("case", FOUND)
def test_value_goes_to_whom_the_target_names(case: str) -> None:
    target, data, who = FOUND[case]
    scene = stage(target)
    decision = scene.happens({"type": "gift", **data}, recipient="bob", group="family")
    assert decision.status is EventStatus.COMPLETED
    held = {name: scene.balance(name, "PTS") for name in ("alice", "bob", "family", "program")}
    assert held == {**dict.fromkeys(held, "0"), who: "7"}


@pytest.mark.parametrize("case", LOST)
def test_a_target_that_is_not_there_fails_the_event(case: str) -> None:
    target, person, code = LOST[case]
    scene = stage(target)
    decision = scene.happens({"type": "gift"}, person)
    assert (decision.status, decision.error_code) == (EventStatus.FAILED, code)
    assert {scene.balance(name, "PTS") for name in ("alice", "bob", "family", "program")} == {"0"}
