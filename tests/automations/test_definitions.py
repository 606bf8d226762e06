"""Automations over HTTP: creating, changing, listing, and what is refused."""

from typing import Any

import pytest

from tests.api.client import ABSENT, error_of, walk
from tests.automations.conftest import Stage

CRON = {"type": "cron", "cron_expression": "0 9 * * *"}
LATER = {"type": "one_time", "trigger_at": "2127-01-01T00:00:00Z"}


def state(kind: str, **config: Any) -> dict[str, Any]:
    return {"type": "participant_state", "schedule_type": kind, "schedule_config": config}


def test_each_type_is_shown_with_its_own_fields(stage: Stage) -> None:
    shared = {
        "id", "program_id", "name", "event_name", "payload", "trigger_type", "scope", "status", "source",
        "created_at", "updated_at",
    }
    cron = stage.automate(name="a", scope="program", trigger=CRON, description="x", payload={"n": 1.50})
    assert set(cron) == {*shared, "description", "cron_expression", "next_run_at"}
    once = stage.automate(name="b", scope="program", trigger=LATER)
    assert set(once) == {*shared, "trigger_at"}
    many = stage.automate(name="c", trigger=CRON | {"timezone": "Asia/Tokyo"}, guard_condition="true")
    assert set(many) == {
        *shared, "cron_expression", "timezone", "next_run_at", "guard_condition", "execution_status",
    }
    assert (many["execution_status"], many["next_run_at"]) == ("idle", "2126-01-15T00:00:00Z")
    watching = stage.automate(name="d", trigger=state("INTERVAL", interval="24h"))
    assert set(watching) == {*shared, "schedule_type", "schedule_config", "execution_status"}


@pytest.mark.parametrize(("fields", "field"), [
    ({"scope": "program", "trigger": {"type": "immediate"}}, "scope"),
    ({"scope": "program", "trigger": state("INTERVAL", interval="24h")}, "scope"),
    ({"trigger": {"type": "cron"}}, "trigger.cron_expression"),
    ({"trigger": {"type": "cron", "cron_expression": "* * * * * *"}}, "trigger.cron_expression"),
    ({"trigger": {"type": "cron", "cron_expression": "CRON_TZ=UTC 0 9 * * *"}}, "trigger.cron_expression"),
    ({"trigger": {"type": "cron", "cron_expression": "0 0 30 2 *"}}, "trigger.cron_expression"),
    ({"trigger": CRON | {"timezone": "Europe/Atlantis"}}, "trigger.timezone"),
    ({"trigger": CRON | {"timezone": "../etc/passwd"}}, "trigger.timezone"),
    ({"trigger": CRON | {"trigger_at": "2127-01-01T00:00:00Z"}}, "trigger.trigger_at"),
    ({"trigger": {"type": "one_time"}}, "trigger.trigger_at"),
    ({"trigger": {"type": "one_time", "trigger_at": "2126-01-01T00:00:00Z"}}, "trigger.trigger_at"),
    ({"trigger": {"type": "weekly"}}, "trigger.type"),
    ({"trigger": CRON, "participant_id": ABSENT}, "participant_id"),
    ({"scope": "program", "trigger": LATER, "participant_id": ABSENT}, "participant_id"),
    ({"scope": "program", "trigger": CRON, "guard_condition": "true"}, "guard_condition"),
    ({"scope": "program", "trigger": CRON, "participant_filter": "true"}, "participant_filter"),
    ({"trigger": CRON, "participant_filter": "'a' + 'b'"}, "participant_filter"),
    ({"trigger": CRON, "participant_filter": "event.x == 1"}, "participant_filter"),
    ({"trigger": CRON, "guard_condition": "nobody.x"}, "guard_condition"),
    ({"trigger": CRON, "filter_hints": [{"has_tag": "a", "has_counter": "b"}]}, "filter_hints[0]"),
    ({"trigger": {"type": "participant_state"}}, "trigger.schedule_type"),
    ({"trigger": CRON, "payload": []}, "payload"),
    ({"trigger": CRON, "name": ""}, "name"),
])
def test_a_malformed_automation_names_its_field(stage: Stage, fields: dict[str, Any], field: str) -> None:
    body = {"name": "n", "event_name": "e", "scope": "participants", **fields}
    assert field in error_of(stage.api.post(stage.path(), body), 400, "validation_error")


