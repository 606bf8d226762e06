"""Values of the domain at the edges that ordinary data does not reach: dates, numbers, ids, comparisons."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from app.domain import json
from app.domain.amounts import fits_scale
from app.domain.ids import TimeOrdered
from app.domain.instants import YEAR_MAX, YEAR_MIN, InstantError, parse_instant
from app.domain.periods import Granularity, next_start, start_of, starts
from app.domain.texts import problem_of
from app.domain.tiers import Operator

NOON = datetime(2026, 1, 15, 12, tzinfo=UTC)
IDS_OF_AN_INSTANT = 16_384


def test_more_ids_than_an_instant_has_go_on_in_the_next_microsecond() -> None:
    ids = TimeOrdered(NOON, entropy=1)
    made = [ids.next() for _ in range(IDS_OF_AN_INSTANT + 2)]
    assert made == sorted(set(made))
    assert made[IDS_OF_AN_INSTANT] == TimeOrdered(NOON + timedelta(microseconds=1), entropy=1).next()
    assert made[IDS_OF_AN_INSTANT - 1] < made[IDS_OF_AN_INSTANT]
    assert {each.bytes[-1] for each in made} == {0}


@pytest.mark.parametrize(("operator", "below", "at", "above"), [
    (">=", False, True, True), (">", False, False, True), ("==", False, True, False),
    ("<=", True, True, False), ("<", True, False, False),
])
def test_a_comparison_holds_on_its_side(operator: str, below: bool, at: bool, above: bool) -> None:
    found = [Operator(operator).holds(Decimal(value), Decimal(5)) for value in (4, 5, 6)]
    assert found == [below, at, above]


@pytest.mark.parametrize(("text", "instant"), [
    ("2026-01-15T13:00:00+01:00", NOON), ("2026-01-15t07:30:00-04:30", NOON), ("2026-01-15 12:00:00z", NOON),
    ("2026-01-15T12:00:00.0000009Z", NOON),
    ("2016-12-31T23:59:60Z", datetime(2016, 12, 31, 23, 59, 59, tzinfo=UTC)),
    (f"{YEAR_MIN}-01-01T00:00:00Z", datetime(YEAR_MIN, 1, 1, tzinfo=UTC)),
    (f"{YEAR_MAX}-12-31T00:00:00Z", datetime(YEAR_MAX, 12, 31, tzinfo=UTC)),
])
def test_instants_in_every_notation(text: str, instant: datetime) -> None:
    assert parse_instant(text) == instant
    assert parse_instant(text).tzinfo is UTC


@pytest.mark.parametrize("text", [
    "2026-01-15T12:00:00+24:00", "2026-01-15T12:00:00+00:60", "2026-02-29T00:00:00Z", "2026-01-15T24:00:00Z",
    "9999-12-31T23:59:59-23:59", f"{YEAR_MIN - 1}-12-31T23:59:59Z", f"{YEAR_MAX + 1}-01-01T00:00:00Z",
    "2026-01-15", "2026-01-15T12:00:00", "",
])
def test_what_is_no_instant_is_refused(text: str) -> None:
    with pytest.raises(InstantError):
        parse_instant(text)


@pytest.mark.parametrize("text", ["NaN", "[Infinity]", '{"a": -Infinity}'])
def test_what_python_reads_as_a_number_and_json_does_not_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not JSON"):
        json.loads(text)


@pytest.mark.parametrize(("value", "scale", "fits"), [
    ("1.20", 1, True), ("1.25", 1, False), ("1E+3", 0, True), ("0.000", 0, True), ("0.10", 2, True),
    ("NaN", 2, False), ("Infinity", 2, False),
])
def test_trailing_zeros_need_no_decimal_places(value: str, scale: int, fits: bool) -> None:
    assert fits_scale(Decimal(value), scale) is fits


@pytest.mark.parametrize(("value", "part"), [
    ({"a": ["b", {"c": None, "d": True}], "e": Decimal("1.5")}, None), (["a\x00"], "NUL"),
    ({"a\x00": 1}, "NUL"), ("\ud800", "surrogate"), ([[{"a": Decimal("1E+200")}]], "number"),
    ([10**200], "number"), ([Decimal("1." + "1" * 200)], "number"),
])
def test_what_cannot_be_stored_is_found_however_deep(value: Any, part: str | None) -> None:
    found = problem_of(value)
    assert found is None if part is None else part in str(found)


@pytest.mark.parametrize(("granularity", "start", "after"), [
    (Granularity.DAY, (2026, 1, 15), (2026, 1, 16)), (Granularity.WEEK, (2026, 1, 12), (2026, 1, 19)),
    (Granularity.MONTH, (2026, 1, 1), (2026, 2, 1)),
])
def test_a_period_runs_from_its_start_to_the_next(
    granularity: Granularity, start: tuple[int, int, int], after: tuple[int, int, int]
) -> None:
    begin, end = datetime(*start, tzinfo=UTC), datetime(*after, tzinfo=UTC)
    assert start_of(NOON, granularity) == start_of(begin, granularity) == begin
    assert start_of(end - timedelta(microseconds=1), granularity) == begin
    assert (start_of(end, granularity), next_start(begin, granularity)) == (end, end)
    assert list(starts(NOON, NOON, granularity)) == [begin, end]
    assert list(starts(NOON, end, granularity)) == [begin, end, next_start(end, granularity)]
