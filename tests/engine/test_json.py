"""Writing JSON: the fast way and the exact one say the same, and what is read comes back as it was."""

from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain import json as module
from app.domain.json import dumps, loads

numbers = st.integers(-(2**200), 2**200) | st.decimals(allow_nan=False, allow_infinity=False, places=18)
# Half characters are no text that a database or a socket takes.
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
values = st.recursive(
    st.none() | st.booleans() | numbers | texts | st.uuids(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4), max_leaves=20,
)


class Colour(StrEnum):
    RED = "red"


class Pair(NamedTuple):
    first: int
    second: str


@given(values)
def test_both_ways_of_writing_say_the_same(value: object) -> None:
    assert dumps(value) == module._Exact().encode(value)


@given(st.recursive(st.none() | st.booleans() | numbers | texts, lambda inner: st.lists(inner, max_size=4)))
def test_what_was_written_is_read_as_it_was(value: object) -> None:
    assert loads(dumps(value)) == value


def test_digits_are_kept_as_they_are() -> None:
    small = Decimal("-0.000000000000000001")
    text = dumps({"a": Decimal("1.10"), "b": Decimal("1E+3"), "c": 2**64, "d": small})
    assert text == '{"a":1.10,"b":1000,"c":18446744073709551616,"d":-0.000000000000000001}'


def test_instants_ids_names_and_tuples_are_written_as_the_api_writes_them() -> None:
    id_ = UUID("01234567-89ab-7def-8123-456789abcdef")
    at = datetime(2024, 2, 29, 12, 30, 0, 123000, tzinfo=UTC)
    big = [2**70, at, (1, id_)]
    text = dumps({"at": at, "id": id_, "colour": Colour.RED, "pair": Pair(1, "x"), "big": big})
    assert text == (
        '{"at":"2024-02-29T12:30:00.123000Z","id":"01234567-89ab-7def-8123-456789abcdef","colour":"red",'
        '"pair":[1,"x"],"big":[1180591620717411303424,"2024-02-29T12:30:00.123000Z",'
        '[1,"01234567-89ab-7def-8123-456789abcdef"]]}'
    )


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
def test_a_decimal_that_is_no_number_is_refused(number: str) -> None:
    with pytest.raises(ValueError, match="is not JSON"):
        dumps([Decimal(number)])


def test_what_json_has_no_form_for_is_refused() -> None:
    with pytest.raises(TypeError, match="object"):
        dumps({"a": object()})


@pytest.mark.parametrize("number", ["1e99999999999999999999", "-0.0E-99999999999999999999"])
def test_a_number_that_no_decimal_can_hold_is_refused_as_all_that_is_no_json(number: str) -> None:
    with pytest.raises(ValueError, match="exponent"):
        loads(f'{{"a": {number}}}')
