"""A stored rule is valid for cel-python too; where it is not, the author is told what to change."""

from __future__ import annotations

import sys
import time

import pytest

from app.engine.cel import CelSyntaxError, check_portable
from tests.cel.test_dialect import TABLE

DIFFERENT = [
    ("event.`a b` == 1", 'line 1, column 7: cel-python has no `.`…` fields; write ["a b"]'),
    ('"a" == "\\?"', "line 1, column 8: cel-python has no escape `\\?`"),
    ('"\\X41"', "line 1, column 1: cel-python has no escape `\\X`"),
    ("[1,\n2,]", "line 2, column 2: cel-python refuses a comma before `]`"),
    ("rb'a' == b'a'", 'line 1, column 1: cel-python writes raw bytes as br"…", not rb"…"'),
]


@pytest.mark.parametrize(("text", "message"), DIFFERENT)
def test_a_known_difference_is_reported_kindly(text: str, message: str) -> None:
    found = check_portable(text)
    assert found
    assert found[0].startswith(message)


@pytest.mark.parametrize("text", [text for text, _ in TABLE])
def test_every_expression_of_the_dialect_table_is_portable(text: str) -> None:
    assert check_portable(text) == []


def test_an_escaped_backslash_before_a_question_mark_is_portable() -> None:
    assert check_portable(r'"\\?"') == []
    assert check_portable(r"r'\?'") == []


@pytest.mark.parametrize(
    "text",
    [
        "r'\\' == \"" + "\\\\" * 60 + '"',
        '"' + "\\\\" * 3000 + '"',
        '// "' + "\\\\" * 60 + "\n1",
        '\'"""' + "\\\\" * 60 + "'",
        " && ".join(['event.aaa == "x"'] * 400),
    ],
    ids=["raw", "long", "comment", "quotes", "chain"],
)
def test_texts_that_hang_the_other_lexer_are_parsed_quickly(text: str) -> None:
    begin = time.thread_time()
    assert check_portable(text) == []
    assert time.thread_time() - begin < 1


def test_what_is_not_valid_for_us_never_reaches_it() -> None:
    with pytest.raises(CelSyntaxError):
        check_portable('"' + "\\\\" * 40)


def test_the_recursion_limit_of_the_process_is_left_alone() -> None:
    before = sys.getrecursionlimit()
    check_portable("event.a == 1")
    assert sys.getrecursionlimit() == before
