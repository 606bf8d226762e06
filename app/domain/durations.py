"""Durations in Go's notation: `24h`, `1h30m`, `250ms`. There is no day: clocks change, hours do not."""

import re
from datetime import timedelta
from decimal import Decimal

_WHOLE = re.compile(r"(?:(?:\d+(?:\.\d*)?|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+", re.ASCII)
_MICROSECONDS = {
    "ns": Decimal("0.001"), "us": Decimal(1), "µs": Decimal(1), "μs": Decimal(1), "ms": Decimal(1_000),
    "s": Decimal(1_000_000), "m": Decimal(60_000_000), "h": Decimal(3_600_000_000),
}
LENGTH_MAX = 64
DURATION_MAX = timedelta(days=366 * 100)  # A century: longer ones are mistakes, and overflow the calendar.


class DurationError(ValueError):
    """The text is not a positive Go duration within bounds."""


def parse_duration(text: str) -> timedelta:
    """Read a positive Go duration, exact to the microsecond. Raises DurationError."""
    if len(text) > LENGTH_MAX or not _WHOLE.fullmatch(text):
        raise DurationError('must be a duration such as "24h", "720h" or "1h30m"')
    micros = sum(
        (Decimal(number) * _MICROSECONDS[unit] for number, unit in _parts(text)), start=Decimal(0)
    )
    if micros > Decimal(DURATION_MAX // timedelta(microseconds=1)):
        raise DurationError("must not be longer than 100 years")
    duration = timedelta(microseconds=int(micros))
    if duration <= timedelta(0):
        raise DurationError("must be longer than zero")
    return duration


def _parts(text: str) -> list[tuple[str, str]]:
    return re.findall(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h)", text, re.ASCII)
