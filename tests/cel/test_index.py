"""The index admits every event type for which a condition could be true, and skips exactly the others."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.engine.cel import (
    CelError,
    Kind,
    compile,
    event_types,
)

SETS: list[tuple[str, set[str] | None]] = [
    ('event.type == "a"', {"a"}),
    ('"a" == event.type', {"a"}),
    ('(event.type == "a")', {"a"}),
    ('event.type in ["a", "b"]', {"a", "b"}),
    ('event.type in ["a", 1]', {"a"}),
    ("event.type == 1", set()),
    ("event.type in []", set()),
    ('event.type == "a" && event.x > 1', {"a"}),
    ('event.x > 1 && event.type == "a"', {"a"}),
    ('event.type in ["a", "b"] && event.type != "b"', {"a", "b"}),
    ('event.type in ["a", "b"] && event.type == "b"', {"b"}),
    ('event.type == "a" && event.type == "b"', set()),
    ('event.type == "a" || event.type == "b"', {"a", "b"}),
    ('(event.type == "a" && event.x) || (event.type == "b" && event.y)', {"a", "b"}),
    ('event.type == "a" || event.x > 1', None),
    ('(event.type == "a" || event.x) && event.type == "c"', {"c"}),
    ('!(event.type == "a")', None),
    ('event.type != "a"', None),
    ("event.type == event.other", None),
    ("event.type in event.list", None),
    ('event.type in ["a", event.b]', None),
    ('event["type"] == "a"', None),
    ('participant.type == "a"', None),
    ('event.sub.type == "a"', None),
    ('event.items.exists(event, event.type == "a")', None),
    ("false", set()),
    ("true", None),
    ("event.x > 1", None),
]


@pytest.mark.parametrize(("text", "wanted"), SETS, ids=[text for text, _ in SETS])
def test_the_set_of_a_condition(text: str, wanted: set[str] | None) -> None:
    found = event_types(compile(text, Kind.CONDITION))
    assert found == wanted


_ATOMS = [
    'event.type == "a"', 'event.type == "b"', 'event.type in ["a", "c"]', "event.yes", "event.no",
    "event.nope",
    "event.number", 'event.type != "a"', "1 / event.zero == 1",
    "event.big.all(x, event.big.all(y, x == y))",
]  # fmt: skip


def _combined(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    several = st.lists(inner, min_size=2, max_size=3)
    return st.one_of(
        several.map(lambda parts: "(" + " && ".join(parts) + ")"),
        several.map(lambda parts: "(" + " || ".join(parts) + ")"),
        inner.map(lambda part: f"!({part})"),
    )


@given(st.recursive(st.sampled_from(_ATOMS), _combined, max_leaves=8))
def test_a_condition_is_never_true_for_a_type_outside_of_its_set(text: str) -> None:
    """Errors included: outside of the set it is false or errs, it never matches."""
    program = compile(text, Kind.CONDITION)
    admitted = event_types(program)
    for kind in ("a", "b", "c", "d", 7, None, True):
        data = {"event": {"type": kind, "yes": True, "no": False, "number": 1, "zero": 0, "big": [1, 1]}}
        try:
            value = program.evaluate(data)
        except CelError:
            value = None
        if admitted is not None and kind not in admitted:
            assert value is not True


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_a_test_of_the_type_decides_before_work_and_errors_do(order: tuple[int, ...]) -> None:
    """So that skipping a rule and evaluating it end alike, also where it would have used up its budget."""
    parts = ['event.type == "a"', "event.l.all(x, event.l.all(y, x != y || true))", "event.nope"]
    program = compile(" && ".join(parts[i] for i in order), Kind.CONDITION)
    assert program.evaluate({"event": {"type": "b", "l": list(range(3000))}}) is False
