"""Schedules as arithmetic, against a slow and obvious search through the calendar."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.domain.automations import ScheduleType, schedule_from_json
from app.engine.automations import Facts, ZoneFault, latest_trigger, local_instant, next_trigger, zone

ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca", "Asia/Tokyo")
START = datetime(2026, 1, 1, tzinfo=UTC)
moments = st.integers(0, 4 * 366 * 24 * 60).map(lambda minutes: START + timedelta(minutes=minutes))


@given(name=st.sampled_from(ZONES), minutes=st.integers(0, 2 * 366 * 24 * 60))
@settings(max_examples=300, deadline=None)
def test_a_local_time_is_the_first_that_exists(name: str, minutes: int) -> None:
    local, wall = ZoneInfo(name), datetime(2026, 1, 1) + timedelta(minutes=minutes)
    found = local_instant(wall.date(), wall.time(), local)
    # The first minute on the world's clock at which the local clock shows this time or a later one.
    searched = (wall - timedelta(hours=15)).replace(tzinfo=UTC)
    while searched.astimezone(local).replace(tzinfo=None) < wall:
        searched += timedelta(minutes=15) if wall.minute % 15 == 0 else timedelta(minutes=1)
    assert found == searched


@given(
    after=moments, day=st.dates(date(2024, 1, 1), date(2024, 12, 31)), offset=st.integers(-400, 400),
    name=st.sampled_from(ZONES),
)
@settings(max_examples=200, deadline=None)
def test_a_yearly_date_is_the_next_one_of_all_years(
    after: datetime, day: date, offset: int, name: str
) -> None:
    schedule = schedule_from_json(ScheduleType.ATTRIBUTE_DATE, {
        "attribute": "d", "timezone": name, "offset_days": offset,
    })
    found = next_trigger(schedule, Facts({"d": f"{day:%m-%d}"}, START, START), after)
    candidates = []
    for year in range(2020, 2040):
        month_end = date(year, 2, 28) if (day.month, day.day) == (2, 29) and year % 4 else None
        in_year = month_end or date(year, day.month, day.day)
        candidates.append(local_instant(in_year + timedelta(days=offset), time(9), ZoneInfo(name)))
    assert found == min(one for one in candidates if one > after)


@given(start=moments, after=moments, hours=st.integers(1, 2000))
def test_intervals_keep_their_grid(start: datetime, after: datetime, hours: int) -> None:
    schedule = schedule_from_json(ScheduleType.INTERVAL, {"interval": f"{hours}h"})
    length = timedelta(hours=hours)
    found = next_trigger(schedule, Facts({}, start, start), after)
    assert found is not None
    assert found > after
    assert found >= start + length
    assert (found - start) % length == timedelta(0)
    assert found - length <= max(after, start)
    assert latest_trigger(schedule, Facts({}, start, start), found, found + 3 * length) == found + 3 * length


@pytest.mark.parametrize("text", ["", "someday", "13-01", "02-30", "2025-02-29", "1990", "1990-1-1"])
def test_what_is_no_date_never_comes(text: str) -> None:
    schedule = schedule_from_json(ScheduleType.ATTRIBUTE_DATE, {"attribute": "d"})
    assert next_trigger(schedule, Facts({"d": text}, START, START), START) is None


def test_a_date_that_comes_once_does_not_come_again() -> None:
    schedule = schedule_from_json(ScheduleType.ATTRIBUTE_DATE, {"attribute": "d", "recurring": "ONCE"})
    facts = Facts({"d": "2026-03-01"}, START, START)
    first = next_trigger(schedule, facts, START)
    assert first == datetime(2026, 3, 1, 9, tzinfo=UTC)
    assert next_trigger(schedule, facts, first) is None


@pytest.mark.parametrize("name", ["Mars/Base", "", "../../etc/passwd", "/etc/localtime", "Europe/Berlin\x00"])
def test_what_is_no_zone_is_refused(name: str) -> None:
    with pytest.raises(ZoneFault):
        zone(name)
