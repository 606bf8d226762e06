"""How fast the expression engine is, as ratios measured in one run: `python3 dev.py bench cel [--quick]`.

Three figures: our evaluations against cel-python's interpreter (conversion of the data included, because
ours needs none), one event against 100 rules with the index over `event.type`, and `explain` against
`evaluate`. Absolute times depend on the machine; each is CPU time of this thread, the smallest of several
slices, the engines interleaved.
"""

from __future__ import annotations

import json
import math
import random
import sys
import time
from collections.abc import Callable
from decimal import Decimal
from functools import partial
from typing import Any

from app.engine.cel import Kind, Program, compile, event_types

TARGET_RATIO, TARGET_RULES_US, TARGET_EXPLAIN = 400, 25, 30

EXPRESSIONS = {
    "condition": 'event.type == "purchase" && event.amount > 100.0 && !("vip" in participant.tags)',
    "counter": 'get(participant.counters, "purchase_count", 0.0) >= 10.0',
    "round": "round(event.amount * 0.03, 2)",
    "ternary": 'participant.tier == "gold" ? event.amount * 0.05 : event.amount * 0.02',
    "in_list": 'event.sku in ["A-1", "A-2", "A-3", "B-1", "B-2", "B-3", "C-1", "C-2", "C-3", "D-1"]',
    "has": 'has(participant.attributes.country) && participant.attributes.country in ["DE", "FR", "NL"]',
    "strings": 'event.coupon.startsWith("SUMMER") && event.email.contains("@example.")',
    "regex": r'event.email.matches("^[a-z0-9.]+@[a-z]+\\.com$")',
    "elapsed": 'timestamp(event.occurred_at) - timestamp(participant.joined_at) > duration("720h")',
    "hours": 'timestamp(event.occurred_at).getHours("Europe/Berlin") >= 17 && '
    "timestamp(event.occurred_at).getDayOfWeek() in [0, 5, 6]",
    "exists": 'event.items.exists(i, i.category == "books" && i.price > 20.0)',
    "all": "event.items.all(i, i.quantity > 0)",
    "filter": 'event.items.filter(i, i.category == "toys").size() >= 2',
    "arithmetic": '(event.amount - event.shipping) * 2.0 + get(participant.counters, "bonus", 0.0) / 4.0',
}

_CATEGORIES = ["toys", "food", "books", "toys", "garden"]
EVENT = {
    "id": "evt_0000123456", "type": "purchase", "amount": 149.95, "shipping": 4.95, "currency": "EUR",
    "sku": "C-3", "coupon": "SUMMER26", "email": "jane.doe@example.com", "channel": "web",
    "occurred_at": "2026-07-10T17:45:12Z",
    "items": [
        {"sku": f"A-{i}", "category": _CATEGORIES[i % 5], "price": 3.5 + 3 * i, "quantity": 1 + i % 3}
        for i in range(10)
    ],
}  # fmt: skip
PARTICIPANT = {
    "id": "p_998877", "tier": "gold", "joined_at": "2025-01-15T08:00:00Z",
    "tags": ["newsletter", "beta", "mobile"],
    "counters": {"purchase_count": 12.0, "refund_count": 1.0, "bonus": 40.0, "visits": 77.0},
    "attributes": {"country": "DE", "lang": "de", "age": 34, "newsletter": True, "segment": "b2c"},
}  # fmt: skip

CONDITIONS = (
    "event.amount > {a}.0",
    '!("vip" in participant.tags)',
    'get(participant.counters, "purchase_count", 0.0) >= {b}.0',
    'event.sku in ["A-1", "B-{b}", "C-3"]',
    'has(participant.attributes.country) && participant.attributes.country in ["DE", "FR"]',
    'event.coupon.startsWith("SUMMER")',
    'participant.tier == "gold"',
    'event.items.exists(i, i.category == "books" && i.price > {a}.0)',
    "event.items.all(i, i.quantity > 0)",
    'timestamp(event.occurred_at) - timestamp(participant.joined_at) > duration("720h")',
)


def activation(event: dict[str, Any]) -> dict[str, Any]:
    """The data as the engine gets it: parsed JSON with decimals, every variable named."""
    text = json.dumps({"event": event, "participant": PARTICIPANT})
    rest = {"recipient": None, "group": None, "program": {"id": "p", "tags": []}, "now": None}
    return {**json.loads(text, parse_float=Decimal), **rest}


def fastest(run: Callable[[], object], rounds: int, slices: int = 7) -> float:
    """Seconds of CPU that one call takes at best."""
    best = math.inf
    for _ in range(slices):
        begin = time.thread_time()
        for _ in range(rounds):
            run()
        best = min(best, (time.thread_time() - begin) / rounds)
    return best


def geometric_mean(values: list[float]) -> float:
    return math.exp(sum(map(math.log, values)) / len(values))


