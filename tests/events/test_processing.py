"""What processing leaves behind: evaluations, effects, failures with their codes, retries by hand."""

from typing import Any

import pytest

from tests.api.client import ABSENT, error_of, walk
from tests.events.scene import PURCHASE, Scene, counter, credit, tag, work


def outcomes(event: dict[str, Any]) -> list[tuple[str, str | None]]:
    """Return status and reason of each evaluation, in order."""
    return [(each["status"], each.get("reason")) for each in event["rule_evaluations"]]


def test_an_event_is_shown_field_by_field(scene: Scene) -> None:
    rule = scene.rule(PURCHASE, credit("event.amount * 0.1"), counter("spent", "event.amount"), tag("buyer"))
    shown = scene.run("k", {"type": "purchase", "amount": 12.5})
    history = scene.api.get(f"/v1/rules/{rule}/history").json["data"][0]
    (evaluation,) = shown.pop("rule_evaluations")
    processed = shown["processed_at"]
    assert shown == {
        "id": shown["id"], "program_id": scene.program, "event_type": "EXTERNAL", "external_id": "ann",
        "participant_id": scene.person(), "idempotency_key": "k",
        "event_data": {"type": "purchase", "amount": 12.5}, "event_timestamp": "2026-03-01T12:00:00Z",
        "received_at": shown["created_at"], "created_at": shown["created_at"], "processed_at": processed,
        "updated_at": processed, "status": "COMPLETED",
    }
    assert shown["created_at"] < processed
    credited, counted, tagged = evaluation.pop("actions")
    assert evaluation == {
        "id": evaluation["id"], "rule_id": rule, "rule_name": "rule 0", "rule_history_id": history["id"],
        "status": "SUCCESS", "created_at": processed,
    }
    assert credited == {
        "type": "CREDIT", "asset_id": scene.asset, "asset_symbol": "PTS", "bucket": "AVAILABLE",
        "amount": "1.25", "journal_entry_id": credited["journal_entry_id"],
    }
    assert counted == {"type": "COUNTER", "key": "spent", "value": "12.5", "new_value": "12.5"}
    assert tagged == {"type": "TAG", "tag": "buyer"}
    entry = scene.api.get(f"/v1/journal-entries/{credited['journal_entry_id']}").json
    assert (entry["event_id"], entry["rule_id"]) == (shown["id"], rule)


def test_the_key_finds_the_same_event(scene: Scene) -> None:
    scene.rule("event.missing > 1", credit())
    shown = scene.run("order 1/é")
    by_key = scene.api.get(
        "/v1/events/by-key", program_id=scene.program, idempotency_key="order 1/é", include_skipped="true"
    )
    assert by_key.json == scene.event(shown["id"], include_skipped="true")
    for query in ({"idempotency_key": "order 1/é"}, {"program_id": scene.program}, {}):
        error_of(scene.api.get("/v1/events/by-key", **query), 400, "validation_error")
    absent = {"program_id": scene.program, "idempotency_key": "none"}
    error_of(scene.api.get("/v1/events/by-key", **absent), 404, "not_found")
    error_of(scene.api.get(f"/v1/events/{ABSENT}"), 404, "not_found")


def test_the_key_that_a_system_event_shows_finds_it_too(scene: Scene) -> None:
    lots = scene.api.asset(scene.program, "LOTS", scale=2, inventory_mode="LOT")
    given = {"type": "CREDIT", "asset_id": lots, "amount": "5"}
    scene.rule('event.type == "earn"', {**given, "expires_at": "1ms"}, given)
    scene.rule('event.type == "spend"', {"type": "DEBIT", "asset_id": lots, "amount": "1"})
    scene.run("earn", {"type": "earn"})
    scene.run("spend", {"type": "spend"})
    work()
    (told,) = scene.api.get("/v1/events", event_type="SYSTEM").json["data"]
    query = {"program_id": told["program_id"], "idempotency_key": told["idempotency_key"]}
    assert scene.api.get("/v1/events/by-key", **query).json == scene.event(told["id"])
    query["idempotency_key"] = told["idempotency_key"].removeprefix("system:")
    error_of(scene.api.get("/v1/events/by-key", **query), 404, "not_found")


def test_the_evaluation_names_the_version_that_was_in_force(scene: Scene) -> None:
    rule = scene.rule(PURCHASE, credit("1"))
    before = scene.run("before")
    scene.api.patch(f"/v1/rules/{rule}", {"name": "renamed", "actions": [tag("x")]})
    after = scene.run("after")
    old, new = before["rule_evaluations"][0], after["rule_evaluations"][0]
    assert scene.event(before["id"])["rule_evaluations"] == [old]
    assert (old["rule_name"], new["rule_name"]) == ("rule 0", "renamed")
    assert [each["type"] for each in old["actions"] + new["actions"]] == ["CREDIT", "TAG"]
    versions = [each["id"] for each in scene.api.get(f"/v1/rules/{rule}/history").json["data"]]
    assert [new["rule_history_id"], old["rule_history_id"]] == versions


