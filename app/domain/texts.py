"""What texts and numbers may be that come from outside, whichever door they take (decision A8).

The API, imports and actions of rules read through here, so that none of them lets in what another refuses.
"""

import re
from decimal import Decimal
from typing import Any
from uuid import UUID

from app.domain.ids import id_of

KEY_LENGTH_MAX = 255  # Keys, tags, references, names of events.
ATTRIBUTE_BYTES_MAX = 4096  # The value of an attribute, as UTF-8.
NUMBER_LENGTH_MAX = 60  # Of a number in JSON.
NUMBER_EXPONENT_MAX = 100  # Numbers lie between 1e-100 and 1e100.

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_EMAIL = re.compile(r"[^@\s\x00-\x1f]{1,64}@[^@\s\x00-\x1f.]+(\.[^@\s\x00-\x1f.]+)+")
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", re.ASCII)


def has_control(text: str) -> bool:
    """Say whether a text holds control characters, which keys, tags and names must not."""
    # Nearly every text is printable, which is told faster.
    return not text.isprintable() and _CONTROL.search(text) is not None


def is_unstorable(text: str) -> bool:
    """Say whether a text holds what the database cannot keep as text: NUL, or half a surrogate pair."""
    return "\x00" in text or _SURROGATE.search(text) is not None


def is_email(text: str) -> bool:
    """Say whether a text is an e-mail address."""
    return _EMAIL.fullmatch(text) is not None


def read_uuid(text: str) -> UUID | None:
    """Read a UUID in its usual form of 36 characters, None where it is none."""
    return id_of(text) if _UUID.fullmatch(text) else None


def is_absurd(number: Decimal, length: int) -> bool:
    """Say whether a number of so many characters is longer or larger than is taken."""
    return length > NUMBER_LENGTH_MAX or not -NUMBER_EXPONENT_MAX <= number.adjusted() < NUMBER_EXPONENT_MAX


def problem_of(value: Any) -> str | None:
    """Return why a value of JSON, however nested, cannot be stored; None where it can."""
    waiting = [value]
    while waiting:
        each = waiting.pop()
        match each:
            case dict():
                waiting += [*each, *each.values()]
            case list():
                waiting += each
            case str() if is_unstorable(each):
                return "contains NUL or half a surrogate pair"
            case bool() | None | str():
                pass
            case int() | Decimal():
                number = Decimal(each)
                if is_absurd(number, len(number.as_tuple().digits)):
                    return "contains a number that is too large or too long"
    return None
