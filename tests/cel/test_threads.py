"""One program may run in many threads, many programs beside each other: nobody sees another's values."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from decimal import Decimal

import pytest

from app.engine.cel import (
    Kind,
    Program,
    compile,
)

THREADS = 8


@pytest.fixture
def eager_switching() -> Iterator[None]:
    """Threads change every 50 µs, so that anything shared shows."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(0.00005)
    yield
    sys.setswitchinterval(before)


def wrong_answers(rounds: int) -> list[str]:
    """Each thread runs a program of its own and one that all share; both touch loops, errors, budget,
    decimals."""
    shared = compile(
        "event.nope == 1 || event.items.filter(i, i > event.x).map(i, i * event.x).exists(i, i == event.y)",
        Kind.CONDITION,
    )
    wrong: list[str] = []

    def work(number: int) -> None:
        own = compile(
            f"event.x > 0 && event.name == 'k{number}' ? {number}000 + event.x / 3 : event.nope", Kind.AMOUNT
        )
        x = number + 1
        data = {"event": {"x": x, "name": f"k{number}", "items": list(range(20)), "y": (x + 3) * x}}
        wanted = Decimal(number * 1000) + (Decimal(x) / 3).quantize(Decimal("1e-10"))
        for _ in range(rounds):
            if not _agrees(own, data, wanted) or shared.evaluate(data) is not True:
                wrong.append(f"thread {number}")

    threads = [threading.Thread(target=work, args=(number,)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return wrong


def _agrees(program: Program, data: dict[str, object], wanted: Decimal) -> bool:
    return abs(program.evaluate(data) - wanted) < Decimal("1e-9")


@pytest.mark.usefixtures("eager_switching")
def test_eight_threads_get_their_own_answers() -> None:
    assert wrong_answers(2_000) == []


@pytest.mark.nightly
@pytest.mark.usefixtures("eager_switching")
def test_eight_threads_with_a_hundred_thousand_evaluations_each_get_their_own_answers() -> None:
    assert wrong_answers(50_000) == []


def test_the_decimal_context_of_the_thread_does_not_matter() -> None:
    """Worker threads run other people's code, which may have set any precision."""
    import decimal

    program = compile("round(event.a / 3 * 1.000000000000000000001 - 0.5 + abs(-event.a), 20)", Kind.AMOUNT)
    data = {"event": {"a": Decimal("12345678901.23")}}
    wanted = program.evaluate(data)
    with decimal.localcontext(decimal.Context(prec=3, rounding=decimal.ROUND_UP, traps=[])):
        assert program.evaluate(data) == wanted
        assert str(compile("string(event.a)", Kind.STRING).evaluate(data)) == "12345678901.23"
        assert compile("'%.1f'.format([event.a])", Kind.STRING).evaluate(data) == "12345678901.2"
