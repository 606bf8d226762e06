"""Random expressions and documents, for tests that compare two evaluators. Typed most of the time, so that
most expressions have a value; wrong types and missing fields are mixed in.

Numbers are multiples of 1/4 and divisors powers of two, so that binary floating point, which the other
evaluators use, is exact too. What the dialect decides differently on purpose (division and `type()` of
whole numbers in data, NaN, infinity) is left out; the tests of the dialect cover it.
"""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

_WORDS = ["purchase", "refund", "SUMMER26", "SUMMER", "x", "", "a-b", "ünï", "2026-07-10T17:45:12Z", "42"]
_DOUBLES = ["0.0", "1.0", "150.0", "149.5", "0.25", "2.5", "-0.5", "-3.0"]
_INTS = ["0", "1", "2", "3", "-3", "150"]
_NUMBER_FIELDS = [
    "event.i",
    "event.d",
    "event.zero",
    "event.m.a",
    "event.l[0]",
    "event.items[0].q",
    "event.l[2]",
]
_TEXT_FIELDS = ["event.type", "event.s", "event.m.b", 'event["s"]', "event.items[1].c", "event.tags[0]"]
_ODD = [
    "event.nope",
    "event.nope.x",
    "event.l[9]",
    "event.items[2].p",
    "event.b",
    "event.m",
    "event.tags",
    '"z"',
]
_TRUTHS = [
    "and",
    "and",
    "or",
    "or",
    "not",
    "compare",
    "compare",
    "equal",
    "equal",
    "in",
    "string",
    "loop",
    "loop",
    "has",
]


def documents(mixed: bool = True) -> st.SearchStrategy[dict[str, Any]]:
    """Values of `event`: these fields, of these types. Without `mixed` all numbers are doubles."""
    plain = [0.0, 1.0, 0.25, 2.5, 149.5, 150.0, -3.0]
    number = st.sampled_from([*plain, 0, 1, 2, 3, 150, -3] if mixed else plain)
    word = st.sampled_from(_WORDS)
    item = st.fixed_dictionaries({"c": word, "q": number}, optional={"p": number})
    return st.fixed_dictionaries(
        {
            "type": word, "i": number, "d": number, "zero": st.just(0.0), "s": word, "b": st.booleans(),
            "l": st.lists(number, min_size=3, max_size=6), "tags": st.lists(word, min_size=1, max_size=4),
            "m": st.fixed_dictionaries({"a": number, "b": word}),
            "items": st.lists(item, min_size=2, max_size=4),
            "ts": st.just("2026-07-10T17:45:12Z"),
        }
    )  # fmt: skip


@st.composite
def expressions(draw: st.DrawFn, mixed: bool = True, depth: int = 3) -> str:
    """One expression. Without `mixed` it never brings ints and doubles together."""
    grammar = _Grammar(draw, mixed)
    makers = [grammar.truth, grammar.truth, grammar.truth, grammar.number, grammar.text, grammar.row]
    return draw(st.sampled_from(makers))(depth, ())


Names = tuple[str, ...]


