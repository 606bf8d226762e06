"""The calendar's traps for every kind of automation: clock changes, leap days, ends of months and years.

And what happens to each kind when nobody works for several periods, or the clock steps back.
"""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from app.domain.automations import (
    Automation,
    AutomationStatus,
    Reach,
    ScheduleType,
    Trigger,
    schedule_from_json,
)
from app.engine.automations import Facts, due_run, first_run, next_trigger
from tests.automations.conftest import Stage
from tests.automations.test_participant_state import by
from tests.timeline import at

MINUTE = timedelta(minutes=1)


def cron(expression: str, zone: str) -> Automation:
    start = at("2000-01-01")
    return Automation(
        UUID(int=0), UUID(int=1), UUID(int=2), "n", "e", Reach.PROGRAM, Trigger.CRON, AutomationStatus.ACTIVE,
        start, start, cron_expression=expression, timezone=zone,
    )


def attribute(value: str, after: datetime, **config: Any) -> datetime | None:
    schedule = schedule_from_json(ScheduleType.ATTRIBUTE_DATE, {"attribute": "d", **config})
    return next_trigger(schedule, Facts({"d": value}, after, after), after)


# Zone, local date and time, and the instant in UTC; those that do not exist come at the next one that does,
# those that exist twice come the first time.
CLOCK_CHANGES = [
    ("Europe/Berlin", "2026-03-29", "02:30", "2026-03-29T01:00"),
    ("Europe/Berlin", "2026-10-25", "02:30", "2026-10-25T00:30"),
    ("America/New_York", "2026-03-08", "02:30", "2026-03-08T07:00"),
    ("America/New_York", "2026-11-01", "01:30", "2026-11-01T05:30"),
    ("Australia/Lord_Howe", "2026-10-04", "02:15", "2026-10-03T15:30"),  # By half an hour.
    ("Australia/Lord_Howe", "2026-04-05", "01:45", "2026-04-04T14:45"),
    ("Africa/Casablanca", "2026-03-22", "02:30", "2026-03-22T02:00"),  # Around Ramadan.
    ("Africa/Casablanca", "2026-02-15", "02:30", "2026-02-15T01:30"),
    ("Asia/Kolkata", "2026-03-29", "02:30", "2026-03-28T21:00"),  # Never.
    ("Pacific/Kiritimati", "2026-12-31", "23:59", "2026-12-31T09:59"),  # Fourteen hours ahead.
]


@pytest.mark.parametrize(("zone", "day", "clock", "instant"), CLOCK_CHANGES)
def test_a_cron_automation_through_a_clock_change(zone: str, day: str, clock: str, instant: str) -> None:
    expression = f"{int(clock[3:])} {int(clock[:2])} * * *"
    automation, found = cron(expression, zone), at(instant)
    assert first_run(automation, found - MINUTE) == found
    following = first_run(automation, found)
    assert following is not None
    assert timedelta(hours=22) < following - found < timedelta(hours=26)  # Once, and not again that day.


@pytest.mark.parametrize(("zone", "day", "clock", "instant"), CLOCK_CHANGES)
def test_a_participants_cron_through_a_clock_change(zone: str, day: str, clock: str, instant: str) -> None:
    schedule = schedule_from_json(ScheduleType.CRON, {
        "cron_expression": f"{int(clock[3:])} {int(clock[:2])} * * *", "timezone": zone,
    })
    found = at(instant)
    facts = Facts({}, found, found)
    assert next_trigger(schedule, facts, found - MINUTE) == found
    following = next_trigger(schedule, facts, found)
    assert following is not None
    assert timedelta(hours=22) < following - found < timedelta(hours=26)


@pytest.mark.parametrize(("zone", "day", "clock", "instant"), CLOCK_CHANGES)
@pytest.mark.parametrize("value", ["{day}", "{month_and_day}"])
def test_a_participants_date_through_a_clock_change(
    zone: str, day: str, clock: str, instant: str, value: str
) -> None:
    text, found = value.format(day=day, month_and_day=day[5:]), at(instant)
    config = {"time": clock, "timezone": zone}
    assert attribute(text, found - MINUTE, **config) == found
    following = attribute(text, found, **config)
    assert following is not None
    assert timedelta(days=364) < following - found < timedelta(days=366)
    assert attribute(text, found, recurring="ONCE", **config) == (None if value == "{day}" else following)


def test_a_day_that_a_zone_left_out_comes_with_the_next() -> None:
    # Samoa went from 29 to 31 December 2011.
    found = attribute("2011-12-30", at("2011-12-29"), timezone="Pacific/Apia", recurring="ONCE")
    assert found == at("2011-12-30T10:00")


def test_intervals_are_spans_of_time_whatever_local_clocks_do() -> None:
    schedule = schedule_from_json(ScheduleType.INTERVAL, {"interval": "24h"})
    start = at("2026-03-28T01:30")
    facts = Facts({}, start, start)
    assert next_trigger(schedule, facts, start + timedelta(hours=25)) == at("2026-03-30T01:30")
    yearly = schedule_from_json(ScheduleType.INTERVAL, {"interval": "8760h"})
    leap = at("2028-02-29T12:00")
    assert next_trigger(yearly, Facts({}, leap, leap), leap) == at("2029-02-28T12:00")


