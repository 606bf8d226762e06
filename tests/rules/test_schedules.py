"""Schedules: cron across daylight-saving and month ends, intervals that keep their grid."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.rules import CronSchedule, IntervalSchedule
from app.engine.schedules import (
    ScheduleError,
    check_cron,
    check_schedule,
    last_fire,
    next_fire,
    next_reset,
    roll,
)

CHICAGO = ZoneInfo("America/Chicago")
INSTANTS = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(("expression", "after", "fires"), [
    ("0 0 1 * *", "2024-01-31T12:00", "2024-02-01T00:00"),
    ("0 0 1 * *", "2024-02-01T00:00", "2024-03-01T00:00"),
    ("0 0 29 2 *", "2024-03-01T00:00", "2028-02-29T00:00"),
    ("0 0 L * *", "2023-02-01T00:00", "2023-02-28T00:00"),
    ("*/15 * * * *", "2024-01-01T00:07", "2024-01-01T00:15"),
    ("@monthly", "2024-01-31T12:00", "2024-02-01T00:00"),
    ("0 12 * * MON-FRI", "2024-03-01T13:00", "2024-03-04T12:00"),
])
def test_a_cron_expression_fires_next_in_utc(expression: str, after: str, fires: str) -> None:
    assert next_fire(expression, UTC, at(after)) == at(fires)


def test_a_local_time_that_does_not_exist_fires_at_the_next_valid_one() -> None:
    assert next_fire("30 2 * * *", CHICAGO, at("2024-03-10T07:00")) == at("2024-03-10T08:00")


def test_a_local_time_that_exists_twice_fires_once() -> None:
    first = next_fire("30 1 * * *", CHICAGO, at("2024-11-03T05:00"))
    assert first == at("2024-11-03T06:30")
    assert next_fire("30 1 * * *", CHICAGO, first) == at("2024-11-04T07:30")


def test_monday_nine_in_chicago_moves_with_the_season() -> None:
    assert next_fire("0 9 * * 1", CHICAGO, at("2024-01-01T00:00")) == at("2024-01-01T15:00")
    assert next_fire("0 9 * * 1", CHICAGO, at("2024-07-01T00:00")) == at("2024-07-01T14:00")


@given(INSTANTS)
def test_the_last_firing_before_the_next_one_is_not_later_than_now(now: datetime) -> None:
    upcoming = next_fire("0 9 * * 1", CHICAGO, now)
    assert last_fire("0 9 * * 1", CHICAGO, upcoming) <= now < upcoming


@pytest.mark.parametrize("expression", [
    "", "* * * *", "* * * * * *", "61 * * * *", "a b c d e", "0 0 30 2 *", "*/0 * * * *",
    "CRON_TZ=UTC 0 0 * * *", "TZ=UTC 0 0 * * *", "@reboot", "٣ * * * *", "* " * 200,
])
def test_what_is_no_cron_expression_is_refused(expression: str) -> None:
    with pytest.raises(ScheduleError):
        check_cron(expression)


@pytest.mark.parametrize("interval", ["", "1d", "-1h", "0s", "one hour", "999999999h"])
def test_what_is_no_interval_is_refused(interval: str) -> None:
    with pytest.raises(ScheduleError):
        check_schedule(IntervalSchedule(interval))


def test_a_budget_set_now_is_reset_after_one_interval() -> None:
    assert next_reset(IntervalSchedule("720h"), at("2024-01-01T00:30")) == at("2024-01-31T00:30")
    assert next_reset(CronSchedule("0 0 1 * *"), at("2024-01-01T00:30")) == at("2024-02-01T00:00")


@given(INSTANTS, st.integers(0, 10**9), st.sampled_from(["1s", "90m", "720h", "1h30m"]))
def test_an_interval_met_late_keeps_its_grid(due: datetime, late_seconds: int, interval: str) -> None:
    schedule, now = IntervalSchedule(interval), due + timedelta(seconds=late_seconds)
    length = next_reset(schedule, due) - due
    upcoming = roll(schedule, due, now)
    assert now < upcoming <= now + length
    assert (upcoming - due) % length == timedelta(0)


def test_a_reset_that_is_not_due_stays() -> None:
    due = at("2024-02-01T00:00")
    assert roll(CronSchedule("0 0 1 * *"), due, at("2024-01-31T23:59")) == due
    assert roll(CronSchedule("0 0 1 * *"), due, due) == at("2024-03-01T00:00")
