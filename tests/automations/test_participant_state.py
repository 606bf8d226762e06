"""Automations that go by participants' state: dates, intervals, cron, thresholds, and who is watched."""

from datetime import timedelta
from typing import Any

import pytest

from tests.api.client import error_of
from tests.automations.conftest import Stage


def by(kind: str, **config: Any) -> dict[str, Any]:
    """Return a participant_state trigger."""
    return {"type": "participant_state", "schedule_type": kind, "schedule_config": config}


def test_birthdays_come_every_year_and_on_the_28th_in_common_years(stage: Stage) -> None:
    stage.people("ann", attributes={"birthday": "02-29"})
    stage.people("ben", attributes={"birthday": "1990-01-20"})
    stage.people("cas", attributes={"birthday": "someday"})
    made = stage.automate(trigger=by("ATTRIBUTE_DATE", attribute="birthday", timezone="Europe/Berlin"))
    stage.time.work()
    rows = stage.api.get(stage.path(made, "/subscriptions")).json["data"]
    assert sorted(str(row["next_trigger_at"]) for row in rows) == [
        "2126-01-20T08:00:00Z", "2126-02-28T08:00:00Z", "None",
    ]
    stage.time.step("2129-01-01", timedelta(days=30))
    assert stage.pings() == {"ann": 3, "ben": 3}
    assert stage.times() == [
        "2126-01-20T08:00", "2126-02-28T08:00", "2127-01-20T08:00", "2127-02-28T08:00",
        "2128-01-20T08:00", "2128-02-29T08:00",
    ]


def test_a_date_that_moves_is_followed(stage: Stage) -> None:
    stage.people("ann", attributes={"renewal": "2126-02-01"})
    stage.automate(trigger=by("ATTRIBUTE_DATE", attribute="renewal", recurring="ONCE", offset_days=-7))
    stage.time.work()
    path = f"/v1/participants/{stage.id_of('ann')}/state/attributes/renewal"
    assert stage.api.put(path, {"value": "2126-03-01"}).status_code == 200
    stage.time.go("2126-01-25T09:00")  # The old date's turn, before the next look at all subscriptions.
    stage.time.work()
    assert stage.times() == []
    stage.time.until("2126-02-22T09:00")
    stage.time.until("2127-03-01")
    assert stage.times() == ["2126-02-22T09:00"]


def test_winning_back_after_thirty_days_without_a_purchase(stage: Stage) -> None:
    stage.rule('event.type == "purchase"', {
        "type": "SET_ATTRIBUTE", "key": "last_purchase", "value": "{{ dateIn(now, 'UTC') }}",
    })
    stage.rule('event.type == "win_back"', {"type": "TAG", "tag": "missed"})
    stage.automate(event_name="win_back", trigger=by(
        "ATTRIBUTE_DATE", attribute="last_purchase", recurring="ONCE", offset_days=30,
    ))
    stage.buy("ann", 1)
    stage.buy("ben", 1)
    stage.time.until("2126-02-01")
    stage.buy("ben", 1)
    stage.time.step("2126-02-20", timedelta(days=1))
    assert stage.pings("win_back") == {"ann": 1}
    stage.buy("ann", 1)  # She is back, and goes again.
    stage.time.step("2126-04-01", timedelta(days=1))
    assert stage.pings("win_back") == {"ann": 2, "ben": 1}


@pytest.mark.parametrize(("anchor", "expected"), [
    ("SUBSCRIBED", ["2126-01-31T00:00", "2126-02-10T00:00", "2126-02-20T00:00"]),
    ("ENROLLED", ["2126-01-24T18:00", "2126-02-03T18:00", "2126-02-13T18:00"]),
])
def test_intervals_are_counted_from_their_anchor(stage: Stage, anchor: str, expected: list[str]) -> None:
    stage.people("ann")
    stage.time.go("2126-01-21")
    stage.automate(trigger=by("INTERVAL", interval="240h", anchor=anchor))
    stage.time.work()
    for instant in expected:
        stage.time.until(f"{instant}:59")
    assert stage.times() == expected


def test_intervals_that_were_missed_come_once(stage: Stage) -> None:
    stage.people("ann")
    stage.automate(trigger=by("INTERVAL", interval="24h"))
    stage.time.work()
    stage.time.until("2126-02-14T20:00")
    assert stage.times() == ["2126-02-14T18:00"]


