"""Evaluations pin the version of the rule that was in force, whatever becomes of the rule later."""

from typing import Any

import pytest

from app.flows import drain, rulesets
from tests.api.client import Caller, walk
from tests.events.scene import waiting


@pytest.fixture
def program(api: Caller) -> str:
    return api.program()


def send(api: Caller, program: str, key: str) -> str:
    """Send an event of Ada's, let a worker's code decide it, return its id."""
    event_id = api.post("/v1/events", {
        "program_id": program, "external_id": "ada", "idempotency_key": key,
        "event_timestamp": "2026-01-01T00:00:00Z", "event_data": {"type": "visit"},
    }).json["id"]
    drain.exhaust(waiting())
    return str(event_id)


def evaluation(api: Caller, event_id: str) -> dict[str, Any]:
    (only,) = api.get(f"/v1/events/{event_id}").json["rule_evaluations"]
    return dict(only)


def test_each_event_names_the_version_under_which_it_was_decided(api: Caller, program: str) -> None:
    rule_id = api.post("/v1/rules", {
        "program_id": program, "name": "first", "condition": "true",
        "actions": [{"type": "TAG", "tag": "first"}],
    }).json["id"]
    first_event = send(api, program, "one")
    before = evaluation(api, first_event)
    api.patch(f"/v1/rules/{rule_id}", {"name": "second", "actions": [{"type": "TAG", "tag": "second"}]})
    after = evaluation(api, send(api, program, "two"))

    newest, oldest = walk(api, f"/v1/rules/{rule_id}/history")
    assert (before["rule_history_id"], before["rule_name"]) == (oldest["id"], "first")
    assert (after["rule_history_id"], after["rule_name"]) == (newest["id"], "second")
    assert evaluation(api, first_event) == before
    (ada,) = walk(api, "/v1/participants", external_id="ada")
    assert api.get(f"/v1/participants/{ada['id']}").json["tags"] == ["first", "second"]


def test_a_suspended_rule_is_met_by_nothing_until_it_is_active_again(api: Caller, program: str) -> None:
    rule_id = api.post("/v1/rules", {
        "program_id": program, "name": "a rule", "condition": "true",
        "actions": [{"type": "COUNTER", "key": "n", "value": "1"}],
    }).json["id"]
    counts = []
    for number, status in enumerate(("ACTIVE", "SUSPENDED", "ACTIVE", "ARCHIVED")):
        api.patch(f"/v1/rules/{rule_id}", {"status": status})
        send(api, program, f"key-{number}")
        (ada,) = walk(api, "/v1/participants", external_id="ada")
        counts.append(api.get(f"/v1/participants/{ada['id']}").json["counters"]["n"])
    assert counts == ["1", "1", "2", "2"]


def test_after_a_change_the_next_event_meets_it_and_only_that_rule_is_compiled(
    api: Caller, program: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rules = [
        api.post("/v1/rules", {
            "program_id": program, "name": f"rule {number}", "condition": "true",
            "actions": [{"type": "TAG", "tag": f"tag {number}"}],
        }).json["id"]
        for number in range(5)
    ]
    send(api, program, "before")
    compiled = []
    compile_one = rulesets._compile
    monkeypatch.setattr(rulesets, "_compile", lambda *of: compiled.append(of[0]) or compile_one(*of))
    for number, change in enumerate(({"actions": [{"type": "TAG", "tag": "new"}]}, {"order": 999},
                                     {"status": "SUSPENDED"})):
        assert api.patch(f"/v1/rules/{rules[number]}", change).status_code == 200
        send(api, program, f"after {number}")
        # A version that is in force is compiled once, whatever else the rule set holds; none leaves it.
        newest = walk(api, f"/v1/rules/{rules[number]}/history")[0]["id"]
        assert [str(one) for one in compiled] == ([] if change.get("status") else [newest])
        compiled.clear()
