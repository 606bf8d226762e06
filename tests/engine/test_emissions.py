"""What rules cause: SCHEDULE_EVENT and BROADCAST, their payloads and the bounds of those."""

import tracemalloc
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from app.domain.events import EVENT_DATA_BYTES_MAX
from app.domain.json import dumps
from app.domain.names import EventErrorCode, EventStatus
from app.engine.decide import Decision
from tests.engine.scenes import Scene, named

LATER = {"type": "SCHEDULE_EVENT", "event_name": "later", "delay": "1h"}
CAST = {"type": "BROADCAST", "event_name": "later"}


def caused(action: dict[str, Any], data: dict[str, Any]) -> Decision:
    scene = Scene()
    scene.person("alice")
    scene.rule("true", action)
    return scene.happens(data)


def test_an_event_is_scheduled_for_whom_the_target_names() -> None:
    scene = Scene()
    scene.person("alice")
    scene.person("bob")
    family = scene.group("family")
    scene.rule(
        "true", LATER, {**LATER, "target": {"type": "PARTICIPANT", "external_id": "event.friend"}},
        {**LATER, "target": {"type": "GROUP", "id": str(family)}},
        {**LATER, "target": {"type": "PROGRAM"}}, CAST,
    )
    draft = scene.happens({"friend": "bob"}).draft
    assert draft is not None
    assert [(one.participant_id, one.group_id, one.fan_out) for one in draft.emissions] == [
        (named("alice"), None, False), (named("bob"), None, False), (None, family, False),
        (None, None, False), (None, None, True),
    ]
    hour = timedelta(hours=1)
    assert [one.scheduled_for - scene.now for one in draft.emissions] == [hour] * 4 + [timedelta(0)]


@pytest.mark.parametrize("action", [LATER, CAST], ids=["one", "all"])
@pytest.mark.parametrize("excess", [0, 1])
def test_a_payload_is_as_large_as_the_data_of_an_event_and_no_larger(
    action: dict[str, Any], excess: int
) -> None:
    room = EVENT_DATA_BYTES_MAX - len(dumps({"a": "", "b": ""}).encode())
    data = {"a": "é" * (room // 4), "b": "x" * (room - room // 4 * 2 + excess)}
    decision = caused({**action, "payload": {"a": "{{ event.a }}", "b": "{{ event.b }}"}}, data)
    if excess:
        assert decision.error_code is EventErrorCode.LIMIT_EXCEEDED
        assert "65536 bytes" in str(decision.error_message)
    else:
        assert decision.draft is not None
        assert len(dumps(decision.draft.emissions[0].payload).encode()) == EVENT_DATA_BYTES_MAX


@pytest.mark.parametrize("part", ["{{ event }}", "{{ event.text }}", "is {{ event.short }}"])
def test_parts_that_multiply_the_event_are_not_put_together_first(part: str) -> None:
    """A few thousand parts, each as large as the event, would be hundreds of megabytes."""
    payload = {f"k{number}": part for number in range(1_500)}
    data = {"text": "x" * 50_000, "short": "y" * 5_000, "list": [{"n": 1}] * 1_000}
    tracemalloc.start()
    try:
        decision = caused({**LATER, "payload": payload}, data)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (decision.status, decision.error_code) == (EventStatus.FAILED, EventErrorCode.LIMIT_EXCEEDED)
    assert peak < 40 << 20


@pytest.mark.parametrize(("levels", "fits"), [(31, True), (32, False)])
def test_a_payload_is_nested_as_deep_as_the_data_of_an_event(levels: int, fits: bool) -> None:
    data: dict[str, Any] = {}
    for _ in range(levels - 1):
        data = {"inner": data}
    decision = caused({**CAST, "payload": {"all": "{{ event }}"}}, data)
    assert (decision.error_code is None) is fits
    assert fits or decision.error_code is EventErrorCode.LIMIT_EXCEEDED


@pytest.mark.parametrize(("factor", "fits"), [("1E1", True), ("1E2", False)])
def test_a_number_of_a_payload_stays_within_what_events_hold(factor: str, fits: bool) -> None:
    data = {"n": Decimal("9E99"), "factor": Decimal(factor)}
    decision = caused({**CAST, "payload": {"n": "{{ event.n * event.factor / 10 }}"}}, data)
    assert (decision.error_code is None) is fits
