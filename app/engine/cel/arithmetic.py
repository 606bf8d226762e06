"""The number functions: rounding, `floor`, `ceil`, `abs`, `min`, `max`, `clamp`. Exact; never Python's
`round`.
"""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_DOWN, ROUND_FLOOR, ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal
from typing import Any

from app.engine.cel import limits
from app.engine.cel.errors import CelEvaluationError, ErrorKind
from app.engine.cel.numbers import CONTEXT, NUMBERS, UInt, range_error, to_whole
from app.engine.cel.values import Budget, charge, no_overload

_QUANTA = {n: Decimal(1).scaleb(-n) for n in range(-limits.ROUND_DIGITS_MAX, limits.ROUND_DIGITS_MAX + 1)}


def _quantize(what: str, value: Any, digits: Any, rounding: str) -> Decimal:
    kind = value.__class__
    if kind is not Decimal:
        if kind not in NUMBERS:
            raise no_overload(f"{what}()", value)
        value = Decimal(int(value))
    quantum = _QUANTA.get(digits) if digits.__class__ is int else None
    if quantum is None:
        quantum = _QUANTA.get(to_whole(digits, f"the digits of {what}()"))
    if quantum is None:
        raise CelEvaluationError(ErrorKind.VALUE, f"{what}(): digits must be from −30 to 30")
    try:
        return value.quantize(quantum, rounding, CONTEXT)
    except ArithmeticError:
        raise range_error("the number has too many digits to be rounded there") from None


def round_(value: Any, digits: Any = 0) -> Decimal:
    """To `digits` decimals, half away from zero (commercial rounding)."""
    return _quantize("round", value, digits, ROUND_HALF_UP)


def round_even(value: Any, digits: Any = 0) -> Decimal:
    """To `digits` decimals, half to the even neighbour (banker's rounding)."""
    return _quantize("round_even", value, digits, ROUND_HALF_EVEN)


def floor(value: Any) -> Decimal:
    return _quantize("floor", value, 0, ROUND_FLOOR)


def ceil(value: Any) -> Decimal:
    return _quantize("ceil", value, 0, ROUND_CEILING)


def trunc(value: Any) -> Decimal:
    return _quantize("math.trunc", value, 0, ROUND_DOWN)


def abs_(value: Any) -> Any:
    kind = value.__class__
    if kind is Decimal:
        return CONTEXT.abs(value)
    if kind in NUMBERS:
        return abs(int(value))
    raise no_overload("abs()", value)


def sign(value: Any) -> int:
    if value.__class__ not in NUMBERS:
        raise no_overload("math.sign()", value)
    return (value > 0) - (value < 0)


def _plain(value: Any) -> Any:
    """A result that decimal arithmetic takes: a uint becomes an ordinary number."""
    return int(value) if value.__class__ is UInt else value


def _numbers(budget: Budget, what: str, values: tuple[Any, ...]) -> Any:
    found: Any = values
    if len(values) == 1:
        found = values[0]
        if found.__class__ is not list:
            raise no_overload(f"{what}() of one argument", found)
        charge(budget, len(found))
        if not found:
            raise CelEvaluationError(ErrorKind.VALUE, f"{what}() of an empty list")
    for value in found:
        if value.__class__ not in NUMBERS:
            raise no_overload(f"{what}()", value)
    return found


def min_(budget: Budget, *values: Any) -> Any:
    """The smallest of several numbers, or of one list of numbers."""
    return _plain(min(_numbers(budget, "min", values)))


def max_(budget: Budget, *values: Any) -> Any:
    """The largest of several numbers, or of one list of numbers."""
    return _plain(max(_numbers(budget, "max", values)))


def sum_(budget: Budget, *values: Any) -> Any:
    """The sum of several numbers, or of one list of numbers (0 when it is empty)."""
    items: Any = values
    if len(values) == 1 and values[0].__class__ is list:
        items = values[0]
        charge(budget, len(items))
    total = Decimal(0)
    for item in items:
        if item.__class__ not in NUMBERS:
            raise no_overload("sum()", item)
        try:
            total = CONTEXT.add(total, item)
        except ArithmeticError:
            raise range_error() from None
    return total


def clamp(value: Any, low: Any, high: Any) -> Any:
    """`value`, but not below `low` and not above `high`."""
    for number in (value, low, high):
        if number.__class__ not in NUMBERS:
            raise no_overload("clamp()", number)
    if low > high:
        raise CelEvaluationError(ErrorKind.VALUE, "clamp(): the lower bound is above the upper bound")
    return _plain(low if value < low else high if value > high else value)