def test_a_monthly_statement_in_everybodys_own_time(stage: Stage) -> None:
    stage.people("ann", "ben")
    stage.automate(trigger=by("CRON", cron_expression="0 8 1 * *", timezone="America/New_York"))
    stage.time.step("2126-04-15", timedelta(days=1))
    assert stage.pings() == {"ann": 3, "ben": 3}
    assert stage.times()[::2] == ["2126-02-01T13:00", "2126-03-01T13:00", "2126-04-01T12:00"]


class TestThresholds:
    """A comparison of a counter that becomes true."""

    REACHED = by("THRESHOLD", counter="year_points", operator=">=", threshold=100)

    def test_crossing_fires_once(self, stage: Stage) -> None:
        stage.people("ann")
        made = stage.automate(trigger=self.REACHED)
        stage.time.work()
        stage.buy("ann", 99)
        assert stage.pings() == {}
        stage.buy("ann", 1)
        stage.buy("ann", 500)
        assert stage.pings() == {"ann": 1}
        rows = stage.api.get(stage.path(made, "/subscriptions")).json["data"]
        assert [(row["status"], row["trigger_count"]) for row in rows] == [("completed", 1)]

    def test_somebody_who_came_a_moment_ago_is_not_missed(self, stage: Stage) -> None:
        stage.automate(trigger=self.REACHED)
        stage.time.work()
        stage.buy("new", 150)  # Not looked over yet: the crossing itself subscribes.
        assert stage.pings() == {"new": 1}

    def test_crossing_again_fires_again_where_it_repeats(self, stage: Stage) -> None:
        stage.automate(trigger=by(
            "THRESHOLD", counter="year_points", operator=">=", threshold=100, repeat=True
        ))
        for points in (100, 50, -100, 60):
            stage.buy("ann", points)
        assert stage.pings() == {"ann": 2}

    def test_a_reset_that_was_due_crosses_at_the_write_that_finds_it(self, stage: Stage) -> None:
        """A counter resets lazily: nothing writes it at the time itself, so nothing is compared then."""
        stage.people("ann")
        path = f"/v1/participants/{stage.id_of('ann')}/state/counters/year_points"
        assert stage.api.put(path, {"value": "80", "reset_after": "720h"}).status_code == 200
        stage.automate(trigger=by(
            "THRESHOLD", counter="year_points", operator="<", threshold=50, repeat=True
        ))
        stage.automate(name="up", event_name="up", trigger=by(
            "THRESHOLD", counter="year_points", operator=">=", threshold=50, repeat=True
        ))
        stage.time.work()
        stage.time.go("2126-02-14T18:00")
        assert stage.pings() == {}
        stage.buy("ann", 10)  # 80, reset to 0, now 10: below at last.
        assert stage.pings() == {"ann": 1}
        stage.buy("ann", 10)
        assert stage.pings() == {"ann": 1}
        stage.buy("ann", 60)
        assert stage.pings("up") == {"ann": 1}
        stage.time.go("2126-03-20T18:00")
        stage.buy("ann", 70)  # 80, reset to 0, now 70: it fell and rose, and stands above.
        assert stage.pings("up") == {"ann": 2}
        assert stage.pings() == {"ann": 1}

    def test_a_counter_set_through_the_api_crosses_too(self, stage: Stage) -> None:
        stage.people("ann")
        stage.automate(trigger=self.REACHED)
        stage.time.work()
        path = f"/v1/participants/{stage.id_of('ann')}/state/counters/year_points"
        assert stage.api.put(path, {"value": "250"}).status_code == 200
        stage.time.work()
        assert stage.pings() == {"ann": 1}

    def test_the_filter_counts_when_it_crosses(self, stage: Stage) -> None:
        stage.people("ann", tags=["vip"])
        stage.people("ben")
        stage.automate(trigger=self.REACHED, participant_filter="'vip' in participant.tags")
        stage.time.work()
        stage.buy("ann", 100)
        stage.buy("ben", 100)
        assert stage.pings() == {"ann": 1}


