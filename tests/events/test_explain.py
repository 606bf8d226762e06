"""Explanations: recomputed from what was stored, complete, and not to be fooled."""

import json
from typing import Any

import psycopg
import pytest

from app.api.models.events import Event, EventList
from app.api.models.explanations import EntryExplanation, EventExplanation
from tests.api.client import ABSENT, error_of
from tests.events.scene import PURCHASE, Scene, counter, credit, set_attribute, tag
from tests.harness import Servers

SCHEDULE = {
    "type": "SCHEDULE_EVENT", "event_name": "later", "delay": "1h", "payload": {"a": "{{ event.amount }}"},
}


def explained(scene: Scene, event: dict[str, Any]) -> dict[str, Any]:
    """Return the explanation of an event, in the shape that is documented."""
    answer = scene.api.get(f"/v1/events/{event['id']}/explain")
    assert answer.status_code == 200, answer.json
    EventExplanation.model_validate(answer.json)
    return dict(answer.json)


def shown(scene: Scene, event: dict[str, Any]) -> dict[str, Any]:
    """Return an event with all that became of the rules, in the shape that is documented."""
    answer = scene.api.get(f"/v1/events/{event['id']}?include_skipped=true")
    assert answer.status_code == 200, answer.json
    Event.model_validate(answer.json)
    return dict(answer.json)


def set_up(scene: Scene) -> list[str]:
    """Make one rule of each outcome, and return their ids."""
    return [
        scene.rule('event.type == "refund"', tag("never")),
        scene.rule("event.amount > 1000 || event.amount < 0", tag("never")),
        scene.rule("event.missing > 1", tag("never")),
        scene.rule("true", tag("never"), active_to="2020-01-01T00:00:00Z"),
        scene.rule(
            "event.amount * 2 > 15 && get(participant.counters, 'n', 0) == 0",
            credit("event.amount * (get(participant.counters, 'rate', 0.5) + 1)", description="at {{ now }}"),
            counter("n", "event.amount"), tag("Tag-{{ event.type }}"),
            set_attribute("last", "{{ event.amount }}"), SCHEDULE, {"type": "HOLD", "amount": "1"},
            {"type": "RELEASE"}, credit("0"), stop_after_match=True,
        ),
        scene.rule("true", tag("never")),
    ]


def test_every_rule_is_explained_and_a_true_story_has_no_mismatch(scene: Scene) -> None:
    rules = set_up(scene)
    event = scene.run(data={"type": "purchase", "amount": 10})
    told = explained(scene, event)
    assert told["explained"] is True
    assert (told["matches_stored"], told["mismatches"]) == (True, [])
    assert [each["rule_id"] for each in told["rules"]] == rules
    assert [each["outcome"] for each in told["rules"]] == [
        "other_event_type", "not_matched", "error", "skipped", "matched", "skipped",
    ]
    assert told["rules"][5]["stopped_by_rule_id"] == rules[4]
    matched = told["rules"][4]
    assert matched["condition"]["value"] is True
    both, count = matched["condition"]["steps"]["children"]
    assert (both["expression"], both["value"]) == ("event.amount * 2 > 15", True)
    assert both["children"][0]["value"] == 20
    assert count["children"][0]["value"] == 0
    assert any("20" in line for line in matched["condition"]["lines"])
    first = matched["actions"][0]
    assert (first["type"], first["amount"], first["executed"]) == ("CREDIT", "15.00", True)
    by_field = {each["field"]: each for each in first["expressions"]}
    assert by_field["amount"]["value"] == 15
    assert by_field["description"]["expression"] == "now"
    assert first["journal_entry"]["id"] == first["journal_entry_id"]
    assert [each["action_type"] for each in told["journal_entries"]] == ["CREDIT", "HOLD", "RELEASE"]
    assert "`event.missing`" in json.dumps(told["rules"][2]["condition"], ensure_ascii=False)


def test_an_explanation_looks_at_the_rules_and_the_state_of_then(scene: Scene) -> None:
    rules = set_up(scene)
    event = scene.run()
    before = explained(scene, event)
    scene.api.patch(f"/v1/rules/{rules[4]}", {"condition": "false", "actions": [tag("other")]})
    scene.run()
    scene.api.patch(f"/v1/participants/{scene.person()}", {"attributes": {"last": "changed"}})
    assert explained(scene, event) == before


