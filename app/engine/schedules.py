"""When something comes round again: cron expressions and intervals, as arithmetic over given instants.

What lives here: reading and stepping schedules. Who waits for them (budgets, automations) lives elsewhere.
"""

from datetime import UTC, datetime, tzinfo

from cronsim import CronSim, CronSimError

from app.domain.durations import DurationError, parse_duration
from app.domain.rules import CronSchedule, IntervalSchedule, Schedule

EXPRESSION_LENGTH_MAX = 255
_FIELDS = 5  # No seconds field: nothing fires more often than once a minute.
_NICKNAMES = {
    "@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *", "@monthly": "0 0 1 * *", "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *", "@midnight": "0 0 * * *", "@hourly": "0 * * * *",
}
# Where every cron expression is tried when it is saved: any instant will do.
_TRIAL = datetime(2024, 1, 1, tzinfo=UTC)


class ScheduleError(ValueError):
    """The text is not a schedule, or one that never comes round."""


def check_cron(expression: str) -> None:
    """Raise ScheduleError unless the text is a cron expression of five fields that fires some day."""
    if len(expression) > EXPRESSION_LENGTH_MAX:
        raise ScheduleError(f"must not have more than {EXPRESSION_LENGTH_MAX} characters")
    if "TZ=" in expression.upper():
        raise ScheduleError("must not name a time zone")
    next_fire(expression, UTC, _TRIAL)


def next_fire(expression: str, zone: tzinfo, after: datetime) -> datetime:
    """Return the first instant later than `after` at which the expression fires in `zone`, in UTC.

    A local time that does not exist fires at the next valid one, one that exists twice fires once.
    Raises ScheduleError where the expression is malformed or never fires.
    """
    return _step(expression, zone, after, backwards=False)


def last_fire(expression: str, zone: tzinfo, before: datetime) -> datetime:
    """Return the last instant earlier than `before` at which the expression fired in `zone`, in UTC."""
    return _step(expression, zone, before, backwards=True)


def check_schedule(schedule: Schedule) -> None:
    """Raise ScheduleError unless the schedule of a budget can be kept."""
    match schedule:
        case CronSchedule(expression):
            check_cron(expression)
        case IntervalSchedule(interval):
            try:
                parse_duration(interval)
            except DurationError as error:
                raise ScheduleError(str(error)) from None


def next_reset(schedule: Schedule, after: datetime) -> datetime:
    """Return when a budget that starts (anew) at `after` is next reset; cron runs in UTC (decision C9)."""
    match schedule:
        case CronSchedule(expression):
            return next_fire(expression, UTC, after)
        case IntervalSchedule(interval):
            return after + parse_duration(interval)


def roll(schedule: Schedule, due: datetime, now: datetime) -> datetime:
    """Return the first reset later than `now` of a budget whose reset was due at `due`; `due` if still ahead.

    Intervals keep their grid: one that was looked at late does not shift the later ones.
    """
    if due > now:
        return due
    match schedule:
        case CronSchedule(expression):
            return next_fire(expression, UTC, now)
        case IntervalSchedule(interval):
            length = parse_duration(interval)
            return due + ((now - due) // length + 1) * length


def _step(expression: str, zone: tzinfo, start: datetime, *, backwards: bool) -> datetime:
    text = _NICKNAMES.get(expression.strip().lower(), expression)
    if len(text.split()) != _FIELDS:
        raise ScheduleError('must be a cron expression of five fields, such as "0 0 1 * *"')
    try:
        found = next(CronSim(text, start.astimezone(zone), reverse=backwards))
    except CronSimError as error:
        raise ScheduleError(f"is not a cron expression: {str(error).lower()}") from None
    except StopIteration:
        raise ScheduleError("must name a time that exists") from None
    return found.astimezone(UTC)
