"""Reading a body: bytes to JSON, with every way in which it can be broken or hostile told apart.

Models are not applied here. The bounds on numbers and depth are decision A8's.
"""

import json
import re
from decimal import Decimal, InvalidOperation
from typing import Any

from app.domain.errors import DomainError, InvalidRequest, ValidationError
from app.domain.texts import NUMBER_EXPONENT_MAX, NUMBER_LENGTH_MAX, is_absurd, is_unstorable

DEPTH_MAX = 64  # The deepest part of the contract, event_data, may have 32 levels.

ABSURD_NUMBER = f"A number is longer than {NUMBER_LENGTH_MAX} characters or beyond ±1e{NUMBER_EXPONENT_MAX}"
DUPLICATE_NAME = "A field name occurs twice in one object"
UNSTORABLE = "must not contain NUL or half a surrogate pair"
UNSTORABLE_NAME = "must not have a field name with NUL or half a surrogate pair"

# NUL, which PostgreSQL cannot store, and halves of surrogate pairs, which are not text.
SUSPICIOUS = re.compile(rb"\\u(?:0000|[dD][89a-fA-F])")


class AbsurdNumber(ValueError):
    """A number is too long or too large."""


class DuplicateName(ValueError):
    """A name occurs twice in one object."""


def decimal(text: str) -> Decimal:
    """Read a number with a fraction or an exponent. Raises AbsurdNumber."""
    try:
        number = Decimal(text)
    except InvalidOperation:  # The exponent does not fit into a machine word.
        raise AbsurdNumber from None
    if is_absurd(number, len(text)):
        if len(text) <= NUMBER_LENGTH_MAX and not number:
            return Decimal(0)
        raise AbsurdNumber
    return number


def integer(text: str) -> int:
    """Read a number without. Raises AbsurdNumber."""
    if len(text) > NUMBER_LENGTH_MAX:
        raise AbsurdNumber
    return int(text)


def object_of(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Make an object of its pairs. Raises DuplicateName."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise DuplicateName
    return found


def constant(name: str) -> Any:
    """Refuse NaN and the infinities, which Python would read."""
    raise ValueError(f"{name} is not JSON")


_decoder = json.JSONDecoder(
    parse_float=decimal, parse_int=integer, parse_constant=constant, object_pairs_hook=object_of
)


def parse(raw: bytes, *, check_depth: bool = True) -> Any:
    """Read JSON from bytes. Raises InvalidRequest, or ValidationError where a value is the fault.

    `check_depth` is False where the model bounds the depth of everything that it lets through.
    """
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        raise InvalidRequest("Request body is not valid UTF-8") from None
    try:
        value = _decoder.decode(text)
    except AbsurdNumber:
        raise ValidationError(ABSURD_NUMBER) from None
    except DuplicateName:
        raise InvalidRequest(DUPLICATE_NAME) from None
    except RecursionError:
        raise too_deep() from None
    except ValueError:
        raise InvalidRequest("Request body is not valid JSON") from None
    # Counting brackets first spares the walk: text without that many openings cannot be too deep.
    suspicious = SUSPICIOUS.search(raw) is not None
    if suspicious or (check_depth and raw.count(b"[") + raw.count(b"{") > DEPTH_MAX):
        _walk(value, suspicious)
    return value


def too_deep() -> DomainError:
    """Return the error for a body that is nested too deep."""
    return ValidationError(f"Request body is nested more than {DEPTH_MAX} levels deep")


def _walk(value: Any, check_texts: bool) -> None:
    """Look at every value, without recursion; texts are looked at only where an escape gave cause."""
    details: dict[str, str] = {}
    waiting: list[tuple[str, Any, int]] = [("", value, 0)]
    while waiting:
        path, each, depth = waiting.pop()
        if depth > DEPTH_MAX:
            raise too_deep()
        if isinstance(each, dict):
            for name, inner in each.items():
                if check_texts and is_unstorable(name):
                    details[path or "body"] = UNSTORABLE_NAME
                    continue
                waiting.append((f"{path}.{name}" if path else name, inner, depth + 1))
        elif isinstance(each, list):
            waiting.extend((f"{path}[{index}]", inner, depth + 1) for index, inner in enumerate(each))
        elif check_texts and isinstance(each, str) and is_unstorable(each):
            details[path or "body"] = UNSTORABLE
    if details:
        raise ValidationError(details=dict(list(details.items())[:100]))
