"""What the functions behind the operators charge and refuse, to the step: too little would let a rule run
longer than its bound, too much would refuse what was promised.
"""

from decimal import Decimal
from typing import Any

import pytest

from app.engine.cel import CelEvaluationError, ErrorKind, Kind, compile
from app.engine.cel.errors import CelBudgetError
from app.engine.cel.numbers import UInt
from app.engine.cel.runtime import add_, amount_, concat_, has_, index_, iter_, map_, not_, select_, text_

PLENTY = 1000


@pytest.mark.parametrize(("a", "b", "steps"), [
    ("x" * 15, "", 0), ("x" * 15, "y", 1), ("x" * 24, "y" * 8, 2), (b"x" * 16, b"y" * 31, 2),
])
def test_sixteen_characters_of_a_text_that_is_built_cost_a_step(a: Any, b: Any, steps: int) -> None:
    for concatenate in (concat_, add_):
        budget = [PLENTY]
        assert concatenate(budget, a, b) == a + b
        assert budget == [PLENTY - steps]


def test_a_list_that_is_built_costs_a_step_for_each_element() -> None:
    budget = [PLENTY]
    assert add_(budget, [1, 2, 3], [4]) == [1, 2, 3, 4]
    assert budget == [PLENTY - 4]


@pytest.mark.parametrize("value", [[1, 2, 3], {"a": 1, "b": 2, "c": 3}])
def test_a_loop_costs_its_elements_times_its_body_before_it_begins(value: Any) -> None:
    budget = [21]
    assert iter_(budget, value, 7) is value
    assert budget == [0]
    with pytest.raises(CelBudgetError):
        iter_([20], value, 7)


def test_what_is_found_in_a_map_is_its_value() -> None:
    assert index_({"a": [7, 8]}, "a") == [7, 8]
    assert index_({1: "one"}, UInt(1)) == "one"


@pytest.mark.parametrize("value", [True, False])
def test_a_condition_over_data_of_any_type_has_that_value(value: bool) -> None:
    for text in ("event.flag", "event.other ? event.flag : event.flag", "event.flag || event.flag"):
        data = {"event": {"flag": value, "other": value}}
        assert compile(text, Kind.CONDITION).evaluate(data) is value


@pytest.mark.parametrize("value", [1, 0, "true", None, Decimal(1), []])
def test_a_condition_that_is_neither_true_nor_false_is_an_error(value: Any) -> None:
    with pytest.raises(CelEvaluationError) as error:
        compile("event.flag", Kind.CONDITION).evaluate({"event": {"flag": value}})
    assert error.value.kind is ErrorKind.TYPE


def test_an_amount_is_a_decimal_whatever_kind_of_number_it_came_as() -> None:
    for value in (7, UInt(7), Decimal(7)):
        found = amount_(value)
        assert (found, found.__class__) == (Decimal(7), Decimal)
    for wrong in (True, "7", None):
        with pytest.raises(CelEvaluationError):
            amount_(wrong)
    assert text_("7") == "7"
    with pytest.raises(CelEvaluationError):
        text_(7)


def test_not_turns_only_true_and_false() -> None:
    assert (not_(True), not_(False)) == (False, True)
    for wrong in (0, 1, None, "true", []):
        with pytest.raises(CelEvaluationError) as error:
            not_(wrong)
        assert error.value.kind is ErrorKind.TYPE


def test_has_asks_for_the_field_and_not_for_its_value() -> None:
    value = {"a": None, "b": False}
    assert [has_(value, field) for field in "abc"] == [True, True, False]
    assert (select_(value, "a", "v.a"), select_(value, "b", "v.b")) == (None, False)
    with pytest.raises(CelEvaluationError, match=r"`v\.c` is missing") as error:
        select_(value, "c", "v.c")
    assert error.value.kind is ErrorKind.MISSING


def test_a_map_keeps_every_key_once() -> None:
    assert map_([("a", 1), ("b", 2), (3, 3), (UInt(4), 4)]) == {"a": 1, "b": 2, 3: 3, 4: 4}
    for twice in ([("a", 1), ("a", 1)], [(True, 1), (1, 2)]):
        with pytest.raises(CelEvaluationError) as error:
            map_(twice)
        assert error.value.kind is ErrorKind.VALUE
    with pytest.raises(CelEvaluationError) as error:
        map_([(None, 1)])
    assert error.value.kind is ErrorKind.TYPE
