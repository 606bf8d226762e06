"""Conversions between types: `int()`, `uint()`, `double()`, `string()`, `bool()`, `bytes()`."""

from __future__ import annotations

import datetime as dt
import re
from decimal import Decimal
from typing import Any

from app.engine.cel import limits
from app.engine.cel.errors import CelEvaluationError, ErrorKind
from app.engine.cel.numbers import CONTEXT, UInt, int_, plain, range_error, uint_
from app.engine.cel.times import UTC, duration_text, timestamp_text
from app.engine.cel.values import TypeValue, no_overload

_INT = re.compile(r"[-+]?[0-9]{1,20}", re.ASCII)
_UINT = re.compile(r"\+?[0-9]{1,20}", re.ASCII)
_DOUBLE = re.compile(r"[-+]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]{1,5})?", re.ASCII)
_TRUE = frozenset(("1", "t", "true", "TRUE", "True"))
_FALSE = frozenset(("0", "f", "false", "FALSE", "False"))
_INT_DIGITS_MAX = 20
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=UTC)


def to_int(value: Any) -> int:
    """A 64-bit int; decimals are cut towards zero, timestamps become seconds since 1970."""
    kind = value.__class__
    if kind is int:
        return int_(value)
    if kind is UInt:
        return int_(int(value))
    if kind is Decimal:
        if value.adjusted() > _INT_DIGITS_MAX:
            raise range_error("the number does not fit an int")
        return int_(int(value))
    if kind is str:
        if _INT.fullmatch(value):
            return int_(int(value))
        raise CelEvaluationError(ErrorKind.VALUE, "int(): the text is not a whole number")
    if kind is dt.datetime:
        return (value - _EPOCH) // dt.timedelta(seconds=1)
    raise no_overload("int()", value)


def to_uint(value: Any) -> UInt:
    kind = value.__class__
    if kind is UInt:
        return value
    if kind is int:
        return uint_(value)
    if kind is Decimal:
        if value < 0 or value.adjusted() > _INT_DIGITS_MAX:
            raise range_error("the number does not fit a uint")
        return uint_(int(value))
    if kind is str:
        if _UINT.fullmatch(value):
            return uint_(int(value))
        raise CelEvaluationError(ErrorKind.VALUE, "uint(): the text is not a whole number")
    raise no_overload("uint()", value)


def to_double(value: Any) -> Decimal:
    """The number as a decimal: `double` is the dialect's name for its exact decimals."""
    kind = value.__class__
    if kind is Decimal:
        return value
    if kind is int or kind is UInt:
        return Decimal(int(value))
    if kind is str:
        if len(value) > limits.PRINTED_DIGITS_MAX or not _DOUBLE.fullmatch(value):
            raise CelEvaluationError(ErrorKind.VALUE, "double(): the text is not a number")
        try:
            return CONTEXT.create_decimal(value)
        except ArithmeticError:
            raise range_error("the number is too large") from None
    raise no_overload("double()", value)


def to_string(value: Any) -> str:
    """Text: numbers in shortest plain notation, timestamps in RFC 3339, durations in seconds."""
    kind = value.__class__
    if kind is str:
        return value
    if kind is bool:
        return "true" if value else "false"
    if kind is int or kind is Decimal or kind is UInt:
        return plain(value)
    if kind is bytes:
        try:
            return value.decode()
        except UnicodeDecodeError:
            raise CelEvaluationError(ErrorKind.VALUE, "string(): the bytes are not UTF-8") from None
    if kind is dt.datetime:
        return timestamp_text(value)
    if kind is dt.timedelta:
        return duration_text(value)
    if kind is TypeValue:
        return str(value.name)
    raise no_overload("string()", value)


def to_bool(value: Any) -> bool:
    if value.__class__ is bool:
        return value
    if value.__class__ is str:
        if value in _TRUE:
            return True
        if value in _FALSE:
            return False
        raise CelEvaluationError(ErrorKind.VALUE, "bool(): the text is neither true nor false")
    raise no_overload("bool()", value)


def to_bytes(value: Any) -> bytes:
    if value.__class__ is bytes:
        return value
    if value.__class__ is str:
        try:
            return value.encode()
        except UnicodeEncodeError:
            raise CelEvaluationError(ErrorKind.VALUE, "bytes(): the text is not Unicode") from None
    raise no_overload("bytes()", value)