def test_the_filter_is_looked_over_on_demand_and_by_itself(stage: Stage) -> None:
    stage.people("ann", tags=["vip"])
    stage.people("ben")
    made = stage.automate(
        trigger=by("INTERVAL", interval="240h"), participant_filter="'vip' in participant.tags"
    )
    stage.time.work()

    def watched() -> list[str]:
        rows = stage.api.get(stage.path(made, "/subscriptions"), status="active").json["data"]
        return sorted(row["participant_id"] for row in rows)

    assert watched() == [stage.id_of("ann")]
    ann, ben = (f"/v1/participants/{stage.id_of(who)}/state/tags/vip" for who in ("ann", "ben"))
    assert stage.api.delete(ann).status_code == 204
    assert stage.api.put(ben).status_code == 201
    answer = stage.api.post(stage.path(made, "/refresh-subscriptions"))
    assert (answer.status_code, answer.json) == (202, {"status": "accepted"})
    stage.time.work()
    assert watched() == [stage.id_of("ben")]
    assert stage.api.put(ann).status_code == 201
    stage.time.until("2126-01-14T18:16")
    assert watched() == sorted((stage.id_of("ann"), stage.id_of("ben")))
    assert stage.shown(made)["last_evaluated_at"] >= "2126-01-14T18:15"


def test_subscriptions_are_for_participant_state_alone(stage: Stage) -> None:
    made = stage.automate(trigger={"type": "immediate"})
    error_of(stage.api.post(stage.path(made, "/refresh-subscriptions")), 400, "invalid_request")
    assert stage.api.get(stage.path(made, "/subscriptions")).json["data"] == []


def test_a_paused_automation_goes_on_from_its_resumption(stage: Stage) -> None:
    stage.people("ann")
    made = stage.automate(trigger=by("INTERVAL", interval="24h"))
    stage.time.work()
    assert stage.api.patch(stage.path(made), {"status": "paused"}).status_code == 200
    stage.time.until("2126-01-20T12:00")
    assert stage.times() == []
    assert stage.api.patch(stage.path(made), {"status": "active"}).status_code == 200
    stage.time.work()
    stage.time.until("2126-01-20T18:00:30")
    assert stage.times() == ["2126-01-20T18:00"]


def test_a_changed_schedule_concerns_everybody(stage: Stage) -> None:
    stage.people("ann")
    made = stage.automate(trigger=by("INTERVAL", interval="240h"))
    stage.time.work()
    changed = stage.api.patch(stage.path(made), {"schedule_config": {"interval": "24h"}})
    assert changed.json["schedule_config"] == {"interval": "24h"}
    stage.time.work()
    stage.time.until("2126-01-15T18:01")
    assert stage.times() == ["2126-01-15T18:00"]


class TestLateLooks:
    """Whom nobody has looked over yet when a turn comes: the scheduler was down, or the look minutes off."""

    def test_somebody_who_comes_on_the_birthday_itself_is_congratulated(self, stage: Stage) -> None:
        made = stage.automate(trigger=by("ATTRIBUTE_DATE", attribute="birthday"))
        stage.time.work()
        stage.time.until("2126-01-15T08:50")
        looked = stage.shown(made)["last_evaluated_at"]
        stage.people("ann", attributes={"birthday": "01-15"})
        stage.people("ben", attributes={"birthday": "01-16"})
        stage.time.go("2126-01-15T09:04:30")  # The next look comes half a minute later.
        stage.time.work()
        assert (stage.pings(), stage.shown(made)["last_evaluated_at"]) == ({}, looked)
        stage.time.until("2126-01-15T09:06")
        assert (stage.pings(), stage.times()) == ({"ann": 1}, ["2126-01-15T09:00"])
        stage.time.until("2126-01-15T12:00")
        stage.time.until("2126-01-16T12:00")
        assert stage.pings() == {"ann": 1, "ben": 1}

    def test_a_date_set_before_its_day_comes_although_nobody_looked_until_after(self, stage: Stage) -> None:
        stage.people("ann", "ben")
        stage.automate(trigger=by("ATTRIBUTE_DATE", attribute="renewal", recurring="ONCE"))
        stage.time.work()
        path = f"/v1/participants/{stage.id_of('ann')}"
        assert stage.api.patch(path, {"attributes": {"renewal": "2126-01-20"}}).status_code == 200
        stage.time.until("2126-02-20")
        stage.time.until("2126-02-21")
        assert (stage.pings(), stage.times()) == ({"ann": 1}, ["2126-01-20T09:00"])

    def test_a_date_that_moved_while_nobody_looked_comes_on_its_new_day(self, stage: Stage) -> None:
        stage.people("ann", attributes={"renewal": "2126-01-18"})
        stage.automate(trigger=by("ATTRIBUTE_DATE", attribute="renewal", recurring="ONCE"))
        stage.time.work()
        path = f"/v1/participants/{stage.id_of('ann')}/state/attributes/renewal"
        assert stage.api.put(path, {"value": "2126-01-25"}).status_code == 200
        stage.time.until("2126-02-20")
        assert stage.times() == ["2126-01-25T09:00"]

    def test_intervals_and_cron_begin_with_the_enrollment(self, stage: Stage) -> None:
        stage.automate(trigger=by("INTERVAL", interval="240h"))
        stage.automate(name="c", event_name="pong", trigger=by("CRON", cron_expression="0 8 1 * *"))
        stage.time.work()
        stage.people("ann")
        stage.time.until("2126-02-20")
        assert (stage.times(), stage.times("pong")) == (["2126-02-13T18:00"], ["2126-02-01T08:00"])

    def test_a_new_match_of_the_filter_is_watched_from_the_look_on(self, stage: Stage) -> None:
        stage.people("ann")
        stage.automate(
            trigger=by("CRON", cron_expression="0 9 * * *"), participant_filter="'vip' in participant.tags"
        )
        stage.time.work()
        stage.time.until("2126-01-15T08:50")
        stage.time.go("2126-01-15T09:01")
        assert stage.api.put(f"/v1/participants/{stage.id_of('ann')}/state/tags/vip").status_code == 201
        stage.time.until("2126-01-15T09:20")
        assert stage.times() == []
        stage.time.until("2126-01-16T09:20")
        assert stage.times() == ["2126-01-16T09:00"]


