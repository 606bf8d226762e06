"""When a tier looks at an owner: period ends in UTC, and the end of a time without activity.

Pure arithmetic over given instants. What is decided then stands in app/engine/lifecycle.
"""

from calendar import monthrange
from datetime import UTC, datetime

from app.domain.tiers import DowngradeMode, Lifecycle, PeriodType, RetentionMode


def has_periods(lifecycle: Lifecycle) -> bool:
    """Say whether the tier evaluates owners at the ends of periods."""
    if lifecycle.mode is not RetentionMode.PERIOD_BASED:
        return False
    return lifecycle.period is not PeriodType.NONE or lifecycle.duration is not None


def first_check(lifecycle: Lifecycle, start: datetime) -> datetime | None:
    """Return when the tier first looks at an owner who got a level, or began to count, at `start`."""
    match lifecycle.mode:
        case None:
            return None
        case RetentionMode.PERIOD_BASED:
            return next_period_end(lifecycle, start)
        case RetentionMode.ACTIVITY_REFRESH:
            if lifecycle.downgrade is DowngradeMode.HOLD or lifecycle.duration is None:
                return None
            return start + lifecycle.duration


def next_period_end(lifecycle: Lifecycle, after: datetime) -> datetime | None:
    """Return the first period end later than `after`; None where the tier has no periods.

    A period end is the first instant of the next period. Rolling periods (type NONE with a duration) are
    counted from `after` itself: the owner's start, or the end of the period before.
    """
    if not has_periods(lifecycle):
        return None
    match lifecycle.period:
        case PeriodType.CALENDAR_YEAR:
            return datetime(after.astimezone(UTC).year + 1, 1, 1, tzinfo=UTC)
        case PeriodType.FIXED_YEAR:
            year = after.astimezone(UTC).year
            start = _start_of(lifecycle, year)
            return start if start > after else _start_of(lifecycle, year + 1)
        case PeriodType.NONE:
            assert lifecycle.duration is not None
            return after + lifecycle.duration


def add_months(instant: datetime, months: int) -> datetime:
    """Return the instant so many months later, on the last day where the month is too short."""
    count = instant.year * 12 + instant.month - 1 + months
    year, month = count // 12, count % 12 + 1
    return instant.replace(year=year, month=month, day=min(instant.day, monthrange(year, month)[1]))


def _start_of(lifecycle: Lifecycle, year: int) -> datetime:
    """Return when the fixed year starts; on 29 February it starts on the 28th in common years."""
    month = lifecycle.start_month
    day = min(lifecycle.start_day, monthrange(year, month)[1])
    return datetime(year, month, day, tzinfo=UTC)
