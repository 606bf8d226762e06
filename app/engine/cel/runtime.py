"""The operators, as functions. Generated code inlines the usual types and calls these for everything else;
the exact and the traced code call only these. Each raises CelEvaluationError where CEL has no value.
"""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

from app.engine.cel import limits
from app.engine.cel.errors import CelEvaluationError, ErrorKind
from app.engine.cel.numbers import (
    CONTEXT,
    NUMBERS,
    UInt,
    add_numbers,
    div_numbers,
    mul_numbers,
    sub_numbers,
    to_whole,
    truncated_quotient,
    truncated_remainder,
    uint_,
)
from app.engine.cel.times import add_duration, bounded, difference
from app.engine.cel.values import Budget, charge, find_key, friendly, no_overload

_ORDERED = frozenset((bool, str, bytes, dt.datetime, dt.timedelta))
_DECIMAL = frozenset((int, Decimal))


def lt_(a: Any, b: Any) -> bool:
    ca, cb = a.__class__, b.__class__
    if (ca in NUMBERS and cb in NUMBERS) or (ca is cb and ca in _ORDERED):
        return bool(a < b)
    raise no_overload("comparison", a, b)


def le_(a: Any, b: Any) -> bool:
    ca, cb = a.__class__, b.__class__
    if (ca in NUMBERS and cb in NUMBERS) or (ca is cb and ca in _ORDERED):
        return bool(a <= b)
    raise no_overload("comparison", a, b)


def gt_(a: Any, b: Any) -> bool:
    return lt_(b, a)


def ge_(a: Any, b: Any) -> bool:
    return le_(b, a)


def add_(budget: Budget, a: Any, b: Any) -> Any:
    ca, cb = a.__class__, b.__class__
    if ca in _DECIMAL and cb in _DECIMAL:
        return add_numbers(a, b)
    if ca is cb:
        if ca is str or ca is bytes:
            return concat_(budget, a, b)
        if ca is list:
            if len(a) + len(b) > limits.LIST_ITEMS_MAX:
                raise CelEvaluationError(ErrorKind.LIMIT, "the list is too long")
            charge(budget, len(a) + len(b))
            return a + b
        if ca is UInt:
            return uint_(int(a) + int(b))
        if ca is dt.timedelta:
            return add_duration(a, b)
    elif (ca is dt.datetime and cb is dt.timedelta) or (ca is dt.timedelta and cb is dt.datetime):
        return add_duration(a, b)
    raise no_overload("`+`", a, b)


def concat_(budget: Budget, a: Any, b: Any) -> Any:
    """Two texts (or two bytes) as one. Sixteen characters cost one step, which bounds what a loop can
    build."""
    size = len(a) + len(b)
    if size > limits.STRING_CHARS_MAX:
        raise CelEvaluationError(ErrorKind.LIMIT, "the text is too long")
    charge(budget, size >> 4)
    return a + b


def sub_(a: Any, b: Any) -> Any:
    ca, cb = a.__class__, b.__class__
    if ca in _DECIMAL and cb in _DECIMAL:
        return sub_numbers(a, b)
    if ca is UInt and cb is UInt:
        return uint_(int(a) - int(b))
    if ca is dt.datetime and cb is dt.datetime:
        return difference(a, b)
    if ca is dt.timedelta and cb is dt.timedelta:
        return bounded(a - b)
    if ca is dt.datetime and cb is dt.timedelta:
        return add_duration(a, -b)
    raise no_overload("`-`", a, b)


def mul_(a: Any, b: Any) -> Any:
    ca, cb = a.__class__, b.__class__
    if ca in _DECIMAL and cb in _DECIMAL:
        return mul_numbers(a, b)
    if ca is UInt and cb is UInt:
        return uint_(int(a) * int(b))
    raise no_overload("`*`", a, b)


def div_(a: Any, b: Any) -> Any:
    """Division of numbers from data. Integer division is only for what the expression itself makes ints."""
    ca, cb = a.__class__, b.__class__
    if ca in _DECIMAL and cb in _DECIMAL:
        return div_numbers(a, b)
    if ca is UInt and cb is UInt:
        return UInt(truncated_quotient(int(a), int(b)))
    raise no_overload("`/`", a, b)


