"""Calendar periods in UTC: days, weeks that begin on Monday, months."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from enum import StrEnum
from typing import assert_never


class Granularity(StrEnum):
    """The length of a period."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"


def start_of(instant: datetime, granularity: Granularity) -> datetime:
    """Return the beginning of the period that an instant, in UTC, lies in."""
    day = instant.replace(hour=0, minute=0, second=0, microsecond=0)
    match granularity:
        case Granularity.DAY:
            return day
        case Granularity.WEEK:
            return day - timedelta(days=day.weekday())
        case Granularity.MONTH:
            return day.replace(day=1)
    assert_never(granularity)


def next_start(start: datetime, granularity: Granularity) -> datetime:
    """Return the beginning of the period after the one that begins at `start`."""
    match granularity:
        case Granularity.DAY:
            return start + timedelta(days=1)
        case Granularity.WEEK:
            return start + timedelta(days=7)
        case Granularity.MONTH:
            return (start + timedelta(days=31)).replace(day=1)
    assert_never(granularity)


def starts(start: datetime, end: datetime, granularity: Granularity) -> Iterator[datetime]:
    """Yield the beginnings of all periods that the window touches, and of the one after."""
    at = start_of(start, granularity)
    while at <= end:
        yield at
        at = next_start(at, granularity)
    yield at
