"""When automations fire: cron, once, at once; what happens when nobody looked, and who is addressed."""

from datetime import timedelta

import pytest

from tests.api.client import error_of
from tests.automations.conftest import Stage
from tests.harness import Servers
from tests.sabotage import sabotage
from tests.timeline import at

DAILY = {"type": "cron", "cron_expression": "0 9 * * *"}


def test_cron_makes_one_event_of_the_program_each_time(stage: Stage) -> None:
    made = stage.automate(scope="program", trigger=DAILY, payload={"note": "hello"})
    assert made["next_run_at"] == "2126-01-15T09:00:00Z"
    stage.time.step("2126-01-18T10:00", timedelta(hours=7))
    assert stage.times() == ["2126-01-15T09:00", "2126-01-16T09:00", "2126-01-17T09:00", "2126-01-18T09:00"]
    event = stage.system_events("ping")[0]
    assert event["event_data"] == {"note": "hello", "type": "ping"}
    assert event["status"] == "COMPLETED"
    assert "participant_id" not in event


def test_times_that_were_missed_make_one_event_for_the_latest(stage: Stage) -> None:
    made = stage.automate(scope="program", trigger=DAILY)
    stage.time.until("2126-02-20T12:00")
    assert stage.times() == ["2126-02-20T09:00"]
    assert stage.shown(made)["next_run_at"] == "2126-02-21T09:00:00Z"


def test_a_clock_that_steps_back_fires_nothing_twice(stage: Stage) -> None:
    stage.automate(scope="program", trigger=DAILY)
    stage.time.until("2126-01-15T09:00")
    stage.time.until("2126-01-15T08:59")
    stage.time.until("2126-01-15T09:30")
    assert stage.times() == ["2126-01-15T09:00"]


@pytest.mark.parametrize(
    ("zone", "expression", "start", "end", "expected"),
    [
        # Clocks go forward at 02:00: half past two does not exist on the 31st.
        ("Europe/Berlin", "30 2 * * *", "2126-03-30T00:00", "2126-04-01T12:00",
         ["2126-03-30T01:30", "2126-03-31T01:00", "2126-04-01T00:30"]),
        # Clocks go back at 03:00: half past two comes twice on the 27th.
        ("Europe/Berlin", "30 2 * * *", "2126-10-26T00:00", "2126-10-28T12:00",
         ["2126-10-26T00:30", "2126-10-27T00:30", "2126-10-28T01:30"]),
        ("America/New_York", "30 2 * * *", "2126-03-09T12:00", "2126-03-11T12:00",
         ["2126-03-10T07:00", "2126-03-11T06:30"]),
        # Half an hour of daylight saving.
        ("Australia/Lord_Howe", "15 2 * * *", "2126-10-05T00:00", "2126-10-07T00:00",
         ["2126-10-05T15:30", "2126-10-06T15:15"]),
        ("UTC", "0 0 31 * *", "2126-01-30T00:00", "2126-04-01T00:00",
         ["2126-01-31T00:00", "2126-03-31T00:00"]),
        ("UTC", "0 0 29 2 *", "2126-01-15T00:00", "2132-03-01T00:00",
         ["2128-02-29T00:00", "2132-02-29T00:00"]),
        ("Pacific/Auckland", "59 23 31 12 *", "2126-12-01T00:00", "2127-01-02T00:00", ["2126-12-31T10:59"]),
    ],
)
def test_cron_keeps_local_time(
    stage: Stage, zone: str, expression: str, start: str, end: str, expected: list[str]
) -> None:
    stage.time.go(start)
    stage.automate(
        scope="program", trigger={"type": "cron", "cron_expression": expression, "timezone": zone}
    )
    for instant in expected:
        stage.time.until(at(instant) - timedelta(seconds=1))
        stage.time.until(instant)
    stage.time.until(end)
    assert stage.times() == expected