def cel_python(expression: str) -> Callable[[], object]:
    """One evaluation by cel-python's interpreter, data converted each time."""
    import celpy
    import celpy.adapter
    import celpy.celtypes

    def get(mapping: Any, key: Any, default: Any) -> Any:
        return mapping.get(key, default)

    def rounded(value: Any, digits: Any) -> Any:
        return celpy.celtypes.DoubleType(round(float(value), int(digits)))

    environment = celpy.Environment(runner_class=celpy.InterpretedRunner)
    program = environment.program(environment.compile(expression), functions={"get": get, "round": rounded})
    data: dict[str, Any] = {"event": EVENT, "participant": PARTICIPANT}
    return lambda: program.evaluate({name: celpy.adapter.json_to_cel(value) for name, value in data.items()})


def against_cel_python(quick: bool, say: Callable[[str], None]) -> tuple[float, float]:
    """cel-python's time over ours, geometric mean of the expressions; `explain` over `evaluate`, the worst of
    them."""
    data = activation(EVENT)
    ratios, explained = [], []
    for name, expression in EXPRESSIONS.items():
        program = compile(expression, Kind.VALUE)
        program.explain(data)
        ours = fastest(partial(program.evaluate, data), 2_000)
        explain = fastest(partial(program.explain, data), 200)
        theirs = fastest(cel_python(expression), 3 if quick else 10, 2 if quick else 4)
        ratios.append(theirs / ours)
        explained.append(explain / ours)
        say(
            f"{name:12} {ours * 1e6:7.2f} µs   cel-python {theirs * 1e6:8.0f} µs   ×{theirs / ours:6.0f}"
            f"   explain ×{explain / ours:5.1f}"
        )
    return geometric_mean(ratios), max(explained)


def hundred_rules(types: list[str]) -> list[str]:
    chance = random.Random(7)
    rules = []
    for i in range(100):
        picked = chance.sample(CONDITIONS, 3)
        body = " && ".join(c.format(a=chance.randint(1, 90), b=chance.randint(1, 9)) for c in picked)
        own, other = types[i % len(types)], types[(i + 1) % len(types)]
        if i % 20 == 19:
            rules.append(body)
        elif i % 10 == 3:
            rules.append(f'event.type in ["{own}", "{other}"] && {body}')
        else:
            rules.append(f'event.type == "{own}" && {body}')
    return rules


def matching(programs: list[Program], data: dict[str, Any]) -> list[int]:
    return [i for i, program in enumerate(programs) if program.evaluate(data)]


def one_event_against_rules(number_of_types: int = 20) -> tuple[float, float]:
    """Microseconds per event: all rules evaluated, and only those that the index admits."""
    types = ["purchase", *(f"type_{i}" for i in range(1, number_of_types))]
    programs = [compile(rule, Kind.CONDITION) for rule in hundred_rules(types)]
    index: dict[str, list[int]] = {name: [] for name in types}
    for i, program in enumerate(programs):
        admitted = event_types(program)
        for name in types if admitted is None else admitted:
            index[name].append(i)
    events = [activation({**EVENT, "type": name}) for name in types]

    def indexed(data: dict[str, Any]) -> list[int]:
        return [i for i in index[data["event"]["type"]] if programs[i].evaluate(data)]

    for data in events:
        assert indexed(data) == matching(programs, data), "the index must not change what matches"
    full = fastest(lambda: [matching(programs, data) for data in events], 5) / len(events)
    fast = fastest(lambda: [indexed(data) for data in events], 10, 40) / len(events)
    return full * 1e6, fast * 1e6


def main(argv: list[str]) -> int:
    """Print the ratios; 1 where a target is missed. `--quick` gives cel-python fewer rounds; `--json`."""
    quiet = "--json" in argv
    ratio, explained = against_cel_python("--quick" in argv, (lambda text: None) if quiet else print)
    full, fast = one_event_against_rules()
    compiling = geometric_mean(
        [fastest(partial(compile, text, Kind.VALUE), 20, 3) for text in EXPRESSIONS.values()]
    )
    results = [
        (f"geometric mean over {len(EXPRESSIONS)} expressions: × cel-python", ratio, ratio >= TARGET_RATIO),
        ("explain: × evaluate, for the expression where it is most", explained, explained <= TARGET_EXPLAIN),
        (
            f"100 rules, 20 types, indexed: µs an event ({full:.0f} without index)",
            fast,
            fast <= TARGET_RULES_US,
        ),
        ("compile: µs an expression", compiling * 1e6, True),
    ]
    if "--json" in argv:
        print(json.dumps({
            "cel_python_ratio": round(ratio), "explain_ratio": round(explained, 1),
            "hundred_rules_us": round(fast, 1), "hundred_rules_without_index_us": round(full, 1),
            "compile_us": round(compiling * 1e6),
        }))
    else:
        print()
        for what, value, reached in results:
            print(f"{'ok  ' if reached else 'MISS'} {what}: {value:.1f}")
    return 0 if all(reached for _, _, reached in results) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
