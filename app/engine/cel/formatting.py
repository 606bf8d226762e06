"""`text.format([…])` of the strings extension: `%s %d %f %e %x %X %o %b %%`, precision for `%f` and `%e`."""

from __future__ import annotations

import re
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Any

from app.engine.cel import limits
from app.engine.cel.conversions import to_double, to_string
from app.engine.cel.errors import CelEvaluationError, ErrorKind
from app.engine.cel.numbers import NUMBERS, to_whole
from app.engine.cel.values import Budget, charge, no_overload

_CLAUSE = re.compile(r"%(?:%|(?:\.([0-9]{1,3}))?([a-zA-Z]))?", re.ASCII)
_PRECISION_DEFAULT, _PRECISION_MAX = 6, 100
_WIDE = Context(prec=2 * limits.PRINTED_DIGITS_MAX + _PRECISION_MAX, rounding=ROUND_HALF_EVEN)


def format_text(budget: Budget, text: Any, values: Any) -> str:
    """`text` with its clauses replaced by `values`, in order."""
    if text.__class__ is not str or values.__class__ is not list:
        raise no_overload("format()", text, values)
    charge(budget, (len(text) >> 3) + len(values))
    parts: list[str] = []
    size = at = used = 0
    for match in _CLAUSE.finditer(text):
        literal = text[at : match.start()]
        at = match.end()
        if match.group() == "%%":
            shown = "%"
        elif match[2] is None:
            raise _invalid("format(): `%` without a clause; write `%%` for a percent sign")
        elif used >= len(values):
            raise _invalid("format(): more clauses than values")
        else:
            shown = _clause(budget, match[2], match[1], values[used])
            used += 1
        parts += (literal, shown)
        size += len(literal) + len(shown)
        charge(budget, 1 + (len(shown) >> 4))
        if size > limits.STRING_CHARS_MAX:
            raise CelEvaluationError(ErrorKind.LIMIT, "the text is too long")
    parts.append(text[at:])
    return "".join(parts)


def _clause(budget: Budget, letter: str, precision: str | None, value: Any) -> str:
    places = int(precision) if precision is not None else _PRECISION_DEFAULT
    if places > _PRECISION_MAX or (precision is not None and letter not in "fe"):
        raise _invalid("format(): precision is for %f and %e, up to 100")
    match letter:
        case "s":
            return _shown(budget, value)
        case "d":
            return str(to_whole(value, "format(): the value of %d"))
        case "f":
            return _fixed(_number(value), places)
        case "e":
            return _scientific(_number(value), places)
        case "b":
            whole = int(value) if value.__class__ is bool else to_whole(value, "format(): the value of %b")
            return f"{whole:b}"
        case "o":
            return f"{to_whole(value, 'format(): the value of %o'):o}"
        case "x" | "X":
            return _hexadecimal(value) if letter == "x" else _hexadecimal(value).upper()
        case _:
            raise _invalid("format(): unknown clause; known are %s %d %f %e %x %X %o %b %%")


def _shown(budget: Budget, value: Any) -> str:
    """What `%s` prints: lists and maps too, maps sorted by key."""
    if value is None:
        return "null"
    if value.__class__ is list:
        charge(budget, 4 * len(value))
        return f"[{_joined(budget, (_shown(budget, item) for item in value))}]"
    if value.__class__ is dict:
        charge(budget, 8 * len(value))
        keyed = [(_shown(budget, key), item) for key, item in value.items()]
        entries = sorted(keyed, key=lambda entry: entry[0])
        return "{" + _joined(budget, (f"{key}: {_shown(budget, item)}" for key, item in entries)) + "}"
    return to_string(value)


def _joined(budget: Budget, parts: Any) -> str:
    shown: list[str] = []
    size = 0
    for part in parts:
        shown.append(part)
        size += len(part) + 2
        charge(budget, len(part) >> 4)
        if size > limits.STRING_CHARS_MAX:
            raise CelEvaluationError(ErrorKind.LIMIT, "the text is too long")
    return ", ".join(shown)


def _number(value: Any) -> Decimal:
    if value.__class__ not in NUMBERS:
        raise no_overload("format() of a number", value)
    number = to_double(value)
    if number and abs(number.adjusted()) > limits.PRINTED_DIGITS_MAX:
        raise CelEvaluationError(ErrorKind.LIMIT, "the number is too long to print")
    return number


def _fixed(number: Decimal, places: int) -> str:
    return f"{number.quantize(Decimal(1).scaleb(-places), ROUND_HALF_EVEN, _WIDE):f}"


def _scientific(number: Decimal, places: int) -> str:
    rounded = Context(prec=places + 1, rounding=ROUND_HALF_EVEN).create_decimal(number)
    sign, digits, _ = rounded.as_tuple()
    exponent = rounded.adjusted() if rounded else 0
    shown = "".join(map(str, digits)).ljust(places + 1, "0") if rounded else "0" * (places + 1)
    point = "." if places else ""
    return (
        f"{'-' if sign else ''}{shown[0]}{point}{shown[1:]}e{'-' if exponent < 0 else '+'}{abs(exponent):02d}"
    )


def _hexadecimal(value: Any) -> str:
    if value.__class__ is str:
        return value.encode("utf-8", "replace").hex()
    if value.__class__ is bytes:
        return value.hex()
    return f"{to_whole(value, 'format(): the value of %x'):x}"


def _invalid(message: str) -> CelEvaluationError:
    return CelEvaluationError(ErrorKind.VALUE, message)