def test_errors_of_conditions_show_only_when_asked_for(scene: Scene) -> None:
    scene.rule("event.missing == 1", tag("never"))
    scene.rule("event.amount / (event.amount - 10) > 1", tag("never"))
    scene.rule("event.amount > 1000", tag("never"))
    shown = scene.run()
    assert shown["status"] == "COMPLETED"
    assert shown["rule_evaluations"] == []
    both = scene.event(shown["id"], include_skipped="true")["rule_evaluations"]
    assert [each["status"] for each in both] == ["SKIPPED_ERROR", "SKIPPED_ERROR"]
    assert all("condition evaluation failed" in each["error_message"] for each in both)


def test_other_skips_always_show_with_their_reason(scene: Scene) -> None:
    budget = [{"asset_id": scene.asset, "limit": "15"}]
    scene.rule("true", tag("late"), active_to="2020-01-01T00:00:00Z")
    scene.rule("true", credit("10"), tag("tried"), budgets=budget)
    stopper = scene.rule("true", tag("last"), stop_after_match=True)
    scene.rule("true", tag("never"))
    scene.rule('event.type == "other"', tag("never"))
    first, second = scene.run("a"), scene.run("b")
    assert outcomes(first) == [
        ("SKIPPED", "OUTSIDE_TIME_WINDOW"), ("SUCCESS", None), ("SUCCESS", None),
        ("SKIPPED", "STOPPED_BY_RULE"),
    ]
    assert outcomes(second)[1] == ("SKIPPED", "BUDGET_EXCEEDED")
    assert second["rule_evaluations"][1]["actions"] == [
        {"type": "CREDIT", "asset_id": scene.asset, "asset_symbol": "PTS", "bucket": "AVAILABLE",
         "amount": "10.00", "skipped": "budget_exceeded"},
        {"type": "TAG", "tag": "tried", "skipped": "unchanged"},
    ]
    assert second["rule_evaluations"][3]["stopped_by_rule_id"] == stopper
    assert scene.available() == "10.00"
    assert sorted(scene.shown()["tags"]) == ["last", "tried"]


def test_rules_see_the_state_from_before_the_event_and_funds_as_they_run(scene: Scene) -> None:
    scene.rule("true", counter("n", "5"), tag("x"), credit("10"))
    scene.rule("get(participant.counters, 'n', 0) > 0 || 'x' in participant.tags", tag("seen"))
    scene.rule("true", {"type": "DEBIT", "amount": "4"})
    shown = scene.run()
    assert shown["status"] == "COMPLETED", shown
    assert scene.available() == "6.00"
    assert scene.shown()["tags"] == ["x"]
    scene.run()
    assert sorted(scene.shown()["tags"]) == ["seen", "x"]


@pytest.mark.parametrize(("action", "code"), [
    ({"type": "DEBIT", "amount": "2"}, "insufficient_funds"),
    (credit("event.amount / 3"), "invalid_amount"),
    (credit("-event.amount"), "invalid_amount"),
    (credit("event.missing"), "expression_error"),
    (credit(target={"type": "PARTICIPANT", "external_id": "event.friend"}), "recipient_not_found"),
    (credit(target={"type": "RECIPIENT"}), "recipient_not_found"),
    (credit("event.amount * 1000"), "transaction_limit_exceeded"),
])
def test_a_failing_action_fails_the_event_and_undoes_all_rules(
    scene: Scene, action: dict[str, Any], code: str
) -> None:
    scene.api.patch(f"/v1/assets/{scene.asset}", {"max_transaction_amount": "100"})
    good = scene.rule("true", credit("1"), counter(), tag("x"))
    scene.rule("true", tag("y"), action)
    scene.rule("true", tag("z"))
    shown = scene.run(data={"type": "purchase", "amount": 10, "friend": "nobody"})
    assert (shown["status"], shown.get("error_code")) == ("FAILED", code), shown
    assert shown["error_message"]
    assert outcomes(shown) == [("SUCCESS", None), ("FAILED", None)]
    assert shown["rule_evaluations"][0]["rule_id"] == good
    assert shown["rule_evaluations"][1]["error_message"] == shown["error_message"]
    assert "journal_entry_id" not in str(shown), "no entry was written"
    person = scene.shown()
    assert (person["tags"], person["counters"], scene.available()) == ([], {}, None)


