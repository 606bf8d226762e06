"""The four forms of a program agree on random expressions: what the fast form gives, the exact, the kept
and the traced give too, and an explanation never disagrees with the evaluation.
"""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.engine.cel import CelBudgetError, CelError, CelEvaluationError, ErrorKind, Kind, Program, compile_in
from app.engine.cel.checker import check
from app.engine.cel.environment import RULE
from app.engine.cel.errors import CelSourceError
from app.engine.cel.generate import Form, generate
from app.engine.cel.parser import parse
from tests.cel.grammar import documents, expressions

_WILD = st.sampled_from(
    [
        None,
        True,
        0,
        1,
        10**40,
        Decimal("1E+90"),
        "",
        "a" * 70,
        [1] * 20,
        [[]],
        {},
        {"a": None},
        ["x", 1, None],
    ]
)


@st.composite
def wild_documents(draw: st.DrawFn) -> dict[str, Any]:
    """Documents in which some fields hold what no one expects."""
    event = json.loads(json.dumps(draw(documents())), parse_float=Decimal)
    for field in draw(st.lists(st.sampled_from(sorted(event)), max_size=3)):
        event[field] = draw(_WILD)
    return {"event": event}


def outcome(run: Any) -> tuple[Any, ...]:
    try:
        return ("value", run())
    except CelEvaluationError as error:
        return ("error", error.kind, error.message)
    except CelBudgetError:
        return ("budget",)


@settings(
    max_examples=250, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
@given(wild_documents(), st.lists(expressions(), min_size=5, max_size=5))
def test_all_forms_agree(data: dict[str, Any], texts: list[str]) -> None:
    for text in texts:
        try:
            program: Program = compile_in(text, Kind.VALUE, RULE)
        except CelSourceError:
            continue
        evaluated = outcome(lambda program=program: program.evaluate(data))
        assert evaluated[:2] != ("error", ErrorKind.INTERNAL), text
        exact = generate(check(parse(text), RULE), Form.EXACT, "{}")[1]
        assert outcome(lambda exact=exact: exact(data)) == evaluated, text
        explained = program.explain(data)
        shown = outcome(lambda explained=explained: _value(explained))
        assert shown == evaluated, text
        if explained.error is None:
            assert explained.root.value == explained.value


def _value(explained: Any) -> Any:
    if explained.error is not None:
        raise explained.error
    return explained.value


@settings(max_examples=60, deadline=None)
@given(wild_documents(), expressions())
def test_an_evaluation_is_deterministic_and_changes_nothing(data: dict[str, Any], text: str) -> None:
    try:
        program = compile_in(text, Kind.VALUE, RULE)
    except CelError:
        return
    before = repr(data)
    first, second = outcome(lambda: program.evaluate(data)), outcome(lambda: program.evaluate(data))
    assert first == second
    assert repr(data) == before