@pytest.mark.parametrize("action", [
    {"type": "DEBIT", "amount": "event.amount + 1"}, credit("event.missing"), credit("event.amount / 3"),
])
def test_a_failed_event_is_explained_up_to_its_failure(scene: Scene, action: dict[str, Any]) -> None:
    scene.rule("true", credit("1"), tag("x"))
    scene.rule("true", tag("y"), action, tag("z"), stop_after_match=True)
    scene.rule("true", tag("w"))
    event = scene.run()
    assert event["status"] == "FAILED"
    told = explained(scene, event)
    assert told["mismatches"] == []
    assert [each["outcome"] for each in told["rules"]] == ["matched", "matched", "not_reached"]
    assert [each["executed"] for each in told["rules"][1]["actions"]] == [True, False, False]
    assert told["journal_entries"] == []


def test_budgets_and_other_peoples_rows_are_told_as_they_were(scene: Scene) -> None:
    friend = {"type": "PARTICIPANT", "external_id": "event.friend"}
    scene.rule("true", credit("10"), budgets=[{"asset_id": scene.asset, "limit": "25"}])
    scene.rule("has(event.friend)", credit("2", target=friend))
    scene.rule("participant.balances['PTS'].available > 5 && 'x' in participant.tags", tag("rich"))
    scene.rule("participant.external_id == 'ann' && size(participant.groups) == 0", tag("x"))
    scene.run(data={"type": "a"}, external_id="bob")
    for data in ({"type": "a", "friend": "bob"}, {"type": "b"}):
        told = explained(scene, scene.run(data=data))
        assert told["mismatches"] == [], told["mismatches"]
    assert told["rules"][0]["reason"] == "BUDGET_EXCEEDED"
    assert told["rules"][2]["outcome"] == "matched"


TAMPERINGS = {
    "an amount": "jsonb_set(evaluations, '{0,5,0,amount}', '\"99.00\"')",
    "a counter's step": "jsonb_set(evaluations, '{0,5,1,value}', '\"7\"')",
    "a status": "jsonb_set(evaluations, '{0,1}', '\"SKIPPED_ERROR\"')",
    "an entry": f"jsonb_set(evaluations, '{{0,5,0,journal_entry_id}}', '\"{ABSENT}\"')",
    "a whole evaluation": "'[]'::jsonb",
    "a foreign evaluation": "evaluations || '[[999999, \"SUCCESS\"]]'::jsonb",
    "a missing action": "evaluations #- '{0,5,1}'",
}


# What no worker has ever written: it must be told as well, and not be stumbled over.
GARBAGE = {
    "a status of nobody": "jsonb_set(evaluations, '{0,1}', '\"TAMPERED\"')",
    "a status that is a list": "jsonb_set(evaluations, '{0,1}', '[]')",
    "a reason of nobody": "jsonb_set(evaluations, '{0,2}', '\"BECAUSE\"')",
    "an error that is a number": "jsonb_set(evaluations, '{0,3}', '5')",
    "a number that is a text": "jsonb_set(evaluations, '{0,0}', '\"1\"')",
    "actions that are a text": "jsonb_set(evaluations, '{0,5}', '\"none\"')",
    "actions that are numbers": "jsonb_set(evaluations, '{0,5}', '[1, 2]')",
    "an entry that is no id": "jsonb_set(evaluations, '{0,5,0,journal_entry_id}', '7')",
    "an amount that is a list": "jsonb_set(evaluations, '{0,5,0,amount}', '[1]')",
    "a number": "'5'::jsonb", "an object": "'{\"a\": 1}'::jsonb",
    "lists of nothing": "'[[], [1], 2, null]'::jsonb",
}


@pytest.mark.parametrize("change", GARBAGE.values(), ids=GARBAGE)
def test_what_somebody_made_unreadable_is_reported(scene: Scene, servers: Servers, change: str) -> None:
    scene.rule(PURCHASE, credit("event.amount"), counter())
    scene.rule(PURCHASE, tag("x"))
    event = scene.run()
    tamper(servers, f"UPDATE decisions SET evaluations = {change}")
    told = explained(scene, event)
    assert told["matches_stored"] is False
    assert told["mismatches"]
    left = event["rule_evaluations"][1:] if "jsonb_set" in change else []
    assert shown(scene, event)["rule_evaluations"] == left


@pytest.mark.parametrize("inputs", [
    "5", '"x"', "[]", '{"participant": 5}', '{"participant": {"counters": 5}}',
    '{"participant": {"created_at": "then", "counters": {"n": "many"}}}',
])
def test_inputs_that_somebody_made_unreadable_are_reported(
    scene: Scene, servers: Servers, inputs: str
) -> None:
    scene.rule("get(participant.counters, 'n', 0) > 0 && participant.created_at < now", counter())
    scene.rule("true", counter())
    scene.run()
    event = scene.run(event_timestamp="2999-01-01T00:00:00Z")
    assert explained(scene, event)["matches_stored"] is True
    tamper(servers, f"UPDATE decisions SET inputs = '{inputs}'")
    assert explained(scene, event)["matches_stored"] is False


