"""The numbers of the dialect and their arithmetic: exact decimals with 34 digits, 64-bit ints, uints.

Data carries plain ints and Decimals, whichever JSON wrote; both mean the same number. All decimal
arithmetic uses the context of this module, never the context of the thread: rules run in worker threads
that others configure.
"""

from __future__ import annotations

from decimal import (
    ROUND_HALF_EVEN,
    Context,
    Decimal,
    DivisionByZero,
    InvalidOperation,
    Overflow,
)
from typing import Any

from app.engine.cel import limits
from app.engine.cel.errors import CelEvaluationError, ErrorKind

INT_MIN, INT_MAX, UINT_MAX = -(2**63), 2**63 - 1, 2**64 - 1

CONTEXT = Context(
    prec=limits.DIGITS_MAX,
    rounding=ROUND_HALF_EVEN,
    Emin=-limits.EXPONENT_MAX + 1,
    Emax=limits.EXPONENT_MAX,
    capitals=1,
    clamp=0,
    flags=[],
    traps=[InvalidOperation, DivisionByZero, Overflow],
)
"""Shared by all threads: operations only read it, apart from status flags that nobody looks at."""

ADD, SUB, MUL = CONTEXT.add, CONTEXT.subtract, CONTEXT.multiply
_WHOLE_MAX = 10**limits.DIGITS_MAX


class UInt(int):
    """CEL's unsigned integer. Only literals such as `1u` and `uint()` make one; data never does."""

    __slots__ = ()


NUMBERS: frozenset[Any] = frozenset((int, Decimal, UInt))


def range_error(what: str = "the result is too large") -> CelEvaluationError:
    return CelEvaluationError(ErrorKind.RANGE, what)


def zero_error() -> CelEvaluationError:
    return CelEvaluationError(ErrorKind.DIVISION, "division by zero")


def int_(value: int) -> int:
    """`value` when it fits CEL's int, for operations on what the expression itself made an int."""
    if INT_MIN <= value <= INT_MAX:
        return value
    raise range_error("the integer result does not fit 64 bits")


def uint_(value: int) -> UInt:
    if 0 <= value <= UINT_MAX:
        return UInt(value)
    raise range_error("the unsigned result does not fit 64 bits")


def whole(value: int) -> int | Decimal:
    """A whole number as decimal arithmetic gives it: exact up to 34 digits, rounded to 34 beyond."""
    if -_WHOLE_MAX < value < _WHOLE_MAX:
        return value
    return CONTEXT.create_decimal(value)


def truncated_quotient(a: int, b: int) -> int:
    """CEL's integer division, which rounds towards zero."""
    if b == 0:
        raise zero_error()
    quotient = abs(a) // abs(b)
    return quotient if (a < 0) == (b < 0) else -quotient


def truncated_remainder(a: int, b: int) -> int:
    """CEL's modulus, which has the sign of the dividend."""
    if b == 0:
        raise zero_error()
    remainder = abs(a) % abs(b)
    return -remainder if a < 0 else remainder


def add_numbers(a: int | Decimal, b: int | Decimal) -> int | Decimal:
    if a.__class__ is int and b.__class__ is int:
        return whole(a + b)
    try:
        return ADD(a, b)
    except ArithmeticError:
        raise range_error() from None


def sub_numbers(a: int | Decimal, b: int | Decimal) -> int | Decimal:
    if a.__class__ is int and b.__class__ is int:
        return whole(a - b)
    try:
        return SUB(a, b)
    except ArithmeticError:
        raise range_error() from None


def mul_numbers(a: int | Decimal, b: int | Decimal) -> int | Decimal:
    if a.__class__ is int and b.__class__ is int:
        return whole(a * b)
    try:
        return MUL(a, b)
    except ArithmeticError:
        raise range_error() from None


def div_numbers(a: int | Decimal, b: int | Decimal) -> Decimal:
    """Decimal division to 34 digits, half to even."""
    if b == 0:
        raise zero_error()
    try:
        return CONTEXT.divide(a, b)
    except ArithmeticError:
        raise range_error() from None


def to_whole(value: object, what: str) -> int:
    """A whole number from an int or from a decimal without a fraction; `what` names it in the error."""
    if value.__class__ is int or value.__class__ is UInt:
        return int(value)
    if isinstance(value, Decimal):
        if value.adjusted() > limits.DIGITS_MAX:
            raise range_error(f"{what} is too large")
        if value == int(value):
            return int(value)
        raise CelEvaluationError(ErrorKind.VALUE, f"{what} must be a whole number")
    raise CelEvaluationError(ErrorKind.TYPE, f"{what} must be a whole number")


def plain(value: int | Decimal) -> str:
    """The shortest plain notation: no exponent, no trailing zeros, no minus before zero."""
    if isinstance(value, int):
        if abs(value) >= 10**limits.PRINTED_DIGITS_MAX:
            raise CelEvaluationError(ErrorKind.LIMIT, "the number is too long to print")
        return str(int(value))
    if not value:
        return "0"
    exponent = value.as_tuple().exponent
    assert isinstance(exponent, int), "there is no infinity and no NaN in the dialect"
    if value.adjusted() > limits.PRINTED_DIGITS_MAX or -exponent > limits.PRINTED_DIGITS_MAX * 2:
        raise CelEvaluationError(ErrorKind.LIMIT, "the number is too long to print")
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
