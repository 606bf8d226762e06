"""Where values end: numbers beyond the largest, texts that no type reads, errors inside what absorbs them."""

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest

from app.engine.cel import CelEvaluationError, CelSyntaxError, ErrorKind, Kind, compile

VAST = Decimal("9E+6144")


def evaluate(text: str, **event: Any) -> Any:
    """The value on this event, or the kind of the error."""
    try:
        return compile(text, Kind.VALUE).evaluate({"event": event})
    except CelEvaluationError as error:
        return error.kind


@pytest.mark.parametrize("text", [
    "event.vast + event.vast", "-event.vast - event.vast", "event.vast * 10", "sum([event.vast, event.vast])",
    "double(event.digits)", "duration(event.hours)",
])
def test_a_number_beyond_the_largest_is_out_of_range(text: str) -> None:
    assert evaluate(text, vast=VAST, digits="1e99999", hours="99999999999999999h") is ErrorKind.RANGE


def test_a_duration_is_read_from_nothing_a_text_or_a_duration() -> None:
    assert [evaluate(f"duration('{text}')") for text in ("0", "-0", "+0")] == [dt.timedelta(0)] * 3
    hour = dt.timedelta(hours=1)
    assert evaluate("duration(event.d)", d=hour) == hour
    assert evaluate("duration(event.d)", d="-1h") == -hour
    assert evaluate("duration(event.d)", d=7) is ErrorKind.TYPE


def test_get_looks_a_key_up_by_its_value() -> None:
    data = {"m": {"a": 1, "2": 2}}
    assert evaluate("get({2: 'two'}, 2, 'none')", **data) == "two"
    assert evaluate("get({2: 'two'}, 3, 'none')", **data) == "none"
    assert evaluate("get(event.m, 'a', 0)", **data) == 1
    assert evaluate("get(event.m, 'b', 0)", **data) == 0


@pytest.mark.parametrize(("given", "value"), [
    ("100%%", "100%"), ("%s", "7"), ("%", ErrorKind.VALUE), ("%s %s", ErrorKind.VALUE),
])
def test_a_format_has_a_value_for_each_clause(given: str, value: Any) -> None:
    expression = "event.form.format([event.item])" if "%s" in given else "event.form.format([])"
    assert evaluate(expression, form=given, item=7) == value


@pytest.mark.parametrize("text", ["'never closed", "'two\nlines'", "'''never closed"])
def test_a_text_that_does_not_end_is_refused_when_it_is_saved(text: str) -> None:
    with pytest.raises(CelSyntaxError):
        compile(text, Kind.VALUE)


def test_an_error_is_absorbed_by_what_decides_without_it() -> None:
    assert evaluate("event.missing || true") is True
    assert evaluate("event.missing && false") is False
    assert evaluate("event.n || true", n=7) is True
    assert evaluate("event.n && true", n=7) is ErrorKind.TYPE


def test_a_program_shows_its_text_and_kind() -> None:
    assert "1 + 1" in repr(compile("1 + 1", Kind.VALUE))
