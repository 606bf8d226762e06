"""Each operator on each pair of types: defined where the language says so, an error of type elsewhere; and
limits that are met exactly.
"""

from __future__ import annotations

import datetime as dt
import itertools
from decimal import Decimal
from typing import Any

import pytest

from app.engine.cel import (
    CelEvaluationError,
    ErrorKind,
    Kind,
    compile,
)
from app.engine.cel.limits import LIST_ITEMS_MAX, STRING_CHARS_MAX
from app.engine.cel.numbers import UInt

VALUES: dict[str, tuple[Any, Any]] = {
    "number": (3, Decimal("2.5")), "uint": (UInt(7), UInt(2)), "bool": (True, False), "string": ("a", "b"),
    "bytes": (b"a", b"b"), "list": ([1], [2]), "map": ({"a": 1}, {"b": 2}), "null": (None, None),
    "timestamp": (dt.datetime(2026, 1, 2, tzinfo=dt.UTC), dt.datetime(2026, 1, 1, tzinfo=dt.UTC)),
    "duration": (dt.timedelta(hours=3), dt.timedelta(hours=2)),
}  # fmt: skip
ORDERED = {(kind, kind) for kind in ("number", "uint", "bool", "string", "bytes", "timestamp", "duration")}
MIXED = {("number", "uint"), ("uint", "number")}
DEFINED = {
    "+": {(k, k) for k in ("number", "uint", "string", "bytes", "list", "duration")}
    | {("timestamp", "duration"), ("duration", "timestamp")},
    "-": {(k, k) for k in ("number", "uint", "timestamp", "duration")} | {("timestamp", "duration")},
    "*": {("number", "number"), ("uint", "uint")},
    "/": {("number", "number"), ("uint", "uint")},
    "%": {("uint", "uint")},  # 2.5 is no whole number, which is an error of its value, not of its type.
    "<": ORDERED | MIXED, "<=": ORDERED | MIXED, ">": ORDERED | MIXED, ">=": ORDERED | MIXED,
    "in": {(kind, "list") for kind in VALUES}
    | {(kind, "map") for kind in ("number", "uint", "bool", "string")},
}  # fmt: skip


def evaluate(text: str, **event: Any) -> Any:
    """The value on this event, or the kind of the error."""
    try:
        return compile(text, Kind.VALUE).evaluate({"event": event})
    except CelEvaluationError as error:
        return error.kind


@pytest.mark.parametrize("operator", DEFINED)
def test_an_operator_has_the_types_that_it_has(operator: str) -> None:
    for (left, values), (right, others) in itertools.product(VALUES.items(), VALUES.items()):
        found = evaluate(f"event.a {operator} event.b", a=values[0], b=others[1])
        if operator == "%" and (left, right) == ("number", "number"):
            assert found is ErrorKind.VALUE
        else:
            assert (found is not ErrorKind.TYPE) == ((left, right) in DEFINED[operator]), (left, right, found)


@pytest.mark.parametrize("operator", ["<", "<=", ">", ">="])
def test_order_is_that_of_the_values(operator: str) -> None:
    for kind, _ in ORDERED:
        big, small = VALUES[kind] if VALUES[kind][0] > VALUES[kind][1] else VALUES[kind][::-1]
        pairs = [(big, small, 1), (small, big, -1), (big, big, 0)]
        for a, b, sign in pairs:
            wanted = {"<": sign < 0, "<=": sign <= 0, ">": sign > 0, ">=": sign >= 0}[operator]
            assert evaluate(f"event.a {operator} event.b", a=a, b=b) is wanted, (kind, a, b)


def test_arithmetic_on_uints_times_and_wholes() -> None:
    a, b = UInt(7), UInt(2)
    found = [evaluate(f"event.a {op} event.b", a=a, b=b) for op in "+-*/%"]
    assert found == [9, 5, 14, 3, 1]
    assert {each.__class__ for each in found} == {UInt}
    assert evaluate("event.a - event.b", a=b, b=a) is ErrorKind.RANGE
    later, day = dt.datetime(2026, 1, 2, tzinfo=dt.UTC), dt.timedelta(days=1)
    assert evaluate("event.a - event.b", a=later, b=day) == dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    assert evaluate("event.a + event.b", a=day, b=later) == dt.datetime(2026, 1, 3, tzinfo=dt.UTC)
    assert evaluate("event.a - event.b", a=day, b=day) == dt.timedelta(0)
    assert evaluate("-event.a", a=7) == -7
    assert evaluate("-event.a", a=Decimal("2.5")) == Decimal("-2.5")
    assert evaluate("-event.a", a=UInt(7)) is ErrorKind.TYPE
    assert evaluate("event.a % event.b", a=-7, b=Decimal(5)) == -2


def test_texts_and_lists_may_be_as_long_as_their_limit_and_no_longer() -> None:
    half = "x" * (STRING_CHARS_MAX // 2)
    assert len(evaluate("event.a + event.b", a=half, b=half)) == STRING_CHARS_MAX
    assert evaluate("event.a + event.b", a=half, b=half + "x") is ErrorKind.LIMIT
    part = [1] * (LIST_ITEMS_MAX // 2)
    assert len(evaluate("event.a + event.b", a=part, b=part)) == LIST_ITEMS_MAX
    assert evaluate("event.a + event.b", a=part, b=[*part, 1]) is ErrorKind.LIMIT


def test_places_count_from_nought_to_the_last() -> None:
    data = {"l": ["a", "b"], "m": {"x": 1, "7": 2}, "n": None, "s": "ab"}
    assert [evaluate(f"event.l[{i}]", **data) for i in (0, 1)] == ["a", "b"]
    assert [evaluate(f"event.l[{i}]", **data) for i in (-1, 2)] == [ErrorKind.MISSING] * 2
    refused = {
        "event.l['0']": ErrorKind.TYPE, "event.s[0]": ErrorKind.TYPE, "event.m['y']": ErrorKind.MISSING,
        "event.n['y']": ErrorKind.MISSING, "event.n[0]": ErrorKind.MISSING,
        "has(event.n.y)": ErrorKind.MISSING, "has(event.s.y)": ErrorKind.TYPE,
        "event.n.y": ErrorKind.MISSING, "event.s.y": ErrorKind.TYPE,
        "event.n.all(i, true)": ErrorKind.MISSING, "event.s.all(i, true)": ErrorKind.TYPE,
        "{event.s: 1, 'ab': 2}": ErrorKind.VALUE, "{event.l: 1}": ErrorKind.TYPE,
    }
    assert {text: evaluate(text, **data) for text in refused} == refused
