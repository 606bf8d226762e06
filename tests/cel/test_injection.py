"""The code generator lets no text of a rule into the code it generates, except as the `repr` of a literal."""

from __future__ import annotations

import ast
import io
import keyword
import tokenize
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.engine.cel import (
    RULE,
    CelError,
    CelSourceError,
    Kind,
    compile,
)
from app.engine.cel.checker import check
from app.engine.cel.generate import NAMESPACE, Form, generate
from app.engine.cel.parser import parse
from tests.cel.sample import activation

NASTY = [
    "'", '"', "\\", "\\'", "'''", '"""', "\n", "\r\n", "\x00", "\u2028",
    "{}", "{0}", "{__class__}", "%s", "%(a)s",
    "#", ";", "__import__('os')",
    "'+__import__('os').system('x')+'", "\\N{BULLET}", "\\x27", "é", "𝔘", "\ud800",
    "f'{1}'", "eval", "lambda: 0", "V", "B", "K0", "t1", "v0", "m1", "program", "return", "None", "]",
    ")", "'] #",
]  # fmt: skip
PYTHON_NAMES = [
    *keyword.kwlist,
    *keyword.softkwlist,
    "__class__",
    "__dict__",
    "__builtins__",
    "exec",
    "K0",
    "V",
    "B",
]

_ALLOWED_WORDS = {
    "def", "program", "value", "V", "B", "T", "return", "if", "else", "for", "in", "is", "not", "and", "or",
    "lambda", "None",
    "True", "False", "__class__", "startswith", "endswith", *NAMESPACE,
} - {"__builtins__"}  # fmt: skip


def quoted(text: str) -> str:
    """A CEL string literal with exactly this content, whatever it is."""
    return '"' + "".join(f"\\U{ord(c):08x}" if c not in "\ud800" else c for c in text) + '"'


def assert_contained(text: str) -> None:
    """Every name in the generated code is one of the generator's own, every literal a plain constant."""
    checked = check(parse(text), RULE)
    for form in Form:
        source, _ = generate(checked, form, "{}")
        names = [
            token.string
            for token in tokenize.generate_tokens(io.StringIO(source).readline)
            if token.type == tokenize.NAME
        ]
        foreign = [n for n in names if n not in _ALLOWED_WORDS and not _is_numbered(n)]
        assert not foreign
        assert source.isascii()
        tree = ast.parse(source)
        attributes = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
        assert attributes <= {"__class__", "startswith", "endswith"}
        assert len(tree.body) == 1
        assert not [
            node for node in ast.walk(tree) if isinstance(node, ast.JoinedStr | ast.Import | ast.Await)
        ]


def _is_numbered(name: str) -> bool:
    return name[0] in "tvmrKens" and name[1:].isdigit()


@pytest.mark.parametrize("text", NASTY, ids=ascii)
def test_a_nasty_text_stays_a_literal_wherever_it_stands(text: str) -> None:
    literal = quoted(text)
    data = {"event": {"a": text, text: 1, "l": [text]}}
    for expression, wanted in [
        (literal, text),
        (f"event.a == {literal}", True),
        (f"event[{literal}]", 1),
        (f"{literal} in event", True),
        (f"event.a in [{literal}, 'x']", True),
        (f"event.a.startsWith({literal})", True),
        (f"event.a.contains({literal}) && event.a.endsWith({literal})", True),
        (f"get(event, {literal}, 0)", 1),
        (f"event.l.exists(i, i == {literal})", True),
        (f"{{{literal}: {literal}}}[{literal}]", text),
    ]:
        assert compile(expression, Kind.VALUE).evaluate(data) == wanted
        assert_contained(expression)


@pytest.mark.parametrize("name", PYTHON_NAMES)
def test_names_of_python_are_ordinary_names_or_refused(name: str) -> None:
    for expression in (f"event.{name}", f"event.items.exists({name}, {name} == 1)", f"has(event.{name})"):
        try:
            compile(expression, Kind.VALUE)
        except CelSourceError:
            continue
        assert_contained(expression)
    with pytest.raises(CelSourceError):
        compile(f"{name} == 1 || {name}(2)", Kind.VALUE)


@pytest.mark.parametrize(
    "field", ["a b", "a.b", "a/b", "a-b", "__class__", "for", "1"], ids=lambda field: field.replace(" ", "_")
)
def test_quoted_fields_are_keys_and_nothing_else(field: str) -> None:
    assert compile(f"event.`{field}`", Kind.VALUE).evaluate({"event": {field: 7}}) == 7
    assert_contained(f"event.`{field}` && has(event.`{field}`)")


def test_attributes_of_python_objects_are_out_of_reach() -> None:
    for expression in ("event.__class__", "event.type.__class__", "now.__dict__", "event.keys", "now.year"):
        program = compile(expression, Kind.VALUE)
        with pytest.raises(CelError):
            program.evaluate(activation())


@settings(max_examples=300)
@given(st.text(max_size=30))
def test_any_text_as_a_rule_is_refused_cleanly_or_contained(text: str) -> None:
    try:
        program = compile(text, Kind.VALUE)
    except CelSourceError:
        return
    assert_contained(text)
    _run(program.evaluate)


_PIECES = st.sampled_from(
    ["event", ".a", ".__class__", "[0]", "['x']", "(", ")", "+", "-", "*", "/", "%", "==", "in", "&&",
    "||", "!", "?",
     ":", ",", "1", "2.5", "1u", "'s'", '"\\""', "r'\\'", "b'b'", "[", "]", "{", "}", ".map(", ".all(",
    "i,", "i",
     ".size()", "has(", "get(", "now", "null", "true", "`x y`", "//", "\n", "."]
)  # fmt: skip


@settings(max_examples=600)
@given(st.lists(_PIECES, max_size=14).map(" ".join))
def test_any_row_of_tokens_is_refused_cleanly_or_contained(text: str) -> None:
    try:
        program = compile(text, Kind.VALUE)
    except CelSourceError:
        return
    assert_contained(text)
    _run(program.evaluate)


def _run(evaluate: Any) -> None:
    message = ""
    try:
        evaluate(activation())
    except CelError as error:
        message = error.message
    assert "internal" not in message
