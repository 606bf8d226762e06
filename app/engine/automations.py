"""When automations are due: cron with catching up, dates in attributes, intervals, thresholds.

Pure arithmetic over given instants and state. A local time that does not exist comes at the next valid one,
one that exists twice comes once (decision F3).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from app.domain.automations import (
    AttributeDate,
    Automation,
    Cron,
    Interval,
    Schedule,
    Threshold,
    Trigger,
)
from app.engine.schedules import last_fire, next_fire

MOMENT = timedelta(microseconds=1)
_DATE = re.compile(r"(?:(\d{4})-)?(\d{2})-(\d{2})(?:T.*)?", re.ASCII)
_LEAP_YEAR = 2024  # In which every date that exists in some year exists.
_DAY_MINUTES = 24 * 60
_YEARS_AHEAD = 12  # A yearly date with the largest offset lies within so many years.


class ZoneFault(ValueError):
    """The name is not one of the tz database."""


def zone(name: str) -> ZoneInfo:
    """Return a time zone by its name. Raises ZoneFault."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ZoneFault('must be a time zone such as "Europe/Berlin"') from None


def first_run(automation: Automation, now: datetime) -> datetime | None:
    """Return when an automation fires first; None where participants' state decides."""
    match automation.trigger:
        case Trigger.CRON:
            return _next_cron(automation, now)
        case Trigger.ONE_TIME:
            return automation.trigger_at
        case Trigger.IMMEDIATE:
            return now
        case Trigger.PARTICIPANT_STATE:
            return None


def due_run(automation: Automation, now: datetime) -> tuple[datetime, datetime | None]:
    """Return for which time a due automation fires, and when it is due again.

    Times missed meanwhile make one firing, for the latest of them.
    """
    due = automation.next_run_at
    assert due is not None, "the automation is never due"
    if automation.trigger is not Trigger.CRON:
        return due, None
    assert automation.cron_expression is not None
    missed = last_fire(automation.cron_expression, zone(automation.timezone or "UTC"), now + MOMENT)
    return max(due, missed), _next_cron(automation, now)


def _next_cron(automation: Automation, after: datetime) -> datetime:
    assert automation.cron_expression is not None
    return next_fire(automation.cron_expression, zone(automation.timezone or "UTC"), after)


@dataclass(frozen=True, slots=True)
class Facts:
    """What the schedule of one participant goes by."""

    attributes: Mapping[str, str]
    subscribed_at: datetime
    enrolled_at: datetime


def next_trigger(schedule: Schedule, facts: Facts, after: datetime) -> datetime | None:
    """Return the first time later than `after` at which the participant's turn comes, None for never."""
    match schedule:
        case AttributeDate():
            return _next_date(schedule, facts, after)
        case Interval(length, from_enrollment):
            start = facts.enrolled_at if from_enrollment else facts.subscribed_at
            return start + length * max(1, (after - start) // length + 1)
        case Cron(expression, timezone):
            return next_fire(expression, zone(timezone), after)
        case Threshold():
            return None


def latest_trigger(schedule: Schedule, facts: Facts, due: datetime, now: datetime) -> datetime:
    """Return the latest turn up to `now` of one that was due at `due`: those missed make one event."""
    match schedule:
        case Cron(expression, timezone):
            return max(due, last_fire(expression, zone(timezone), now + MOMENT))
        case Interval(length, _):
            return due + length * ((now - due) // length)
        case AttributeDate() | Threshold():
            latest = due
            while (following := next_trigger(schedule, facts, latest)) is not None and following <= now:
                latest = following
            return latest


def _next_date(schedule: AttributeDate, facts: Facts, after: datetime) -> datetime | None:
    found = _DATE.fullmatch(facts.attributes.get(schedule.attribute, "").strip())
    if found is None:
        return None
    year, month, day = (None if part is None else int(part) for part in found.groups())
    assert month is not None
    assert day is not None
    try:
        date(year or _LEAP_YEAR, month, day)
    except ValueError:
        return None
    local = zone(schedule.timezone)
    if not schedule.yearly and year is not None:
        years = range(year, year + 1)
    else:
        first = after.astimezone(local).year - _YEARS_AHEAD
        years = range(max(first, year or first), after.astimezone(local).year + _YEARS_AHEAD)
    for candidate in years:
        at = _in_year(schedule, candidate, month, day, local)
        if at is not None and at > after:
            return at
    return None


def _in_year(
    schedule: AttributeDate, year: int, month: int, day: int, local: ZoneInfo
) -> datetime | None:
    """Return the moment of the date in one year; 29 February is the 28th in common years."""
    try:
        found = date(year, month, day)
    except ValueError:
        found = date(year, month, 28)
    try:
        return local_instant(found + timedelta(days=schedule.offset_days), schedule.time, local)
    except OverflowError:
        return None


def local_instant(day: date, clock: time, local: ZoneInfo) -> datetime:
    """Return the instant of a local time: the first of two, or the next one that exists."""
    wall = datetime.combine(day, clock)
    for minutes in range(_DAY_MINUTES):
        tried = wall + timedelta(minutes=minutes)
        instant = tried.replace(tzinfo=local).astimezone(UTC)
        if instant.astimezone(local).replace(tzinfo=None) == tried:
            return instant
    raise AssertionError("no zone leaves out a whole day of minutes")