def test_once_is_once(stage: Stage) -> None:
    made = stage.automate(scope="program", trigger={"type": "one_time", "trigger_at": "2126-02-01T12:00:00Z"})
    stage.time.until("2126-02-01T11:59")
    assert stage.times() == []
    stage.time.until("2126-02-03T12:00")
    stage.time.until("2127-02-03T12:00")
    assert stage.times() == ["2126-02-01T12:00"]
    shown = stage.shown(made)
    assert (shown["status"], "processed_at" in shown) == ("completed", True)


def test_once_for_one_participant(stage: Stage) -> None:
    stage.people("ann", "ben")
    stage.automate(
        scope="program", participant_id=stage.id_of("ann"),
        trigger={"type": "one_time", "trigger_at": "2126-02-01T12:00:00Z"},
    )
    stage.time.until("2126-02-02")
    assert stage.pings() == {"ann": 1}


def test_immediate_addresses_everybody_at_once(stage: Stage) -> None:
    stage.people("ann", "ben", "cas")
    made = stage.automate(trigger={"type": "immediate"})
    assert made["execution_status"] == "pending"
    stage.time.work()
    assert stage.pings() == {"ann": 1, "ben": 1, "cas": 1}
    shown = stage.shown(made)
    assert (shown["status"], shown["execution_status"]) == ("completed", "completed")
    assert (shown["participants_total"], shown["participants_processed"]) == (3, 3)


def test_inactive_enrollments_are_left_out(stage: Stage) -> None:
    stage.people("ann", "ben")
    path = f"/v1/programs/{stage.program}/participants/{stage.id_of('ben')}"
    assert stage.api.patch(path, {"status": "FROZEN"}).status_code == 200
    stage.automate(trigger={"type": "immediate"})
    stage.time.work()
    assert stage.pings() == {"ann": 1}


def test_filter_hints_and_guard_choose_whom_to_address(stage: Stage) -> None:
    stage.people("ann", tags=["digest"], attributes={"city": "London"})
    stage.people("ben", tags=["digest"], attributes={"city": "Paris"})
    stage.people("cas", attributes={"city": "London"})
    stage.people("dan", tags=["digest"])
    made = stage.automate(
        trigger=DAILY, filter_hints=[{"has_tag": "digest"}],
        participant_filter="'digest' in participant.tags",
        guard_condition="participant.attributes.city == 'London' && event.type == 'ping'",
    )
    stage.time.until("2126-01-15T09:00")
    assert stage.pings() == {"ann": 1}
    # The guard cannot be told for one who has no city: that one is left out, and it is told.
    shown = stage.shown(made)
    assert shown["execution_status"] == "completed"
    assert "guard_condition failed" in shown["execution_error"]


def test_five_failures_in_a_row_pause_it(stage: Stage) -> None:
    stage.people("ann")
    made = stage.automate(trigger=DAILY, guard_condition="participant.attributes.city == 'London'")
    for day in range(15, 19):
        stage.time.until(f"2126-01-{day}T09:00")
        assert stage.shown(made)["status"] == "active"
    stage.time.until("2126-01-19T09:00")
    shown = stage.shown(made)
    assert (shown["status"], "guard_condition failed" in shown["last_error"]) == ("paused", True)
    stage.time.until("2126-02-19T09:00")
    assert stage.pings() == {}


def test_an_automation_that_cannot_be_fired_holds_up_no_other(stage: Stage, servers: Servers) -> None:
    broken = stage.automate(scope="program", trigger=DAILY)
    stage.automate(scope="program", trigger=DAILY, event_name="pong", name="another")
    with sabotage(servers, "NEW.event_data ->> 'type' = 'ping'", on="INSERT ON events"):
        stage.time.until("2126-01-15T09:00")
    assert (stage.times(), stage.times("pong")) == ([], ["2126-01-15T09:00"])
    shown = stage.shown(broken)
    assert (shown["status"], "broken on purpose" in shown["last_error"]) == ("active", True)
    stage.time.until("2126-01-16T09:00")
    assert stage.times() == ["2126-01-16T09:00"]
    assert "last_error" not in stage.shown(broken)


