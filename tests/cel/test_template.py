"""Texts of actions: literal but for their `{{ expression }}` parts."""

from __future__ import annotations

import pytest

from app.engine.cel import (
    CelCompileError,
    CelEvaluationError,
    CelSourceError,
    CelSyntaxError,
    ErrorKind,
    compile_template,
)
from tests.cel.sample import activation

RENDERED = [
    ("", ""),
    ("plain text, even with } and { and }}", "plain text, even with } and { and }}"),
    ("Order {{ event.sku }}!", "Order C-3!"),
    ("{{event.quantity}}x{{ event.amount }}", "3x149.95"),
    ("{{ event.whole }} {{ event.amount * 0.10 }}", "150 14.995"),
    ("{{ event.vip }} {{ event.quantity > 5 }}", "true false"),
    ("at {{ now }}", "at 2026-07-10T17:45:12Z"),
    ("in {{ duration('90m') }}", "in 5400s"),
    ('{{ "}}" + {"a": {"b": "}"}}.a.b }}', "}}}"),
    ('a {{ "{{" }} b', "a {{ b"),
    ("{{ event.nested.a.b.c }}{{ event.sku }}", "deepC-3"),
    ("percent % and \\ and ' and \" stay", "percent % and \\ and ' and \" stay"),
]


@pytest.mark.parametrize(("text", "wanted"), RENDERED)
def test_a_template_renders(text: str, wanted: str) -> None:
    assert compile_template(text).render(activation()) == wanted


def test_a_text_without_parts_reads_nothing() -> None:
    template = compile_template("Welcome bonus")
    assert template.parts == ("Welcome bonus",)
    assert template.reads.paths == frozenset()
    assert compile_template("{{ event.a }}").reads.paths != frozenset()


@pytest.mark.parametrize(
    "text", ["{{ event.note }}", "{{ event.scores }}", "{{ event.nested }}", "{{ b'a' }}"]
)
def test_null_lists_and_maps_are_not_shown(text: str) -> None:
    with pytest.raises(CelEvaluationError) as caught:
        compile_template(text).render(activation())
    assert caught.value.kind is ErrorKind.TYPE


@pytest.mark.parametrize(
    ("text", "kind", "column"),
    [
        ("abc {{ event.sku", CelSyntaxError, 5),
        ("abc {{ event. }}", CelSyntaxError, 14),
        ("abc {{ }}", CelSyntaxError, 8),
        ("abc {{  evnt.sku }}", CelCompileError, 9),
        ("abc {{ event.a }} {{ event.b + }}", CelSyntaxError, 31),
        ("abc {{ event.a } }", CelSyntaxError, 5),
    ],
)
def test_a_wrong_part_is_refused_with_its_place_in_the_whole_text(
    text: str, kind: type[CelSourceError], column: int
) -> None:
    with pytest.raises(kind) as caught:
        compile_template(text)
    assert caught.value.column == column


def test_too_many_parts_are_refused() -> None:
    assert compile_template("{{ 1 }}" * 50).render({}) == "1" * 50
    with pytest.raises(CelSyntaxError):
        compile_template("{{ 1 }}" * 51)


def test_a_rendered_text_has_a_limit() -> None:
    data = {"event": {"s": "x" * 40_000}}
    with pytest.raises(CelEvaluationError) as caught:
        compile_template("{{ event.s }}{{ event.s }}").render(data)
    assert caught.value.kind is ErrorKind.LIMIT