@pytest.mark.parametrize(("value", "config", "after", "found"), [
    ("02-29", {}, "2027-01-01", "2027-02-28T09:00"),
    ("02-29", {}, "2028-01-01", "2028-02-29T09:00"),
    ("2000-02-29", {"offset_days": 1}, "2027-01-01", "2027-03-01T09:00"),
    ("02-29", {}, "2099-06-01", "2100-02-28T09:00"),  # 2100 is no leap year.
    ("01-31", {"offset_days": 30}, "2026-01-01", "2026-03-02T09:00"),
    ("01-31", {"offset_days": 30}, "2028-01-01", "2028-03-01T09:00"),
    ("12-31", {"offset_days": 1}, "2026-06-01", "2027-01-01T09:00"),
    ("01-01", {"offset_days": -1}, "2026-06-01", "2026-12-31T09:00"),
    ("12-31", {"time": "23:59", "timezone": "Pacific/Auckland"}, "2026-12-01", "2026-12-31T10:59"),
    ("01-01", {"time": "00:00", "timezone": "Pacific/Auckland"}, "2026-12-01", "2026-12-31T11:00"),
])
def test_dates_at_the_ends_of_months_and_years(
    value: str, config: dict[str, Any], after: str, found: str
) -> None:
    assert attribute(value, at(after), **config) == at(found)


@pytest.mark.parametrize(("expression", "after", "found"), [
    ("0 0 31 * *", "2026-01-31T00:00", "2026-03-31T00:00"),
    ("0 0 L * *", "2028-02-01T00:00", "2028-02-29T00:00"),
    ("0 0 29 2 *", "2028-02-29T00:00", "2032-02-29T00:00"),
    ("0 0 29 2 *", "2096-02-29T00:00", "2104-02-29T00:00"),
    ("0 0 1 1 *", "2026-06-01T00:00", "2027-01-01T00:00"),
    ("59 23 31 12 *", "2026-06-01T00:00", "2026-12-31T23:59"),
])
def test_cron_at_the_ends_of_months_and_years(expression: str, after: str, found: str) -> None:
    automation = cron(expression, "UTC")
    assert first_run(automation, at(after)) == at(found)
    schedule = schedule_from_json(ScheduleType.CRON, {"cron_expression": expression})
    start = at(after)
    assert next_trigger(schedule, Facts({}, start, start), start) == at(found)


def test_a_missed_cron_in_the_hour_that_comes_twice_fires_for_the_first() -> None:
    found = at("2026-10-25T00:30")
    automation = cron("30 2 * * *", "Europe/Berlin")
    late = Automation(**{
        **{name: getattr(automation, name) for name in Automation.__dataclass_fields__},
        "next_run_at": at("2026-10-20T00:30"),
    })
    # An hour later the local clock shows half past two again.
    assert due_run(late, datetime(2026, 10, 25, 1, 30, tzinfo=UTC)) == (found, at("2026-10-26T01:30"))


KINDS: dict[str, tuple[dict[str, Any], str, str]] = {
    # The definition, the latest missed time on 20 February 2126 at noon, and the one after.
    "cron of the program": (
        {"scope": "program", "trigger": {"type": "cron", "cron_expression": "0 9 * * *"}},
        "2126-02-20T09:00", "2126-02-21T09:00"),
    "cron for participants": (
        {"trigger": {"type": "cron", "cron_expression": "0 9 1 * *", "timezone": "Asia/Tokyo"}},
        "2126-02-01T00:00", "2126-03-01T00:00"),
    "once, of the program": (
        {"scope": "program", "trigger": {"type": "one_time", "trigger_at": "2126-02-01T12:00:00Z"}},
        "2126-02-01T12:00", ""),
    "once, for participants": (
        {"trigger": {"type": "one_time", "trigger_at": "2126-02-01T12:00:00Z"}}, "2126-02-01T12:00", ""),
    "at once": ({"trigger": {"type": "immediate"}}, "2126-01-14T18:00", ""),
    "a date": ({"trigger": by("ATTRIBUTE_DATE", attribute="birthday")},
               "2126-02-03T09:00", "2127-02-03T09:00"),
    "a date, once": ({"trigger": by("ATTRIBUTE_DATE", attribute="renewal", recurring="ONCE")},
                     "2126-02-05T09:00", ""),
    "an interval": ({"trigger": by("INTERVAL", interval="72h")}, "2126-02-19T18:00", "2126-02-22T18:00"),
    "a cron of each": ({"trigger": by("CRON", cron_expression="0 8 * * 1")},
                       "2126-02-18T08:00", "2126-02-25T08:00"),
    "a threshold": ({"trigger": by("THRESHOLD", counter="year_points", operator=">=", threshold=100,
                                   repeat=True)}, "2126-01-14T18:00", ""),
}


@pytest.mark.parametrize("kind", KINDS)
def test_nobody_worked_for_weeks_and_then_the_clock_stepped_back(stage: Stage, kind: str) -> None:
    fields, latest, following = KINDS[kind]
    stage.people("ann", attributes={"birthday": "1990-02-03", "renewal": "2126-02-05"})
    stage.automate(**fields)
    if kind != "at once":
        stage.time.work()
    counter = f"/v1/participants/{stage.id_of('ann')}/state/counters/year_points"
    assert stage.api.put(counter, {"value": "100"}).status_code == 200
    stage.time.until("2126-02-20T12:00")  # Nobody has worked since.
    assert stage.times() == [latest]
    for step in ("2126-02-20T11:00", "2126-02-20T12:30", "2126-02-18T07:00", "2126-01-31T00:00",
                 "2126-02-20T13:00"):
        stage.time.until(step)
    assert stage.times() == [latest]
    assert sum(stage.pings().values()) == 1
    if following:
        stage.time.until(at(following) - timedelta(seconds=1))
        assert stage.times() == [latest]
        stage.time.until(at(following) + MINUTE)
        assert stage.times() == [latest, following]