def test_a_suspended_program_waits_and_catches_up_once(stage: Stage) -> None:
    stage.people("ann")
    stage.automate(trigger=DAILY)
    stage.rule('event.type == "go"', {"type": "SCHEDULE_EVENT", "event_name": "later", "delay": "24h"})
    stage.send("ann", "go")
    stage.time.work()
    path = f"/v1/programs/{stage.program}"
    assert stage.api.patch(path, {"status": "SUSPENDED"}).status_code == 200
    stage.time.until("2126-01-20T12:00")
    assert (stage.pings(), stage.pings("later")) == ({}, {})
    assert stage.api.patch(path, {"status": "ACTIVE"}).status_code == 200
    stage.time.work()
    assert (stage.times(), stage.pings("later")) == (["2126-01-20T09:00"], {"ann": 1})


def test_pausing_stops_and_resuming_goes_on_from_then(stage: Stage) -> None:
    made = stage.automate(scope="program", trigger=DAILY)
    assert stage.api.patch(stage.path(made), {"status": "paused"}).status_code == 200
    stage.time.until("2126-01-16T12:00")
    resumed = stage.api.patch(stage.path(made), {"status": "active"})
    assert resumed.json["next_run_at"] == "2126-01-17T09:00:00Z"
    stage.time.until("2126-01-17T12:00")
    assert stage.times() == ["2126-01-17T09:00"]


def test_triggering_by_hand(stage: Stage) -> None:
    stage.people("ann")
    program = stage.automate(name="p", scope="program", trigger=DAILY)
    people = stage.automate(name="q", event_name="pong", trigger=DAILY)
    once = stage.automate(
        name="o", scope="program", trigger={"type": "one_time", "trigger_at": "2127-01-01T00:00:00Z"}
    )
    assert stage.api.post(stage.path(program, "/trigger")).status_code == 200
    assert stage.api.post(stage.path(people, "/trigger")).json["execution_status"] == "pending"
    error_of(stage.api.post(stage.path(people, "/trigger")), 400, "invalid_request")
    error_of(stage.api.post(stage.path(once, "/trigger")), 400, "invalid_request")
    stage.time.work()
    assert (stage.pings(), stage.pings("pong")) == ({"": 1}, {"ann": 1})
    stage.time.until("2126-01-15T09:00")
    assert (stage.pings(), stage.pings("pong")) == ({"": 2}, {"ann": 2})
    assert stage.api.patch(stage.path(program), {"status": "paused"}).status_code == 200
    error_of(stage.api.post(stage.path(program, "/trigger")), 400, "invalid_request")


def test_what_rules_schedule_and_broadcast_is_shown_as_automations(stage: Stage) -> None:
    stage.people("ann", "ben")
    stage.rule(
        'event.type == "go"',
        {"type": "SCHEDULE_EVENT", "event_name": "later", "delay": "48h",
         "payload": {"who": "{{ event.type }}"}},
        {"type": "BROADCAST", "event_name": "all"},
    )
    stage.send("ann", "go")
    stage.time.work()
    assert stage.pings("all") == {"ann": 1, "ben": 1}
    assert stage.api.get(stage.path()).json["data"] == []
    rows = stage.api.get(stage.path(), source="rule_action").json["data"]
    assert sorted((row["event_name"], row["status"], row["trigger_type"]) for row in rows) == [
        ("all", "completed", "immediate"), ("later", "active", "one_time"),
    ]
    stage.time.until("2126-01-16T18:01")
    assert stage.pings("later") == {"ann": 1}
    assert stage.system_events("later")[0]["event_data"] == {"who": "go", "type": "later"}


def test_a_scheduled_event_can_be_cancelled(stage: Stage) -> None:
    stage.people("ann")
    stage.rule('event.type == "go"', {"type": "SCHEDULE_EVENT", "event_name": "later", "delay": "48h"})
    stage.send("ann", "go")
    stage.time.work()
    made = stage.api.get(stage.path(), source="rule_action").json["data"][0]
    assert stage.api.post(stage.path(made, "/cancel")).json["status"] == "completed"
    stage.time.until("2126-02-01")
    assert stage.pings("later") == {}
