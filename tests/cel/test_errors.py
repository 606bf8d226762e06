"""What an author is told about a wrong rule: where, what, and what was probably meant. And never any event
data.
"""

from __future__ import annotations

import pytest

from app.engine.cel import (
    CelCompileError,
    CelEvaluationError,
    CelSourceError,
    CelSyntaxError,
    Kind,
    compile,
)

WRONG: list[tuple[str, type[CelSourceError], str, int, int]] = [
    ("evnt.amount > 1", CelCompileError, "unknown variable `evnt`, did you mean `event`?", 1, 1),
    ("event.a > 1 && members.x", CelCompileError, "unknown variable `members`", 1, 16),
    ("participants.x", CelCompileError, "unknown variable `participants`, did you mean `participant`?", 1, 1),
    ("xyz", CelCompileError, "unknown variable `xyz`", 1, 1),
    ("event.items.exist(i, true)", CelCompileError, "unknown variable `i`", 1, 19),
    ("roundeven(event.a)", CelCompileError, "unknown function `roundeven`, did you mean `round_even`?", 1, 1),
    ('event.a.startswith("x")', CelCompileError, "unknown function `startswith`, did you mean", 1, 1),
    ("event.a = 1", CelSyntaxError, "a single `=` is not an operator; write `==` to compare", 1, 9),
    ("event.a & true", CelSyntaxError, "a single `&` is not an operator; write `&&`", 1, 9),
    ("event.a >", CelSyntaxError, "unexpected end of the expression", 1, 10),
    ("", CelSyntaxError, "unexpected end of the expression", 1, 1),
    ("(event.a", CelSyntaxError, "expected `)`, found the end of the expression", 1, 9),
    ("event.a\n  && event.b +* 2", CelSyntaxError, "unexpected `*`", 2, 15),
    ("event.a 'x'", CelSyntaxError, "unexpected `'x'`", 1, 9),
    ("event.a == “x”", CelSyntaxError, "typographic quotes do not delimit strings; write \" or '", 1, 12),
    ("'abc", CelSyntaxError, "this string is never closed", 1, 1),
    (r"'a\qb'", CelSyntaxError, "unknown escape", 1, 3),
    ("12abc", CelSyntaxError, "a number must not run into a name", 1, 1),
    ("9223372036854775808", CelSyntaxError, "integer literal out of range (64 bits)", 1, 1),
    ("has(event)", CelSyntaxError, "has() takes a field, as in has(event.coupon)", 1, 1),
    ("event.l.all(1, true)", CelSyntaxError, "the first argument of all() is a name for each element", 1, 13),
    ("while", CelSyntaxError, "`while` is a reserved word", 1, 1),
    ("event.Foo{a: 1}", CelSyntaxError, "messages cannot be constructed; write a map", 1, 1),
    ("'a' + 1", CelCompileError, "`+` is not defined for a text and an int", 1, 1),
    ("true < 1", CelCompileError, "`<` is not defined for true or false and an int", 1, 1),
    ("-'a'", CelCompileError, "`-` is not defined for a text", 1, 1),
    ("1 in 2", CelCompileError, "`in` needs a list or a map, not an int", 1, 6),
    ("'abc'.size", CelCompileError, "`.size`: a text has no fields", 1, 1),
    ("size(1, 2)", CelCompileError, "size() takes 1 arguments, found 2", 1, 1),
    ("startsWith('a', 'b')", CelCompileError, "write x.startsWith(…), not startsWith(x, …)", 1, 1),
    ("event.a.int()", CelCompileError, "write int(x, …), not x.int(…)", 1, 1),
    ("event.s.matches('(')", CelCompileError, "not a regular expression that RE2 knows", 1, 1),
    ("now > timestamp('2026-13-01T00:00:00Z')", CelCompileError, "not a timestamp: no such", 1, 7),
    ("now - duration('1 day') > now", CelCompileError, "not a duration", 1, 7),
    ("now.getHours('Europe/Berln')", CelCompileError, "unknown time zone", 1, 1),
]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "kind", "message", "line", "column"), WRONG, ids=[case[0] for case in WRONG]
)
def test_a_wrong_rule_is_refused_with_its_place(
    text: str, kind: type[CelSourceError], message: str, line: int, column: int
) -> None:
    with pytest.raises(kind) as caught:
        compile(text, Kind.VALUE)
    error = caught.value
    assert error.message.startswith(message)
    assert (error.line, error.column) == (line, column)
    shown, caret = error.excerpt.split("\n")
    assert caret.strip() == "^"
    assert shown == text.split("\n")[line - 1] or len(shown) == 80
    assert len(caret) == column or len(shown) == 80


def test_the_excerpt_of_a_long_line_is_cut_around_the_place() -> None:
    text = " || ".join(["event.amount > 1"] * 30) + " || evnt"
    with pytest.raises(CelCompileError) as caught:
        compile(text, Kind.CONDITION)
    shown, caret = caught.value.excerpt.split("\n")
    assert len(shown) <= 80
    assert shown[len(caret) - 1 :] == "evnt"


@pytest.mark.parametrize(
    ("text", "kind", "message"),
    [
        ("event.amount + 1", Kind.CONDITION, "a condition must be true or false; this is a number"),
        ("event.a == 1", Kind.AMOUNT, "an amount must be a number; this is true or false"),
        ("'abc'", Kind.AMOUNT, "an amount must be a number; this is a text"),
        ("1", Kind.STRING, "a text is expected here; this is an int"),
        ("participant.tags", Kind.FILTER, ""),
        ("'a'", Kind.FILTER, "a filter must be true or false; this is a text"),
        ("event.a == 1", Kind.FILTER, "unknown variable `event`"),
    ],
)
def test_an_expression_must_fit_what_it_is_for(text: str, kind: Kind, message: str) -> None:
    if not message:
        assert compile(text, kind).kind is kind
        return
    with pytest.raises(CelCompileError) as caught:
        compile(text, kind)
    assert caught.value.message.startswith(message)


SECRET = "s3cret-value-of-the-customer"


@pytest.mark.parametrize(
    "text",
    [
        "event.secret.field",
        "event.secret > 1",
        "event.secret + 1",
        "event.map[event.secret]",
        "event.list[event.secret]",
        "int(event.secret)",
        "double(event.secret)",
        "timestamp(event.secret)",
        "duration(event.secret)",
        "bool(event.secret)",
        "now.getHours(event.secret)",
        "'a'.matches('(' + event.secret)",
        "event.list.all(i, i.x)",
        "{event.secret: 1, event.secret: 2}",
        "event.secret in event.secret",
        "'%d'.format([event.secret])",
        "event.secret.substring(100)",
        "event.secret ? 1 : 2",
        "!event.secret",
        "round(event.secret)",
        "max(event.list)",
    ],
)
def test_messages_hold_no_event_data(text: str) -> None:
    data = {"event": {"secret": SECRET, "map": {"a": 1}, "list": [SECRET]}, "now": None}
    program = compile(text, Kind.VALUE)
    with pytest.raises(CelEvaluationError) as caught:
        program.evaluate(data)
    assert SECRET not in str(caught.value)
    assert caught.value.message
    explained = program.explain(data)
    assert SECRET not in str(explained.error)


def test_a_missing_field_is_named_as_the_rule_writes_it() -> None:
    with pytest.raises(CelEvaluationError) as caught:
        compile("event.cart.total > 5", Kind.CONDITION).evaluate({"event": {"cart": {}}})
    assert caught.value.message == "`event.cart.total` is missing"
    assert caught.value.kind.value == "missing_field"