def test_what_an_import_brings_is_followed(stage: Stage) -> None:
    stage.tier()
    stage.automate(trigger=by("ATTRIBUTE_DATE", attribute="birthday"))
    stage.automate(name="t", event_name="pong", trigger=TestThresholds.REACHED)
    stage.time.work()
    files = {
        "participants": "external_id,attributes.birthday\nann,01-20\n",
        "events": "external_id,idempotency_key,event_timestamp,event_data\n"
                  'ann,k,2126-01-14T12:00:00Z,"{""type"": ""purchase"", ""points"": 150}"\n',
    }
    for kind, text in files.items():
        answer = stage.api.send("POST", "/v1/imports", data=text, content_type="text/csv", query_string={
            "kind": kind, "program_id": stage.program,
        })
        assert answer.status_code == 202, answer.json
        stage.time.work()
        assert stage.api.get(f"/v1/imports/{answer.json['id']}").json["rejected_lines"] == 0
    assert (stage.pings("pong"), stage.level("ann")) == ({"ann": 1}, "silver")
    stage.time.until("2126-02-20")
    assert (stage.pings(), stage.times()) == ({"ann": 1}, ["2126-01-20T09:00"])


@pytest.mark.parametrize(("trigger", "expected"), [
    (by("INTERVAL", interval="96h"), "2126-01-18T18:00"),
    (by("CRON", cron_expression="0 9 17 * *"), "2126-01-17T09:00"),
    (by("ATTRIBUTE_DATE", attribute="birthday"), "2126-01-17T09:00"),
    (by("THRESHOLD", counter="year_points", operator=">=", threshold=100), None),
])
def test_a_suspended_program_makes_up_for_a_missed_turn_once(
    stage: Stage, trigger: dict[str, Any], expected: str | None
) -> None:
    stage.people("ann", attributes={"birthday": "01-17"})
    stage.automate(trigger=trigger)
    stage.time.work()
    path = f"/v1/programs/{stage.program}"
    assert stage.api.patch(path, {"status": "SUSPENDED"}).status_code == 200
    counter = f"/v1/participants/{stage.id_of('ann')}/state/counters/year_points"
    assert stage.api.put(counter, {"value": "150"}).status_code == 200
    stage.time.step("2126-01-20T11:59", timedelta(hours=10))
    assert stage.times() == []
    assert stage.api.patch(path, {"status": "ACTIVE"}).status_code == 200
    stage.time.until("2126-01-20T12:00")
    stage.time.until("2126-01-20T12:20")
    assert stage.pings() == {"ann": 1}
    assert expected is None or stage.times() == [expected]
