"""Instants: RFC 3339 text in, aware UTC datetimes inside, RFC 3339 text out."""

import re
from datetime import UTC, datetime, timedelta

_RFC3339 = re.compile(
    r"(\d{4}-\d{2}-\d{2})[Tt ](\d{2}:\d{2}:\d{2})(?:\.(\d{1,9}))?([Zz]|[+-]\d{2}:\d{2})", re.ASCII
)
# What most clients write, and Python reads five times faster; days that every month has, no leap seconds.
_USUAL = re.compile(
    r"(?:19|2\d)\d{2}-(?:0[1-9]|1[0-2])-(?:0[1-9]|1\d|2[0-8])"
    r"T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{3}|\.\d{6})?Z",
    re.ASCII,
)
YEAR_MIN = 1900  # Before it there was no loyalty program; it keeps arithmetic clear of the calendar's ends.
YEAR_MAX = 2999


class InstantError(ValueError):
    """The text is not an RFC 3339 instant."""


def parse_instant(text: str) -> datetime:
    """Read an RFC 3339 instant, as UTC; digits beyond microseconds are cut off. Raises InstantError."""
    if _USUAL.fullmatch(text):
        return datetime.fromisoformat(text)
    match = _RFC3339.fullmatch(text)
    if match is None:
        raise InstantError("must be an RFC 3339 date-time, such as 2024-01-15T10:30:00Z")
    day, clock, fraction, zone = match.groups()
    leap = clock.endswith(":60")
    micros = (fraction or "").ljust(6, "0")[:6]
    try:
        naive = datetime.fromisoformat(f"{day}T{clock[:6] + '59' if leap else clock}.{micros}")
        offset = timedelta(0)
        if zone not in "Zz":
            hours, minutes = int(zone[1:3]), int(zone[4:6])
            if hours > 23 or minutes > 59:
                raise ValueError("zone")
            offset = timedelta(hours=hours, minutes=minutes) * (-1 if zone[0] == "-" else 1)
        instant = (naive - offset).replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise InstantError("must be a date-time that exists, such as 2024-01-15T10:30:00Z") from None
    # The year as it is written, so that a pattern can say the same.
    if not YEAR_MIN <= naive.year <= YEAR_MAX:
        raise InstantError(f"must lie between the years {YEAR_MIN} and {YEAR_MAX}")
    return instant


def format_instant(instant: datetime) -> str:
    """Print an instant in UTC with a `Z`; the fraction appears only where there is one."""
    text = instant.astimezone(UTC).isoformat()
    return text.removesuffix("+00:00") + "Z"


def reprint_instant(text: str) -> str:
    """Return an RFC 3339 instant as `format_instant` prints it. Raises InstantError."""
    if len(text) == 20 and _USUAL.fullmatch(text):
        return text  # Without a fraction it is printed as it is written.
    return format_instant(parse_instant(text))
