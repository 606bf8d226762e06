"""The page for rule writers is true: its examples run, and it names every function, error kind and limit."""

from __future__ import annotations

import datetime as dt
import json
import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from app.engine.cel import (
    CelEvaluationError,
    ErrorKind,
    Kind,
    check_portable,
    compile,
    limits,
)
from app.engine.cel.environment import RULE_VARIABLES
from app.engine.cel.functions import FUNCTIONS, MACROS

DOCUMENT = (Path(__file__).parents[2] / "docs" / "reference" / "cel.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"`([^`\n]+)` → `([^`\n]+)`", DOCUMENT)
EXAMPLES.remove(("expression", "result"))


def activation() -> dict[str, Any]:
    block = re.search(r"```json\n(.*?)```", DOCUMENT, re.DOTALL)
    assert block is not None
    data: dict[str, Any] = json.loads(block[1], parse_float=Decimal)
    data["now"] = dt.datetime.fromisoformat(data["now"])
    data["participant"]["created_at"] = dt.datetime.fromisoformat(data["participant"]["created_at"])
    return data


@pytest.mark.parametrize(("text", "result"), EXAMPLES, ids=[text for text, _ in EXAMPLES])
def test_an_example_gives_what_the_page_says(text: str, result: str) -> None:
    program = compile(text, Kind.VALUE)
    if result.startswith("error: "):
        with pytest.raises(CelEvaluationError) as caught:
            program.evaluate(activation())
        assert caught.value.kind.value == result.removeprefix("error: ")
        return
    assert compile(f"({text}) == ({result})", Kind.CONDITION).evaluate(activation()) is True
    assert check_portable(text) == []


def test_every_function_is_on_the_page_with_an_example() -> None:
    assert len(EXAMPLES) >= 100
    used = {name for text, _ in EXAMPLES for name in compile(text, Kind.VALUE).reads.functions}
    assert used >= FUNCTIONS.keys()
    for macro in MACROS:
        assert any(f"{macro}(" in text for text, _ in EXAMPLES)


def test_every_variable_and_error_kind_is_on_the_page() -> None:
    for name in (*RULE_VARIABLES, *(kind.value for kind in ErrorKind)):
        assert f"| `{name}` |" in DOCUMENT


def test_every_limit_is_on_the_page_with_its_value() -> None:
    quoted = re.search(r"## Limits\n(.*?)\n## ", DOCUMENT, re.DOTALL)
    assert quoted is not None
    shown = set(re.findall(r"\| ([\d,]+) \|", quoted[1]))
    own = {"REGEX_MEMORY_BYTES_MAX", "EXPONENT_MAX", "DURATION_CHARS_MAX", "MESSAGE_CHARS_MAX"}
    documented = {name for name in vars(limits) if name.isupper()} - own
    assert shown == {f"{getattr(limits, name):,}" for name in documented}