def test_a_payload_is_as_large_and_as_deep_as_the_data_of_an_event(stage: Stage) -> None:
    def nested(levels: int) -> Any:
        return {"x": nested(levels - 1)} if levels else 1

    def sized(size: int) -> dict[str, str]:
        return {"x": "y" * (size - len('{"x":""}'))}

    for number, (fits, does_not) in enumerate(((nested(32), nested(33)), (sized(65_536), sized(65_537)))):
        body = {"name": f"n{number}", "event_name": "e", "scope": "participants", "trigger": CRON}
        assert "payload" in error_of(
            stage.api.post(stage.path(), {**body, "payload": does_not}), 400, "validation_error"
        )
        assert stage.api.post(stage.path(), {**body, "payload": fits}).status_code == 201


@pytest.mark.parametrize(("trigger", "field"), [
    (state("ATTRIBUTE_DATE"), "attribute"),
    (state("ATTRIBUTE_DATE", attribute="b", time="9:00"), "time"),
    (state("ATTRIBUTE_DATE", attribute="b", recurring="DAILY"), "recurring"),
    (state("ATTRIBUTE_DATE", attribute="b", timezone="Mars/Base"), "timezone"),
    (state("ATTRIBUTE_DATE", attribute="b", offset_days=1.5), "offset_days"),
    (state("INTERVAL", interval="1s"), "interval"),
    (state("INTERVAL", interval="24h", at="x"), "at"),
    (state("CRON", cron_expression="daily"), "cron_expression"),
    (state("THRESHOLD", counter="n", operator="=", threshold=1), "operator"),
    (state("THRESHOLD", counter="n", operator=">", threshold="x"), "threshold"),
    (state("THRESHOLD", counter="n", operator=">", threshold=1, repeat="yes"), "repeat"),
])
def test_a_malformed_schedule_names_its_field(stage: Stage, trigger: dict[str, Any], field: str) -> None:
    body = {"name": "n", "event_name": "e", "scope": "participants", "trigger": trigger}
    details = error_of(stage.api.post(stage.path(), body), 400, "validation_error")
    assert list(details) == [f"trigger.schedule_config.{field}"]


def test_names_are_unique_among_those_that_live(stage: Stage) -> None:
    made = stage.automate(trigger=CRON)
    other = stage.automate(name="other", trigger=CRON)
    body = {"name": "automation", "event_name": "e", "scope": "participants", "trigger": CRON}
    error_of(stage.api.post(stage.path(), body), 409, "key_exists")
    error_of(stage.api.patch(stage.path(other), {"name": "automation"}), 409, "key_exists")
    assert stage.api.delete(stage.path(made)).status_code == 204
    assert stage.api.delete(stage.path(made)).status_code == 204
    assert stage.api.post(stage.path(), body).status_code == 201


def test_patch_changes_what_is_given(stage: Stage) -> None:
    made = stage.automate(trigger=CRON, guard_condition="true", filter_hints=[{"has_tag": "x"}])
    changed = stage.api.patch(stage.path(made), {
        "cron_expression": "30 10 * * *", "timezone": "Asia/Tokyo", "guard_condition": None,
        "filter_hints": [], "payload": {"n": 2}, "event_name": "pong",
    }).json
    assert changed["next_run_at"] == "2126-01-15T01:30:00Z"
    assert "guard_condition" not in changed
    assert "filter_hints" not in changed
    assert (changed["payload"], changed["event_name"]) == ({"n": 2}, "pong")
    once = stage.automate(name="once", scope="program", trigger=LATER)
    moved = stage.api.patch(stage.path(once), {"trigger_at": "2126-06-01T00:00:00Z"}).json
    assert moved["trigger_at"] == "2126-06-01T00:00:00Z"
    stage.time.until("2126-06-01")
    assert stage.pings() == {"": 1}


@pytest.mark.parametrize("body", [
    {}, {"status": "archived"}, {"status": None}, {"scope": "program"}, {"trigger": CRON},
    {"trigger_at": "2127-01-01T00:00:00Z"}, {"cron_expression": "no"}, {"timezone": "Mars/Base"},
    {"guard_condition": "("}, {"schedule_config": {}},
])
def test_a_malformed_change_changes_nothing(stage: Stage, body: dict[str, Any]) -> None:
    made = stage.automate(trigger=CRON)
    error_of(stage.api.patch(stage.path(made), body), 400, "validation_error")
    assert stage.shown(made) == made