class _Grammar:
    def __init__(self, draw: st.DrawFn, mixed: bool) -> None:
        self.draw, self.mixed = draw, mixed
        self.numbers = _DOUBLES + _INTS if mixed else _DOUBLES

    def pick(self, options: list[str]) -> str:
        return self.draw(st.sampled_from(options))

    def chance(self, one_in: int) -> bool:
        return self.draw(st.integers(1, one_in)) == 1

    def counted(self, code: str) -> str:
        """An int, where ints are allowed."""
        return code if self.mixed else f"double({code})"

    def number(self, depth: int, names: Names) -> str:
        if self.chance(25):
            return self.pick(_ODD)
        leaves = self.numbers + _NUMBER_FIELDS + [f"{name}.q" for name in names]
        below = depth - 1
        kinds = ["leaf", "leaf", "sum", "sum", "product", "half", "neg", "size", "cond", "cast", "time"]
        match "leaf" if depth <= 0 else self.pick(kinds):
            case "sum":
                return f"({self.number(below, names)} {self.pick(['+', '-'])} {self.number(below, names)})"
            case "product":
                factors = ["0.5", "3.0", "event.d"] + (["2"] if self.mixed else [])
                return f"({self.number(below, names)} * {self.pick(factors)})"
            case "half":
                return f"({self.number(below, names)} / {self.pick(['2.0', '0.5', '4.0'])})"
            case "neg":
                return f"-({self.number(below, names)})"
            case "size":
                operand = self.row(below, names) if self.chance(2) else self.text(below, names)
                return self.counted(f"size({operand})")
            case "cond":
                branches = f"{self.number(below, names)} : {self.number(below, names)}"
                return f"({self.truth(below, names)} ? {branches})"
            case "cast":
                name = self.pick(["double", "int"] if self.mixed else ["double"])
                return f"{name}({self.number(below, names)})"
            case "time":
                getter = self.pick(["getHours", "getMonth", "getDayOfWeek", "getDate", "getDayOfYear"])
                zone = self.pick(["", '"Europe/Berlin"', '"-09:30"'])
                return self.counted(f"timestamp(event.ts).{getter}({zone})")
            case _:
                return self.pick(leaves)

    def text(self, depth: int, names: Names) -> str:
        if self.chance(25):
            return self.pick([*_ODD, "7"])
        leaves = [f'"{word}"' for word in _WORDS] + _TEXT_FIELDS + [f"{name}.c" for name in names]
        below = depth - 1
        match "leaf" if depth <= 0 else self.pick(["leaf", "leaf", "plus", "cond", "string"]):
            case "plus":
                return f"({self.text(below, names)} + {self.text(below, names)})"
            case "cond":
                branches = f"{self.text(below, names)} : {self.text(below, names)}"
                return f"({self.truth(below, names)} ? {branches})"
            case "string":
                return f"string({self.pick(_TEXT_FIELDS)})"
            case _:
                return self.pick(leaves)

    def truth(self, depth: int, names: Names) -> str:
        if self.chance(25):
            return self.pick([*_ODD, "7"])
        if depth <= 0:
            return self.pick(
                ["event.b", "true", "false", "has(event.s)", "has(event.nope)", "has(event.m.a)"]
            )
        below = depth - 1
        match self.pick(_TRUTHS):
            case "and" | "or" as word:
                op = " && " if word == "and" else " || "
                count = self.draw(st.integers(2, 3))
                return "(" + op.join(self.truth(below, names) for _ in range(count)) + ")"
            case "not":
                return f"!({self.truth(below, names)})"
            case "compare":
                make = self.text if self.chance(4) else self.number
                op = self.pick(["<", "<=", ">", ">="])
                return f"({make(below, names)} {op} {make(below, names)})"
            case "equal":
                make = self.draw(st.sampled_from([self.number, self.text, self.row]))
                return f"({make(below, names)} {self.pick(['==', '!='])} {make(below, names)})"
            case "in":
                container = self.pick(
                    ["event.l", "event.tags", "event.m", "[1.0, 2.5, 150.0]", '["x", "refund"]']
                )
                return f"({(self.number if self.chance(2) else self.text)(below, names)} in {container})"
            case "string":
                call = self.pick(["startsWith", "endsWith", "contains"])
                if self.chance(5):
                    return f'{self.text(below, names)}.matches("^[a-zA-Z]+[0-9]*$")'
                return f"{self.text(below, names)}.{call}({self.text(below, names)})"
            case "loop":
                name = f"v{len(names)}"
                call = self.pick(["all", "exists", "exists_one"])
                return f"event.items.{call}({name}, {self.truth(below, (*names, name))})"
            case _:
                fields = ["event.s", "event.nope", "event.m.a", "event.m.z", *(f"{n}.p" for n in names)]
                return f"has({self.pick(fields)})"

    def row(self, depth: int, names: Names) -> str:
        leaves = ["event.l", "event.tags", "[]", "[1.0, 2.5]", '["x"]', "event.items"]
        name, below = f"v{len(names)}", depth - 1
        inner = (*names, name)
        match "leaf" if depth <= 0 else self.pick(["leaf", "list", "filter", "map", "plus", "mapif"]):
            case "list":
                make = self.number if self.chance(2) else self.text
                return f"[{make(below, names)}, {make(below, names)}]"
            case "filter":
                return f"event.items.filter({name}, {self.truth(below, inner)})"
            case "map":
                return f"event.items.map({name}, {self.number(below, inner)})"
            case "mapif":
                return f"event.items.map({name}, {self.truth(below, inner)}, {self.text(below, inner)})"
            case "plus":
                return f"({self.row(below, names)} + {self.row(below, names)})"
            case _:
                return self.pick(leaves)
