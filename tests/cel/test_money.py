"""Percentages of money are exact, to the last tie, for every amount from 0.01 to 2,000.00."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest

from app.engine.cel import (
    Kind,
    compile,
)

CENTS = range(1, 200_001)


def half_up(value: Fraction) -> int:
    return (value * 2 + 1).numerator // (value * 2 + 1).denominator // 2


def half_even(value: Fraction) -> int:
    return round(value)


@pytest.mark.parametrize(("function", "rounded"), [("round", half_up), ("round_even", half_even)])
def test_three_percent_is_exact_for_every_amount(function: str, rounded: object) -> None:
    """The oracle is arithmetic with fractions of whole cents: no decimals, no floats."""
    assert callable(rounded)
    program = compile(f"{function}(event.amount * 0.03, 2)", Kind.AMOUNT)
    event = {"amount": Decimal(0)}
    activation = {"event": event}
    wrong = []
    for cents in CENTS:
        event["amount"] = Decimal(cents).scaleb(-2)
        if program.evaluate(activation) != Decimal(rounded(Fraction(cents * 3, 100))).scaleb(-2):
            wrong.append(cents)
    assert not wrong


@pytest.mark.parametrize("rate", ["0.05", "0.025", "0.1"])
def test_other_rates_are_exact_on_their_ties(rate: str) -> None:
    up = compile(f"round(event.amount * {rate}, 2)", Kind.AMOUNT)
    even = compile(f"round_even(event.amount * {rate}, 2)", Kind.AMOUNT)
    exact = Fraction(rate)
    for cents in range(1, 20_001, 2):
        activation = {"event": {"amount": Decimal(cents).scaleb(-2)}}
        assert up.evaluate(activation) == Decimal(half_up(cents * exact)).scaleb(-2)
        assert even.evaluate(activation) == Decimal(half_even(cents * exact)).scaleb(-2)


def test_an_amount_means_the_same_however_json_wrote_it() -> None:
    program = compile("round(event.amount * 0.03, 2)", Kind.AMOUNT)
    results = {
        program.evaluate({"event": {"amount": amount}}) for amount in (150, Decimal(150), Decimal("150.00"))
    }
    assert results == {Decimal("4.50")}
