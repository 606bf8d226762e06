"""What an expression reads is known before it runs; nothing else may change its result."""

from __future__ import annotations

import pytest

from app.engine.cel import (
    Kind,
    compile,
    compile_template,
)
from tests.cel.sample import activation
from tests.cel.test_dialect import TABLE

READS: list[tuple[str, set[str]]] = [
    ("event.amount > 1", {"event.amount"}),
    ("event.items.exists(i, i.price > event.limit)", {"event.items", "event.limit"}),
    ("event.items[0].sku", {"event.items"}),
    ("event['a']['b'].c", {"event.a.b.c"}),
    ("event[event.key]", {"event"}),
    (
        "participant.counters['x'] + participant.counters.y",
        {"participant.counters.x", "participant.counters.y"},
    ),
    ("get(participant.counters, 'x', event.d)", {"participant.counters.x", "event.d"}),
    ("get(participant.counters, event.k, 0)", {"participant.counters", "event.k"}),
    ("get(get(event, 'a', {}), 'b', 1)", {"event.a.b"}),
    ("has(event.a.b) && event.a.b == 1", {"event.a.b"}),
    ("'vip' in participant.tags", {"participant.tags"}),
    ("participant.balances.PTS.available + participant.balances.size()", {"participant.balances"}),
    ("now() > now", {"now"}),
    ("recipient == null", {"recipient"}),
    ("[event.a, {'k': event.b}]", {"event.a", "event.b"}),
    ("event.a.map(event, event.x)", {"event.a"}),
    ("(event.a ? event.b : event.c).d", {"event.a", "event.b", "event.c"}),
    ("1 + 2", set()),
    ("event", {"event"}),
]


@pytest.mark.parametrize(("text", "wanted"), READS, ids=[text for text, _ in READS])
def test_the_paths_of_an_expression(text: str, wanted: set[str]) -> None:
    reads = compile(text, Kind.VALUE).reads
    assert {".".join(path) for path in reads.paths} == wanted
    assert reads.variables == {path.split(".")[0] for path in wanted}


def test_functions_are_listed() -> None:
    assert compile("round(get(event, 'a', 1)) + sum(event.l)", Kind.VALUE).reads.functions == {
        "round",
        "get",
        "sum",
    }


def test_a_template_reads_what_its_parts_read() -> None:
    reads = compile_template("{{ event.a }} and {{ participant.tags.size() }}").reads
    assert reads.paths == {("event", "a"), ("participant", "tags")}


def _only(paths: frozenset[tuple[str, ...]]) -> dict[str, object]:
    """The sample, reduced to what `paths` name: what a snapshot loader would load."""
    full = activation()
    kept: dict[str, object] = {name: (None if value is None else {}) for name, value in full.items()}
    kept["now"] = None
    for path in paths:
        source: object = full
        target: object = kept
        for place, field in enumerate(path):
            if not isinstance(source, dict) or field not in source:
                break
            assert isinstance(target, dict)
            source = source[field]
            if place == len(path) - 1 or not isinstance(source, dict):
                target[field] = source
                break
            target = target.setdefault(field, {})
    return kept


@pytest.mark.parametrize(
    "text", [text for text, wanted in TABLE if wanted is not None and "tags_or" not in text]
)
def test_the_listed_paths_suffice_for_the_same_result(text: str) -> None:
    program = compile(text, Kind.VALUE)
    whole, reduced = program.explain(activation()), program.explain(_only(program.reads.paths))
    assert reduced.value == whole.value
    assert str(reduced.error) == str(whole.error)
