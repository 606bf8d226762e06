"""The function library: every name a rule may call, how it is called, and what it gives. The generator, the
checker, the reference documentation and its test all read this one table.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any

from app.engine.cel import arithmetic, collections, conversions, formatting, strings, times, values
from app.engine.cel.statics import (
    BOOL,
    BYTES,
    DOUBLE,
    DURATION,
    DYN,
    INT,
    STRING,
    TIMESTAMP,
    TYPE,
    UINT,
    Static,
    list_of,
)


class Style(Enum):
    """`f(x)`, `x.f()`, or either. A dotted name such as `sets.contains` is always called as it is written."""

    GLOBAL = "global"
    MEMBER = "member"
    BOTH = "both"


@dataclass(frozen=True, slots=True)
class Function:
    """`arguments` counts the receiver. `charged` functions take the budget first. `follows` gives an int
    when all arguments are ints. `steps` is what one call weighs inside a loop."""

    name: str
    style: Style
    call: Callable[..., Any]
    arguments: tuple[int, int]
    result: Static
    charged: bool = False
    follows: bool = False
    steps: int = 2


def _identity(value: Any) -> Any:
    return value


_MANY = (1, 100)
_G, _M, _B = Style.GLOBAL, Style.MEMBER, Style.BOTH
_US_PER_HOUR, _US_PER_MINUTE, _US_PER_SECOND, _US_PER_MS = 3_600_000_000, 60_000_000, 1_000_000, 1_000


def _getter(name: str, call: Callable[..., int]) -> Function:
    return Function(name, _M, call, (1, 2), INT, steps=8)


_ALL = (
    Function("size", _B, collections.size, (1, 1), INT),
    Function("get", _G, collections.get, (3, 3), DYN),
    Function("sets.contains", _G, collections.sets_contains, (2, 2), BOOL, charged=True, steps=4),
    Function("sets.equivalent", _G, collections.sets_equivalent, (2, 2), BOOL, charged=True, steps=4),
    Function("sets.intersects", _G, collections.sets_intersects, (2, 2), BOOL, charged=True, steps=4),
    # Numbers.
    Function("round", _G, arithmetic.round_, (1, 2), DOUBLE, steps=4),
    Function("round_even", _G, arithmetic.round_even, (1, 2), DOUBLE, steps=4),
    Function("floor", _G, arithmetic.floor, (1, 1), DOUBLE, steps=4),
    Function("ceil", _G, arithmetic.ceil, (1, 1), DOUBLE, steps=4),
    Function("abs", _G, arithmetic.abs_, (1, 1), DOUBLE, follows=True),
    Function("min", _G, arithmetic.min_, _MANY, DOUBLE, charged=True, follows=True, steps=4),
    Function("max", _G, arithmetic.max_, _MANY, DOUBLE, charged=True, follows=True, steps=4),
    Function("sum", _G, arithmetic.sum_, _MANY, DOUBLE, charged=True, steps=4),
    Function("clamp", _G, arithmetic.clamp, (3, 3), DOUBLE, follows=True, steps=4),
    Function("math.round", _G, arithmetic.round_, (1, 1), DOUBLE, steps=4),
    Function("math.floor", _G, arithmetic.floor, (1, 1), DOUBLE, steps=4),
    Function("math.ceil", _G, arithmetic.ceil, (1, 1), DOUBLE, steps=4),
    Function("math.trunc", _G, arithmetic.trunc, (1, 1), DOUBLE, steps=4),
    Function("math.abs", _G, arithmetic.abs_, (1, 1), DOUBLE, follows=True),
    Function("math.sign", _G, arithmetic.sign, (1, 1), INT),
    Function("math.greatest", _G, arithmetic.max_, _MANY, DOUBLE, charged=True, follows=True, steps=4),
    Function("math.least", _G, arithmetic.min_, _MANY, DOUBLE, charged=True, follows=True, steps=4),
    # Texts.
    Function("startsWith", _M, strings.starts_with, (2, 2), BOOL),
    Function("endsWith", _M, strings.ends_with, (2, 2), BOOL),
    Function("contains", _M, strings.contains, (2, 2), BOOL, charged=True),
    Function("matches", _B, strings.matches, (2, 2), BOOL, charged=True, steps=16),
    Function("charAt", _M, strings.char_at, (2, 2), STRING),
    Function("indexOf", _M, strings.index_of, (2, 3), INT, charged=True, steps=4),
    Function("lastIndexOf", _M, strings.last_index_of, (2, 3), INT, charged=True, steps=4),
    Function("substring", _M, strings.substring, (2, 3), STRING, charged=True, steps=4),
    Function("replace", _M, strings.replace, (3, 4), STRING, charged=True, steps=8),
    Function("split", _M, strings.split, (2, 3), list_of(STRING), charged=True, steps=8),
    Function("join", _M, strings.join, (1, 2), STRING, charged=True, steps=4),
    Function("lowerAscii", _M, strings.lower_ascii, (1, 1), STRING, charged=True, steps=8),
    Function("upperAscii", _M, strings.upper_ascii, (1, 1), STRING, charged=True, steps=8),
    Function("trim", _M, strings.trim, (1, 1), STRING, charged=True, steps=4),
    Function("reverse", _M, strings.reverse, (1, 1), DYN, charged=True, steps=4),
    Function("format", _M, formatting.format_text, (2, 2), STRING, charged=True, steps=16),
    Function("strings.quote", _G, strings.quote, (1, 1), STRING, charged=True, steps=8),
    # Time.
    Function("timestamp", _G, times.timestamp, (1, 1), TIMESTAMP, steps=8),
    Function("duration", _G, times.duration, (1, 1), DURATION, steps=16),
    Function("dateIn", _B, times.date_in, (2, 2), STRING, steps=12),
    _getter("getFullYear", times.getter(lambda t: t.year)),
    _getter("getMonth", times.getter(lambda t: t.month - 1)),
    _getter("getDate", times.getter(lambda t: t.day)),
    _getter("getDayOfMonth", times.getter(lambda t: t.day - 1)),
    _getter("getDayOfWeek", times.getter(lambda t: t.isoweekday() % 7)),
    _getter("getDayOfYear", times.getter(lambda t: t.timetuple().tm_yday - 1)),
    _getter("getHours", times.duration_getter(lambda t: t.hour, _US_PER_HOUR, None)),
    _getter("getMinutes", times.duration_getter(lambda t: t.minute, _US_PER_MINUTE, None)),
    _getter("getSeconds", times.duration_getter(lambda t: t.second, _US_PER_SECOND, None)),
    _getter("getMilliseconds", times.duration_getter(lambda t: t.microsecond // 1000, _US_PER_MS, 1000)),
    # Conversions.
    Function("int", _G, conversions.to_int, (1, 1), INT),
    Function("uint", _G, conversions.to_uint, (1, 1), UINT),
    Function("double", _G, conversions.to_double, (1, 1), DOUBLE),
    Function("string", _G, conversions.to_string, (1, 1), STRING, steps=8),
    Function("bool", _G, conversions.to_bool, (1, 1), BOOL),
    Function("bytes", _G, conversions.to_bytes, (1, 1), BYTES, steps=4),
    Function("dyn", _G, _identity, (1, 1), DYN),
    Function("type", _G, values.type_, (1, 1), TYPE),
)

FUNCTIONS: dict[str, Function] = {function.name: function for function in _ALL}
NAMESPACES = frozenset(name.split(".")[0] for name in FUNCTIONS if "." in name)
MACROS = ("has", "all", "exists", "exists_one", "map", "filter")
