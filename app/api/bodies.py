"""Reading a body: bytes to JSON, with every way in which it can be broken or hostile told apart.

Models are not applied here. The bounds on numbers and depth are decision A8's.
"""

import json
import re
from decimal import Decimal
from typing import Any

from app.domain.errors import DomainError, InvalidRequest, ValidationError

NUMBER_LENGTH_MAX = 60
NUMBER_EXPONENT_MAX = 100
DEPTH_MAX = 64  # The deepest part of the contract, event_data, may have 32 levels.

# NUL, which PostgreSQL cannot store, and halves of surrogate pairs, which are not text.
_SUSPICIOUS = re.compile(rb"\\u(?:0000|[dD][89a-fA-F])")
_OPENING = re.compile(rb"[\[{]")
_SURROGATE = re.compile(r"[\ud800-\udfff]")


class _AbsurdNumber(ValueError):
    """A number is too long or too large."""


class _DuplicateName(ValueError):
    """A name occurs twice in one object."""


def _decimal(text: str) -> Decimal:
    number = Decimal(text)
    if len(text) > NUMBER_LENGTH_MAX or not -NUMBER_EXPONENT_MAX <= number.adjusted() < NUMBER_EXPONENT_MAX:
        if len(text) <= NUMBER_LENGTH_MAX and not number:
            return Decimal(0)
        raise _AbsurdNumber
    return number


def _integer(text: str) -> int:
    if len(text) > NUMBER_LENGTH_MAX:
        raise _AbsurdNumber
    return int(text)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _DuplicateName
    return found


def _constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


_decoder = json.JSONDecoder(
    parse_float=_decimal, parse_int=_integer, parse_constant=_constant, object_pairs_hook=_object
)


def parse(raw: bytes) -> Any:
    """Read JSON from bytes. Raises InvalidRequest, or ValidationError where a value is the fault."""
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        raise InvalidRequest("Request body is not valid UTF-8") from None
    try:
        value = _decoder.decode(text)
    except _AbsurdNumber:
        raise ValidationError(
            f"A number is longer than {NUMBER_LENGTH_MAX} characters or beyond ±1e{NUMBER_EXPONENT_MAX}"
        ) from None
    except _DuplicateName:
        raise InvalidRequest("A field name occurs twice in one object") from None
    except RecursionError:
        raise _too_deep() from None
    except ValueError:
        raise InvalidRequest("Request body is not valid JSON") from None
    # Counting brackets first spares the walk: text without that many openings cannot be too deep.
    suspicious = _SUSPICIOUS.search(raw) is not None
    if suspicious or len(_OPENING.findall(raw)) > DEPTH_MAX:
        _walk(value, suspicious)
    return value


def _too_deep() -> DomainError:
    return ValidationError(f"Request body is nested more than {DEPTH_MAX} levels deep")


def _walk(value: Any, check_texts: bool) -> None:
    """Look at every value, without recursion; texts are looked at only where an escape gave cause."""
    details: dict[str, str] = {}
    waiting: list[tuple[str, Any, int]] = [("", value, 0)]
    while waiting:
        path, each, depth = waiting.pop()
        if depth > DEPTH_MAX:
            raise _too_deep()
        if isinstance(each, dict):
            for name, inner in each.items():
                if check_texts and _unstorable(name):
                    details[path or "body"] = "must not have a field name with NUL or half a surrogate pair"
                    continue
                waiting.append((f"{path}.{name}" if path else name, inner, depth + 1))
        elif isinstance(each, list):
            waiting.extend((f"{path}[{index}]", inner, depth + 1) for index, inner in enumerate(each))
        elif check_texts and isinstance(each, str) and _unstorable(each):
            details[path or "body"] = "must not contain NUL or half a surrogate pair"
    if details:
        raise ValidationError(details=dict(list(details.items())[:100]))


def _unstorable(text: str) -> bool:
    return "\x00" in text or _SURROGATE.search(text) is not None
