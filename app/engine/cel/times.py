"""Timestamps and durations. Timestamps are aware datetimes in UTC, microsecond precision, years 1 to 9999;
durations are timedeltas. Getters take a time zone: a name of the tz database or an offset such as `+02:00`.
"""

from __future__ import annotations

import datetime as dt
import re
import zoneinfo
from collections.abc import Callable
from decimal import Decimal
from functools import lru_cache
from typing import Any

from app.engine.cel import limits
from app.engine.cel.errors import CelEvaluationError, ErrorKind
from app.engine.cel.numbers import range_error, to_whole
from app.engine.cel.values import no_overload

UTC = dt.UTC
_MICROSECOND = dt.timedelta(microseconds=1)
_DURATION_MAX = dt.timedelta(seconds=315_576_000_000)
_DIFFERENCE_MAX = dt.timedelta(microseconds=2**63 // 1000)
_DURATION = re.compile(r"[-+]?(?:(?:\d+(?:\.\d*)?|\.\d+)(?:ns|us|µs|ms|s|m|h))+", re.ASCII)
_DURATION_PART = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)", re.ASCII)
_UNIT = {
    "ns": Decimal("0.001"), "us": Decimal(1), "µs": Decimal(1), "ms": Decimal(1_000), "s": Decimal(1_000_000),
    "m": Decimal(60_000_000), "h": Decimal(3_600_000_000),
}  # fmt: skip
_TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:[Zz]|[+-]\d\d:\d\d)", re.ASCII)
_OFFSET = re.compile(r"([+-]?)(\d\d?):(\d\d)", re.ASCII)
_from_iso = dt.datetime.fromisoformat


def bounded(value: dt.timedelta) -> dt.timedelta:
    """`value` when it is within CEL's range of about ±10,000 years."""
    if -_DURATION_MAX <= value <= _DURATION_MAX:
        return value
    raise range_error("the duration is out of range")


def difference(a: dt.datetime, b: dt.datetime) -> dt.timedelta:
    """The time between two timestamps: up to 292 years, 64 bits of nanoseconds, as everywhere in CEL."""
    between = a - b
    if -_DIFFERENCE_MAX <= between <= _DIFFERENCE_MAX:
        return between
    raise range_error("the timestamps are too far apart")


def add_duration(a: Any, b: Any) -> Any:
    """Timestamp plus duration, duration plus timestamp, or two durations."""
    try:
        total = a + b
    except OverflowError:
        raise range_error("the timestamp is out of range") from None
    return bounded(total) if total.__class__ is dt.timedelta else total


def duration(value: Any) -> dt.timedelta:
    """`"1h30m"`, `"-1.5s"`, `"500ms"` … as a duration; parts below a microsecond are cut."""
    if value.__class__ is dt.timedelta:
        return value
    if value.__class__ is not str:
        raise no_overload("duration()", value)
    if value in ("0", "-0", "+0"):
        return dt.timedelta(0)
    if len(value) > limits.DURATION_CHARS_MAX or not _DURATION.fullmatch(value):
        raise CelEvaluationError(ErrorKind.VALUE, 'not a duration; write it as "1h30m", "90s" or "-500ms"')
    total = sum(Decimal(digits) * _UNIT[unit] for digits, unit in _DURATION_PART.findall(value))
    micros = int(-total if value[0] == "-" else total)
    try:
        return bounded(dt.timedelta(microseconds=micros))
    except OverflowError:
        raise range_error("the duration is out of range") from None


def timestamp(value: Any) -> dt.datetime:
    """RFC 3339 text or seconds since 1970 as a timestamp. Digits below a microsecond are cut."""
    kind = value.__class__
    if kind is str:
        if len(value) > 40 or not _TIMESTAMP.fullmatch(value):
            raise CelEvaluationError(
                ErrorKind.VALUE, "not a timestamp; write it as 2026-07-01T12:00:00Z (RFC 3339)"
            )
        try:
            moment = _from_iso(value.upper())
            return moment if moment.tzinfo is UTC else moment.astimezone(UTC)
        except (ValueError, OverflowError):
            raise CelEvaluationError(ErrorKind.VALUE, "not a timestamp: no such date or time") from None
    if kind is dt.datetime:
        return value
    if kind is int or kind is Decimal:
        try:
            return dt.datetime.fromtimestamp(to_whole(value, "a timestamp in seconds"), UTC)
        except (ValueError, OverflowError, OSError):
            raise range_error("the timestamp is out of range") from None
    raise no_overload("timestamp()", value)


@lru_cache(maxsize=1)
def _zone_names() -> frozenset[str]:
    return frozenset(zoneinfo.available_timezones())


@lru_cache(maxsize=1024)
def _offset_zone(sign: str, hours: int, minutes: int) -> dt.tzinfo | None:
    if hours > 23 or minutes > 59:
        return None
    delta = dt.timedelta(hours=hours, minutes=minutes)
    return dt.timezone(-delta if sign == "-" else delta)


def zone(name: Any) -> dt.tzinfo:
    """The time zone of that name. Names are looked up in the list of known ones first, never on disk by
    guess."""
    if isinstance(name, dt.tzinfo):
        return name
    if name.__class__ is not str:
        raise no_overload("a time zone", name)
    if name == "UTC":
        return UTC
    match = _OFFSET.fullmatch(name) if len(name) <= 6 else None
    found = _offset_zone(match[1], int(match[2]), int(match[3])) if match else None
    if found is None and name in _zone_names():
        found = zoneinfo.ZoneInfo(name)
    if found is None:
        raise CelEvaluationError(
            ErrorKind.VALUE,
            "unknown time zone; write a name such as Europe/Berlin or an offset such as +02:00",
        )
    return found


def local(value: Any, name: Any) -> dt.datetime:
    """`value` on the wall clock of that zone."""
    if value.__class__ is not dt.datetime:
        raise no_overload("a time of day or date", value)
    try:
        return value.astimezone(UTC if name is None else zone(name))
    except OverflowError:
        raise range_error("the timestamp is out of range") from None


def getter(part: Callable[[dt.datetime], int]) -> Callable[..., int]:
    """A getter of timestamps, with an optional zone."""

    def get(value: Any, name: Any = None) -> int:
        return part(local(value, name))

    return get


def duration_getter(part: Callable[[dt.datetime], int], micros: int, cycle: int | None) -> Callable[..., int]:
    """A getter that durations have too: their length in units of `micros`, within `cycle` if given."""

    def get(value: Any, name: Any = None) -> int:
        if value.__class__ is dt.timedelta and name is None:
            total = value // _MICROSECOND
            units = abs(total) // micros
            units = units % cycle if cycle else units
            return -units if total < 0 else units
        return part(local(value, name))

    return get


def date_in(value: Any, name: Any) -> str:
    """The calendar date of a timestamp in a zone, as `YYYY-MM-DD`."""
    return local(value, name).date().isoformat()


def timestamp_text(value: dt.datetime) -> str:
    """RFC 3339 in UTC, with as many decimals of a second as are needed."""
    moment = value.astimezone(UTC)
    text = moment.replace(tzinfo=None, microsecond=0).isoformat()
    return f"{text}{_fraction(moment.microsecond)}Z"


def duration_text(value: dt.timedelta) -> str:
    """Seconds with an `s`, as protobuf prints durations."""
    total = value // _MICROSECOND
    seconds, micros = divmod(abs(total), 1_000_000)
    return f"{'-' if total < 0 else ''}{seconds}{_fraction(micros)}s"


def _fraction(micros: int) -> str:
    return f".{micros:06d}".rstrip("0") if micros else ""
