"""The official conformance cases of CEL. They are read from the file that `CEL_CONFORMANCE` names, else
from `../shared/conformance/cel.jsonl` beside the project, else from the sample that is committed here; the
sample always runs. Cases that the dialect decides differently are listed, each with its reason, in
`data/exceptions.json`. The cases are those of the CEL specification project (Apache License 2.0).
"""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from app.engine.cel import CelError, CelEvaluationError, Environment, ErrorKind, Kind, Program, compile_in
from tests.cel.neutral import same, to_python

HERE = Path(__file__).parent / "data"
SAMPLE = HERE / "conformance-sample.jsonl"
CORE_SHARE_MIN, STRINGS_SHARE_MIN = 0.95, 0.90
EXCEPTIONS: dict[str, str] = {
    key: group["reason"]
    for group in json.loads((HERE / "exceptions.json").read_text())
    for key in group["cases"]
}


def _file() -> Path:
    named = os.environ.get("CEL_CONFORMANCE")
    beside = Path(__file__).parents[3] / "shared" / "conformance" / "cel.jsonl"
    return Path(named) if named else beside if beside.exists() else SAMPLE


def _cases(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def _key(case: dict[str, Any]) -> str:
    return f"{case['file']}/{case['section']}/{case['name']}"


def _program(case: dict[str, Any]) -> Program:
    names = Environment(frozenset(case["binds"]), case["container"], late_names=True)
    return compile_in(case["expr"], Kind.VALUE, names)


def passes(case: dict[str, Any]) -> bool:
    """Whether the case ends as it expects. Evaluation and explanation must agree; an internal error never
    passes."""
    activation = {name: to_python(value) for name, value in case["binds"].items()}
    try:
        program = _program(case)
    except CelError:
        return bool(case["expect"][0] == "error")
    explained = program.explain(activation)
    value, failure = None, None
    try:
        value = program.evaluate(activation)
    except CelEvaluationError as error:
        failure = error
    assert str(explained.error) == str(failure), case
    if failure is not None:
        return failure.kind is not ErrorKind.INTERNAL and case["expect"][0] == "error"
    assert explained.value == value
    return case["expect"][0] == "value" and same(value, case["expect"][1])


@pytest.fixture(scope="module")
def outcomes() -> dict[str, bool]:
    cases = {_key(case): case for path in (SAMPLE, _file()) for case in _cases(path)}
    return {key: passes(case) for key, case in cases.items()}


def test_every_case_passes_or_is_a_listed_exception(outcomes: dict[str, bool]) -> None:
    unexplained = [key for key, passed in outcomes.items() if not passed and key not in EXCEPTIONS]
    assert not unexplained


def test_no_listed_exception_passes_by_now(outcomes: dict[str, bool]) -> None:
    """So that the list cannot rot: a case that passes must leave it."""
    assert not [key for key in EXCEPTIONS if outcomes.get(key)]


def test_the_share_of_passing_cases_is_as_promised(outcomes: dict[str, bool]) -> None:
    passed, run = Counter[str](), Counter[str]()
    for key, passes_it in outcomes.items():
        part = "strings" if key.startswith("string_ext/") else "core"
        run[part] += 1
        passed[part] += passes_it
    assert run["core"] >= 200
    assert passed["core"] / run["core"] >= CORE_SHARE_MIN
    assert passed["strings"] / run["strings"] >= STRINGS_SHARE_MIN