def test_a_suspended_participant_fails_where_value_moves_and_only_there(scene: Scene) -> None:
    scene.rule(PURCHASE, credit("10"))
    scene.rule('event.type == "visit"', tag("visited"))
    scene.run(data={"type": "nothing"})
    scene.api.patch(f"/v1/participants/{scene.person()}/status", {"status": "SUSPENDED"})
    failed = scene.run()
    assert (failed["status"], failed["error_code"]) == ("FAILED", "participant_inactive")
    assert scene.run(data={"type": "visit"})["status"] == "COMPLETED"
    assert scene.shown()["tags"] == ["visited"]
    scene.api.patch(f"/v1/participants/{scene.person()}/status", {"status": "ACTIVE"})
    assert scene.api.post(f"/v1/events/{failed['id']}/retry").status_code == 200
    work()
    assert scene.event(failed["id"])["status"] == "COMPLETED"
    assert scene.available() == "10.00"


def test_an_event_of_an_archived_program_fails_and_may_be_retried(scene: Scene) -> None:
    scene.rule(PURCHASE, credit("10"))
    sent = scene.send()
    scene.api.patch(f"/v1/programs/{scene.program}", {"status": "ARCHIVED"})
    work()
    shown = scene.event(sent["id"])
    assert (shown["status"], shown["error_code"]) == ("FAILED", "program_inactive")
    assert shown["rule_evaluations"] == []


def test_an_event_accepted_before_a_suspension_is_still_processed(scene: Scene) -> None:
    scene.rule(PURCHASE, credit("10"))
    sent = scene.send()
    scene.api.patch(f"/v1/programs/{scene.program}", {"status": "SUSPENDED"})
    work()
    assert scene.event(sent["id"])["status"] == "COMPLETED"
    assert scene.available() == "10.00"


def test_a_retry_runs_todays_rules_at_the_time_of_the_event(scene: Scene) -> None:
    rule = scene.rule("true", {"type": "DEBIT", "amount": "5"},
                      {"type": "SET_ATTRIBUTE", "key": "at", "value": "{{ now }}"})
    failed = scene.run()
    assert failed["status"] == "FAILED"
    scene.api.patch(f"/v1/rules/{rule}", {"actions": [
        {"type": "CREDIT", "asset_id": scene.asset, "amount": "7"},
        {"type": "SET_ATTRIBUTE", "key": "at", "value": "{{ now }}"},
    ]})
    answer = scene.api.post(f"/v1/events/{failed['id']}/retry")
    assert answer.status_code == 200
    assert answer.json == {
        "event_id": failed["id"], "status": "PENDING", "previous_status": "FAILED",
        "previous_error": failed["error_message"], "message": "Event queued for retry",
    }
    waiting = scene.event(failed["id"])
    assert (waiting["status"], waiting["processed_at"], waiting["rule_evaluations"]) == ("PENDING", None, [])
    assert "error_code" not in waiting
    assert waiting["updated_at"] == failed["updated_at"] > failed["created_at"]
    error_of(scene.api.post(f"/v1/events/{failed['id']}/retry"), 409, "event_not_failed")
    work()
    done = scene.event(failed["id"])
    assert done["status"] == "COMPLETED"
    assert "error_message" not in done
    assert scene.available() == "7.00"
    assert scene.shown()["attributes"]["at"].startswith("2026-03-01T12:00:00")
    assert done["rule_evaluations"][0]["id"] != failed["rule_evaluations"][0]["id"]


@pytest.mark.parametrize("processed", [False, True])
def test_only_a_failed_event_can_be_retried(scene: Scene, processed: bool) -> None:
    sent = scene.send()
    if processed:
        work()
    error_of(scene.api.post(f"/v1/events/{sent['id']}/retry"), 409, "event_not_failed")
    error_of(scene.api.post(f"/v1/events/{ABSENT}/retry"), 404, "not_found")


def test_a_retried_event_runs_behind_the_events_that_came_meanwhile(scene: Scene) -> None:
    rule = scene.rule("true", {"type": "DEBIT", "amount": "1"})
    failed = scene.run("first")
    scene.api.patch(f"/v1/rules/{rule}", {"actions": [
        {"type": "SET_ATTRIBUTE", "key": "last", "value": "{{ event.step }}"}]})
    scene.send("second", {"step": "second"})
    scene.api.post(f"/v1/events/{failed['id']}/retry")
    scene.send("third", {"step": "third"})
    work()
    assert scene.shown()["attributes"] == {"last": "third"}
    retried = scene.event(failed["id"])
    assert retried["error_code"] == "expression_error", "the event has no step, and says so again"
    keys = [row["idempotency_key"] for row in walk(scene.api, "/v1/events", status="FAILED")]
    assert keys == ["first"]