def mod_(a: Any, b: Any) -> Any:
    ca, cb = a.__class__, b.__class__
    if ca in _DECIMAL and cb in _DECIMAL:
        return truncated_remainder(to_whole(a, "an operand of `%`"), to_whole(b, "an operand of `%`"))
    if ca is UInt and cb is UInt:
        return UInt(truncated_remainder(int(a), int(b)))
    raise no_overload("`%`", a, b)


def neg_(a: Any) -> Any:
    if a.__class__ is Decimal:
        return CONTEXT.minus(a)
    if a.__class__ is int:
        return -a
    raise no_overload("`-`", a)


def not_(a: Any) -> bool:
    if a is True:
        return False
    if a is False:
        return True
    raise no_overload("`!`", a)


def bool_(a: Any) -> bool:
    if a is True or a is False:
        return a
    raise CelEvaluationError(ErrorKind.TYPE, f"true or false expected, not {friendly(a)}")


def select_(value: Any, field: str, path: str) -> Any:
    """`value.field`; `path` is the rule's own text of the selection, for the message."""
    if value.__class__ is dict:
        if field in value:
            return value[field]
        raise CelEvaluationError(ErrorKind.MISSING, f"`{path}` is missing")
    if value is None:
        raise CelEvaluationError(ErrorKind.MISSING, f"`{path}` is missing: what stands before it is null")
    raise CelEvaluationError(ErrorKind.TYPE, f"`{path}`: a {friendly(value)} has no fields")


def has_(value: Any, field: str) -> bool:
    if value.__class__ is dict:
        return field in value
    if value is None:
        raise CelEvaluationError(ErrorKind.MISSING, f"has(….{field}): what stands before it is null")
    raise no_overload("has()", value)


def index_(value: Any, key: Any) -> Any:
    cv = value.__class__
    if cv is dict:
        found = find_key(value, key, "`[]`")
        if found is None:
            raise CelEvaluationError(ErrorKind.MISSING, "the map has no such key")
        return found[0]
    if cv is list:
        if key.__class__ not in NUMBERS:
            raise no_overload("`[]`", value, key)
        place = to_whole(key, "a list index")
        if 0 <= place < len(value):
            return value[place]
        raise CelEvaluationError(ErrorKind.MISSING, "the list has no such index")
    if value is None:
        raise CelEvaluationError(ErrorKind.MISSING, "`[]`: what stands before it is null")
    raise no_overload("`[]`", value, key)


_KEYS = frozenset((int, UInt, bool, str))


def map_(items: list[tuple[Any, Any]]) -> dict[Any, Any]:
    """A map literal. Keys are texts, ints or bools; a key twice is an error (and so are `true` and `1`
    together)."""
    result: dict[Any, Any] = {}
    for key, value in items:
        if key.__class__ not in _KEYS:
            raise no_overload("a map key", key)
        if key in result:
            raise CelEvaluationError(ErrorKind.VALUE, "a map literal has the same key twice")
        result[key] = value
    return result


def iter_(budget: Budget, value: Any, weight: int) -> Any:
    """What a loop runs over. The whole loop (elements × `weight`) is charged before it begins."""
    if value.__class__ is list or value.__class__ is dict:
        charge(budget, len(value) * weight)
        return value
    if value is None:
        raise CelEvaluationError(ErrorKind.MISSING, "a loop over null")
    raise no_overload("a loop", value)


def amount_(value: Any) -> Decimal:
    """The result of an amount: always a Decimal."""
    if value.__class__ is Decimal:
        return value
    if value.__class__ is int or value.__class__ is UInt:
        return Decimal(int(value))
    raise CelEvaluationError(ErrorKind.TYPE, f"a number expected, not {friendly(value)}")


def text_(value: Any) -> str:
    """The result of a text expression."""
    if value.__class__ is str:
        return value
    raise CelEvaluationError(ErrorKind.TYPE, f"a text expected, not {friendly(value)}")