def test_the_list_is_filtered_and_leaves_archived_ones_out(stage: Stage) -> None:
    a = stage.automate(name="Alpha", scope="program", trigger=CRON)
    b = stage.automate(name="Beta", trigger=CRON)
    c = stage.automate(name="Gamma", scope="program", trigger=LATER)
    gone = stage.automate(name="Delta", trigger=CRON)
    assert stage.api.delete(stage.path(gone)).status_code == 204

    def names(**query: Any) -> list[str]:
        return [row["name"] for row in walk(stage.api, stage.path(), limit=1, **query)]

    assert names() == ["Gamma", "Beta", "Alpha"]
    assert names(search="LPH") == ["Alpha"]
    assert names(trigger_type="cron", scope="program") == ["Alpha"]
    assert names(status="archived") == ["Delta"]
    assert names(source="api", scope="participants") == ["Beta"]
    assert names(source="rule_action") == []
    assert {a["id"], b["id"], c["id"]} == {row["id"] for row in walk(stage.api, stage.path())}


def test_what_is_absent_is_not_found(stage: Stage) -> None:
    made = stage.automate(trigger=CRON)
    elsewhere = f"/v1/programs/{stage.api.program()}/automations/{made['id']}"
    nowhere = stage.path({"id": ABSENT})
    for path in (elsewhere, nowhere):
        for answer in (
            stage.api.get(path), stage.api.patch(path, {"name": "x"}), stage.api.delete(path),
            stage.api.post(f"{path}/trigger"), stage.api.post(f"{path}/cancel"),
            stage.api.post(f"{path}/refresh-subscriptions"), stage.api.get(f"{path}/subscriptions"),
        ):
            error_of(answer, 404, "not_found")
    error_of(stage.api.get(f"/v1/programs/{ABSENT}/automations"), 404, "not_found")


def test_what_is_over_refuses_by_its_state(stage: Stage) -> None:
    stage.people("ann")
    cron, soon = stage.automate(trigger=CRON), stage.automate(name="i", trigger={"type": "immediate"})
    watching = stage.automate(name="w", trigger=state("INTERVAL", interval="24h"))
    stage.time.work()
    error_of(stage.api.patch(stage.path(soon), {"name": "x"}), 409, "automation_completed")
    message = "Automation cannot be triggered (must be active and idle or cron+program)"
    for made in (cron, watching):
        assert stage.api.patch(stage.path(made), {"status": "paused"}).json["status"] == "paused"
        answer = stage.api.post(stage.path(made, "/trigger"))
        error_of(answer, 400, "invalid_request")
        assert answer.json["message"] == message
    error_of(stage.api.post(stage.path(watching, "/refresh-subscriptions")), 400, "invalid_request")
    for made in (cron, watching):
        assert stage.api.delete(stage.path(made)).status_code == 204
        assert stage.shown(made)["status"] == "archived"
        error_of(stage.api.patch(stage.path(made), {"status": "active"}), 409, "automation_archived")
        error_of(stage.api.post(stage.path(made, "/trigger")), 400, "invalid_request")
        error_of(stage.api.post(stage.path(made, "/cancel")), 400, "invalid_request")
    error_of(stage.api.post(stage.path(watching, "/refresh-subscriptions")), 400, "invalid_request")


def test_a_closed_program_refuses_by_its_state(stage: Stage) -> None:
    made, program = stage.automate(trigger=CRON), f"/v1/programs/{stage.program}"
    body = {"name": "n", "event_name": "e", "scope": "participants", "trigger": CRON}
    assert stage.api.patch(program, {"status": "SUSPENDED"}).status_code == 200
    error_of(stage.api.post(stage.path(made, "/trigger")), 409, "program_suspended")
    assert stage.api.patch(stage.path(made), {"description": "while suspended"}).status_code == 200
    assert stage.api.patch(program, {"status": "ARCHIVED"}).status_code == 200
    error_of(stage.api.post(stage.path(made, "/trigger")), 409, "program_archived")
    error_of(stage.api.patch(stage.path(made), {"name": "x"}), 409, "program_archived")
    error_of(stage.api.post(stage.path(), body), 409, "program_archived")
    assert stage.shown(made)["description"] == "while suspended"


def test_another_programs_cancel_does_not_reach_over(stage: Stage) -> None:
    stage.people("ann")
    made = stage.automate(trigger={"type": "immediate"})
    elsewhere = f"/v1/programs/{stage.api.program()}/automations/{made['id']}"
    error_of(stage.api.post(f"{elsewhere}/cancel"), 404, "not_found")
    error_of(stage.api.delete(elsewhere), 404, "not_found")
    stage.time.work()
    assert stage.pings() == {"ann": 1}


def test_cancelling_before_its_time_archives_what_fires_once(stage: Stage) -> None:
    made = stage.automate(scope="program", trigger=LATER)
    assert stage.api.post(stage.path(made, "/cancel")).json["status"] == "archived"
    stage.time.until("2127-01-02")
    assert stage.pings() == {}
