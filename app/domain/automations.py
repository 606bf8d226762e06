"""Automations as values: what makes events happen without a call, when, and for whom.

What lives here: the nouns, their bounds, and reading schedules from stored JSON. When they are due is
app/engine/automations.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any, TypeAlias
from uuid import UUID

from app.domain.amounts import AmountError, parse_decimal
from app.domain.durations import DurationError, parse_duration
from app.domain.tiers import Operator

AUTOMATIONS_MAX = 1000  # Of one program, archived ones aside: each is looked at when it is due.
FAILURES_MAX = 5  # Consecutive failures to emit after which an automation is paused (decision F3).
HINTS_MAX = 20
OFFSET_DAYS_MAX = 3650
INTERVAL_MIN = timedelta(minutes=1)  # As of cron: nothing fires more often.
# How long firings are kept after their end. By then nothing can make them again: times only go forward, and
# their events have keys of their own. Some hundred automations each minute make ten million rows a month.
FIRING_RETENTION = timedelta(days=30)
REFRESH_EVERY = timedelta(minutes=15)  # How often subscriptions are looked over (decision F2).


class Trigger(StrEnum):
    """What makes an automation fire."""

    CRON = "cron"
    ONE_TIME = "one_time"
    IMMEDIATE = "immediate"
    PARTICIPANT_STATE = "participant_state"


class Reach(StrEnum):
    """For whom it fires: once for the program, or once for each participant (the API's `scope`)."""

    PROGRAM = "program"
    PARTICIPANTS = "participants"


class AutomationStatus(StrEnum):
    """Whether it fires; archived and completed are final."""

    ACTIVE = "active"
    PAUSED = "paused"
    ARCHIVED = "archived"
    COMPLETED = "completed"


class ScheduleType(StrEnum):
    """What a participant_state automation goes by."""

    ATTRIBUTE_DATE = "ATTRIBUTE_DATE"
    INTERVAL = "INTERVAL"
    CRON = "CRON"
    THRESHOLD = "THRESHOLD"


class ScheduleFault(ValueError):
    """A schedule is malformed: the field of it, and what is wrong."""

    def __init__(self, field: str, message: str) -> None:
        """Carry the field's name and the message."""
        super().__init__(f"{field} {message}")
        self.field, self.message = field, message


@dataclass(frozen=True, slots=True)
class AttributeDate:
    """On the date in an attribute of the participant (`MM-DD` or `YYYY-MM-DD`), every year or once."""

    attribute: str
    time: time
    timezone: str
    offset_days: int
    yearly: bool


@dataclass(frozen=True, slots=True)
class Interval:
    """Again and again, counted from the subscription or the enrollment."""

    length: timedelta
    from_enrollment: bool


@dataclass(frozen=True, slots=True)
class Cron:
    """At the times of a cron expression."""

    expression: str
    timezone: str


@dataclass(frozen=True, slots=True)
class Threshold:
    """When a comparison of a counter becomes true; once, or each time."""

    counter: str
    operator: Operator
    threshold: Decimal
    repeat: bool

    def crossed(self, before: Decimal, after: Decimal) -> bool:
        """Say whether the comparison became true."""
        return not self.operator.holds(before, self.threshold) and self.operator.holds(after, self.threshold)


Schedule: TypeAlias = AttributeDate | Interval | Cron | Threshold

_FIELDS = {
    ScheduleType.ATTRIBUTE_DATE: ("attribute", "time", "timezone", "offset_days", "recurring"),
    ScheduleType.INTERVAL: ("interval", "anchor"),
    ScheduleType.CRON: ("cron_expression", "timezone"),
    ScheduleType.THRESHOLD: ("counter", "operator", "threshold", "repeat"),
}


def schedule_from_json(kind: ScheduleType, config: Mapping[str, Any]) -> Schedule:
    """Read a `schedule_config`. Raises ScheduleFault; zones and cron expressions are checked elsewhere."""
    for name in config:
        if name not in _FIELDS[kind]:
            raise ScheduleFault(name, f"is not a field of {kind}")
    match kind:
        case ScheduleType.ATTRIBUTE_DATE:
            return AttributeDate(
                _text(config, "attribute"), _time(config), _text(config, "timezone", "UTC"),
                _days(config), _word(config, "recurring", ("YEARLY", "ONCE")) == "YEARLY",
            )
        case ScheduleType.INTERVAL:
            anchor = _word(config, "anchor", ("SUBSCRIBED", "ENROLLED"))
            return Interval(_length(config), anchor == "ENROLLED")
        case ScheduleType.CRON:
            return Cron(_text(config, "cron_expression"), _text(config, "timezone", "UTC"))
        case ScheduleType.THRESHOLD:
            operator = Operator(_word(config, "operator", tuple(Operator), required=True))
            return Threshold(_text(config, "counter"), operator, _number(config), _flag(config, "repeat"))


def _text(config: Mapping[str, Any], name: str, default: str | None = None) -> str:
    value = config.get(name)
    if value is None:
        if default is None:
            raise ScheduleFault(name, "is required")
        return default
    if not isinstance(value, str) or not 1 <= len(value) <= 255 or "\x00" in value:
        raise ScheduleFault(name, "must be a string of 1 to 255 characters")
    return value


def _word(
    config: Mapping[str, Any], name: str, words: tuple[str, ...], *, required: bool = False
) -> str:
    value = config.get(name)
    if value is None and not required:
        return words[0]
    if value not in words:
        raise ScheduleFault(name, "must be one of " + ", ".join(words))
    return str(value)


def _flag(config: Mapping[str, Any], name: str) -> bool:
    value = config.get(name)
    if value is not None and not isinstance(value, bool):
        raise ScheduleFault(name, "must be true or false")
    return bool(value)


def _time(config: Mapping[str, Any]) -> time:
    text = _text(config, "time", "09:00")
    hours, colon, minutes = text.partition(":")
    digits = hours + minutes
    if not (colon and len(hours) == len(minutes) == 2 and digits.isascii() and digits.isdigit()):
        raise ScheduleFault("time", "must be a time such as 09:00")
    try:
        return time(int(hours), int(minutes))
    except ValueError:
        raise ScheduleFault("time", "must be a time such as 09:00") from None


def _days(config: Mapping[str, Any]) -> int:
    value = config.get("offset_days")
    if value is None:
        return 0
    whole = not isinstance(value, bool) and isinstance(value, int | Decimal) and value == int(value)
    if not whole or abs(int(value)) > OFFSET_DAYS_MAX:
        raise ScheduleFault("offset_days", f"must be an integer of at most {OFFSET_DAYS_MAX} days")
    return int(value)


def _length(config: Mapping[str, Any]) -> timedelta:
    try:
        length = parse_duration(_text(config, "interval"))
    except DurationError as error:
        raise ScheduleFault("interval", str(error)) from None
    if length < INTERVAL_MIN:
        raise ScheduleFault("interval", "must be at least 1m")
    return length


def _number(config: Mapping[str, Any]) -> Decimal:
    value = config.get("threshold")
    if isinstance(value, str):
        try:
            return parse_decimal(value)
        except AmountError:
            raise ScheduleFault("threshold", "must be a number") from None
    if value is None or isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise ScheduleFault("threshold", "must be a number")
    return Decimal(value)


@dataclass(frozen=True, slots=True)
class Automation:
    """An automation as it is stored."""

    organization_id: UUID
    id: UUID
    program_id: UUID
    name: str
    event_name: str
    reach: Reach
    trigger: Trigger
    status: AutomationStatus
    created_at: datetime
    updated_at: datetime
    description: str | None = None
    payload: Mapping[str, Any] | None = None
    cron_expression: str | None = None
    timezone: str | None = None
    trigger_at: datetime | None = None
    schedule_type: ScheduleType | None = None
    schedule_config: Mapping[str, Any] | None = None
    participant_filter: str | None = None
    guard_condition: str | None = None
    filter_hints: tuple[Mapping[str, str], ...] = ()
    participant_id: UUID | None = None
    next_run_at: datetime | None = None
    last_run_at: datetime | None = None
    last_error: str | None = None
    failures: int = 0
    processed_at: datetime | None = None
    error_message: str | None = None
    last_evaluated_at: datetime | None = None
    refresh_at: datetime | None = None
    refresh_cursor: UUID | None = None

    @property
    def schedule(self) -> Schedule:
        """Return the schedule of a participant_state automation."""
        assert self.schedule_type is not None, "only participant_state automations have a schedule"
        return schedule_from_json(self.schedule_type, self.schedule_config or {})

    @property
    def event_data(self) -> dict[str, Any]:
        """Return the data of the events that it makes."""
        return {**(self.payload or {}), "type": self.event_name}