@pytest.mark.parametrize("change", TAMPERINGS.values(), ids=TAMPERINGS)
def test_a_stored_result_that_somebody_changed_is_reported(
    scene: Scene, servers: Servers, change: str
) -> None:
    rule = scene.rule(PURCHASE, credit("event.amount"), counter())
    event = scene.run()
    assert explained(scene, event)["matches_stored"] is True
    tamper(servers, f"UPDATE decisions SET evaluations = {change}")
    assert {each["rule_id"] for each in shown(scene, event)["rule_evaluations"]} <= {rule}
    told = explained(scene, event)
    assert told["matches_stored"] is False
    assert any(rule in each["path"] or "999999" in each["path"] for each in told["mismatches"])


def test_inputs_and_data_that_somebody_changed_are_reported(scene: Scene, servers: Servers) -> None:
    scene.rule("get(participant.counters, 'n', 0) < 2", counter())
    scene.run()
    event = scene.run()
    tamper(servers, "UPDATE decisions SET inputs = jsonb_set(inputs, '{participant,counters,n}', '5')"
                    " WHERE inputs IS NOT NULL")
    assert explained(scene, event)["matches_stored"] is False


@pytest.mark.parametrize("amount", ["1e99", "10.001", "-10", '"ten"', "null"])
def test_data_that_somebody_made_impossible_is_reported_as_well(
    scene: Scene, servers: Servers, amount: str
) -> None:
    rule = scene.rule(PURCHASE, credit("event.amount"))
    event = scene.run()
    tamper(servers, f"UPDATE events SET event_data = jsonb_set(event_data, '{{amount}}', '{amount}')")
    told = explained(scene, event)
    assert told["matches_stored"] is False
    assert [each["path"].startswith(rule) for each in told["mismatches"]] == [True]


def tamper(servers: Servers, statement: str) -> None:
    """Change rows behind the product's back."""
    with psycopg.connect(servers.plan.owner_url(servers.plan.name), autocommit=True) as owner:
        assert owner.execute(statement).rowcount > 0


def test_what_no_rule_decided_says_so(scene: Scene) -> None:
    waiting = scene.send("waiting")
    told = explained(scene, waiting)
    assert (told["explained"], told["matches_stored"]) == (False, None)
    assert told["note"]
    error_of(scene.api.get(f"/v1/events/{ABSENT}/explain"), 404, "not_found")


def test_an_entry_leads_back_to_its_event_rule_and_values(scene: Scene) -> None:
    rule = scene.rule(PURCHASE, tag("x"), credit("event.amount * 0.5"))
    event = scene.run()
    entry_id = event["rule_evaluations"][0]["actions"][1]["journal_entry_id"]
    answer = scene.api.get(f"/v1/journal-entries/{entry_id}/explain")
    EntryExplanation.model_validate(answer.json)
    told = answer.json
    assert told["cause"] == "rule"
    assert (told["event"]["id"], told["rule"]["rule_id"]) == (event["id"], rule)
    assert told["action"]["expressions"][0]["value"] == 5
    assert told["journal_entry"] == scene.api.get(f"/v1/journal-entries/{entry_id}").json
    assert told["matches_stored"] is True


def test_an_entry_of_the_api_names_the_key(scene: Scene) -> None:
    scene.run()
    adjusted = scene.api.post(f"/v1/participants/{scene.person()}/balances/adjust", {
        "program_id": scene.program, "asset_id": scene.asset, "type": "CREDIT", "amount": "5",
        "description": "gift",
    }).json
    told = scene.api.get(f"/v1/journal-entries/{adjusted['journal_entry_id']}/explain").json
    EntryExplanation.model_validate(told)
    assert told["cause"] == "api"
    assert told["created_by_api_key_id"] == told["journal_entry"]["created_by_api_key_id"]
    error_of(scene.api.get(f"/v1/journal-entries/{ABSENT}/explain"), 404, "not_found")


def test_events_have_the_documented_shape_whatever_became_of_them(scene: Scene) -> None:
    set_up(scene)
    scene.rule('event.type == "fail"', {"type": "DEBIT", "amount": "1"})
    for data in ({"type": "purchase", "amount": 10}, {"type": "fail", "amount": 1}, {}):
        Event.model_validate(scene.event(scene.run(data=data)["id"], include_skipped="true"))
    scene.send()
    EventList.model_validate(scene.api.get("/v1/events").json)
