"""Two independent evaluators agree with ours: where both have a value, it is the same one.

An error on one side only is counted, not refused: the others lack mixed arithmetic, and cel-python many
comparisons; and an error that becomes a value cannot turn another value into a third. In the other
direction, an error of ours where Google's evaluator has a value, only its extension `int(true)` is allowed,
and types that never fit, which we refuse at save. With cel-python all numbers are doubles: it answers `17 /
2.0` with 8.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.cel.grammar import documents, expressions
from tests.cel.oracles import Answer, CelPython, google, google_python, ours

BATCH = 10
_MIXED = st.tuples(documents(), st.lists(expressions(), min_size=BATCH, max_size=BATCH))
_DOUBLES = st.tuples(
    documents(mixed=False), st.lists(expressions(mixed=False), min_size=BATCH, max_size=BATCH)
)
_QUIET = (HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example)
# The batch is small enough to read; shrinking it would take longer than finding it.
_SETTINGS = settings(
    deadline=None, suppress_health_check=_QUIET, database=None, phases=[Phase.explicit, Phase.generate]
)


@pytest.fixture(scope="module")
def cel_python() -> CelPython:
    return CelPython()


def assert_no_other_value(mine: Answer, theirs: Answer, expression: str, event: Any) -> str:
    assert mine[0] != "internal", (expression, event, mine)
    if mine[0] == theirs[0] == "value":
        assert mine == theirs, (expression, event)
        return "same value"
    return "both err" if mine[0] == theirs[0] else f"ours {mine[0]}, theirs {theirs[0]}"


def compare_with_cel_python(cel_python: CelPython, examples: int) -> Counter[str]:
    seen: Counter[str] = Counter()

    @settings(_SETTINGS, max_examples=examples)
    @given(_DOUBLES)
    def run(batch: tuple[Any, list[str]]) -> None:
        event, texts = batch
        for text in texts:
            seen[assert_no_other_value(ours(text, event), cel_python.ask(text, event), text, event)] += 1

    run()
    return seen


def test_cel_python_gives_no_other_value(cel_python: CelPython) -> None:
    seen = compare_with_cel_python(cel_python, 120)
    assert seen["same value"] > seen.total() / 4


@pytest.mark.nightly
def test_cel_python_gives_no_other_value_over_fifty_thousand_expressions(cel_python: CelPython) -> None:
    seen = compare_with_cel_python(cel_python, 5_000)
    print(dict(seen))
    assert seen.total() >= 50_000
    assert seen["same value"] > 10_000


def google_questions(examples: int) -> list[tuple[str, Any]]:
    """Questions drawn by Hypothesis, to be asked together: a process for each would take all the time."""
    questions: list[tuple[str, Any]] = []

    @settings(_SETTINGS, max_examples=examples)
    @given(_MIXED)
    def collect(batch: tuple[Any, list[str]]) -> None:
        questions.extend((text, batch[0]) for text in batch[1])

    collect()
    return questions


def compare_with_google(examples: int) -> Counter[str]:
    python = google_python()
    if python is None:
        pytest.skip("cel-expr-python is not installed (a development tool, see docs/reference/cel.md)")
    questions = google_questions(examples)
    seen: Counter[str] = Counter()
    for start in range(0, len(questions), 1_000):
        part = questions[start : start + 1_000]
        for (text, event), theirs in zip(part, google(python, part), strict=True):
            outcome = assert_no_other_value(ours(text, event), theirs, text, event)
            if outcome == "ours error, theirs value":
                assert "int(" in text, (text, event)
            seen[outcome] += 1
    return seen


def test_googles_evaluator_gives_no_other_value() -> None:
    seen = compare_with_google(60)
    assert seen["same value"] > seen.total() / 4


@pytest.mark.nightly
def test_googles_evaluator_gives_no_other_value_over_fifty_thousand_expressions() -> None:
    seen = compare_with_google(5_000)
    print(dict(seen))
    assert seen.total() >= 50_000
    assert seen["same value"] > 10_000
