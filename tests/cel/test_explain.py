"""An explanation gives what the evaluation gives, and shows how it came about."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from app.engine.cel import (
    CelBudgetError,
    Kind,
    State,
    Step,
    compile,
    lines,
)
from tests.cel.sample import activation


def steps(text: str, data: dict[str, Any] | None = None) -> dict[str, Step]:
    """The steps of an explanation by their text (the first of equal ones)."""
    explained = compile(text, Kind.VALUE).explain(data or activation())
    found: dict[str, Step] = {}
    for step in explained.root.walk():
        found.setdefault(step.text, step)
    return found


def test_every_evaluated_part_shows_its_text_and_value() -> None:
    found = steps("event.amount > 50.0 && event.quantity == 3")
    assert found["event.amount"].value == Decimal("149.95")
    assert found["50.0"].value == Decimal("50.0")
    assert found["event.amount > 50.0"].value is True
    assert found["event.quantity == 3"].value is True
    assert {step.state for step in found.values()} == {State.VALUE}


def test_what_was_not_evaluated_is_marked_so() -> None:
    found = steps('event.type == "refund" && event.amount > 50.0')
    assert found['event.type == "refund"'].value is False
    for text in ("event.amount > 50.0", "event.amount", "50.0"):
        assert found[text].state is State.NOT_EVALUATED
        assert found[text].times == 0


def test_the_branch_that_a_conditional_did_not_take_is_marked_so() -> None:
    found = steps("event.vip ? event.amount * 2 : event.nope * 3")
    assert found["event.amount * 2"].value == Decimal("299.90")
    assert found["event.nope * 3"].state is State.NOT_EVALUATED
    assert found["3"].state is State.NOT_EVALUATED


def test_spans_point_at_the_text_that_the_author_wrote() -> None:
    text = " (event.amount + 1)*2 > 3 ||event.vip"
    root = compile(text, Kind.CONDITION).explain(activation()).root
    assert root.text == "(event.amount + 1)*2 > 3 ||event.vip"
    for step in root.walk():
        assert text[step.start : step.end] == step.text
        for child in step.children:
            assert step.start <= child.start <= child.end <= step.end


def test_a_loop_shows_its_last_round_and_how_many_there_were() -> None:
    found = steps("event.items.exists(i, i.quantity == 1)")
    assert found["i.quantity == 1"].times == 2
    assert found["i.quantity == 1"].value is True
    assert found["i"].value["sku"] == "B-1"


def test_an_error_is_shown_where_it_arose() -> None:
    explained = compile("event.quantity + event.nope.x * 2 > 5 && event.vip", Kind.CONDITION).explain(
        activation()
    )
    assert explained.error is not None
    failed = explained.root.failed_at
    assert failed is not None
    assert failed.text == "event.nope"
    assert failed.error == "`event.nope` is missing"


def test_an_error_passes_through_the_links_of_a_long_chain() -> None:
    explained = compile("event.nope + 1 + 2 + 3 + 4 + 5 + 6", Kind.AMOUNT).explain(activation())
    failed = explained.root.failed_at
    assert failed is not None
    assert failed.text == "event.nope"
    assert explained.root.state is State.ERROR


def test_an_absorbed_error_is_shown_though_the_whole_has_a_value() -> None:
    explained = compile("event.nope == 1 || event.vip", Kind.CONDITION).explain(activation())
    assert explained.value is True
    assert explained.error is None
    assert [step.text for step in explained.root.walk() if step.state is State.ERROR] == [
        "event.nope == 1",
        "event.nope",
    ]


def test_a_used_up_budget_is_explained_too() -> None:
    data = {"event": {"l": list(range(2000))}}
    explained = compile("event.l.all(a, event.l.all(b, a + b >= 0))", Kind.CONDITION).explain(data)
    assert isinstance(explained.error, CelBudgetError)


def test_the_kind_of_the_program_is_checked_in_the_explanation_too() -> None:
    explained = compile("event.type", Kind.AMOUNT).explain(activation())
    assert explained.error is not None
    assert explained.root.value == "purchase"
    assert compile("event.quantity", Kind.AMOUNT).explain(activation()).value == Decimal(3)


def test_lines_show_the_text_the_values_put_in_and_the_result() -> None:
    data = {"event": {"amount": Decimal("49.99"), "kind": "y", "items": [{"n": 1}, {"n": 2}]}}
    shown = lines(compile('event.amount > 50.0 && event.kind == "x"', Kind.CONDITION).explain(data))
    assert shown[0] == 'event.amount > 50.0 && event.kind == "x" → false && event.kind == "x" → false'
    assert shown[1] == "  event.amount > 50.0 → 49.99 > 50.0 → false"
    assert '  event.kind == "x" → not evaluated' in shown
    shown = lines(compile("event.items.exists(i, i.n == 2)", Kind.CONDITION).explain(data))
    assert "  i.n == 2 → true (last of 2 rounds)" in shown
    shown = lines(compile("event.nope + 1", Kind.AMOUNT).explain(data))
    assert shown[0] == "event.nope + 1 → error: `event.nope` is missing"


def test_lines_cut_long_values() -> None:
    data = {"event": {"s": "x" * 5_000, "l": [list(range(500))] * 50, "m": {f"k{i}": i for i in range(500)}}}
    for text in ("event.s + 'y'", "[event.l, event.l]", "{'a': event.m}", "event.s == ''"):
        shown = lines(compile(text, Kind.VALUE).explain(data))
        assert max(map(len, shown)) < 300
