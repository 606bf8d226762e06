"""The hostile cases: name → (expression, data of `event`, how it must end).

`value`, `refused` (at save), `error` (at run time), `budget`, or `any` of these."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

Case = tuple[str, Callable[[], Any], str]


def _nothing() -> dict[str, Any]:
    return {}


def _numbers() -> dict[str, Any]:
    """As many numbers as fit a payload of 64 KiB."""
    return {"l": list(range(1000, 14000)), "s": "x" * 60_000}


def _words() -> dict[str, Any]:
    return {"l": [f"word{i}" for i in range(6000)], "s": "a" * 32_000, "t": "a" * 31_999 + "b"}


def _deep() -> dict[str, Any]:
    value: Any = 1
    for _ in range(32):
        value = [value, value]
    return {"a": [value], "b": [value]}


def _wide() -> dict[str, Any]:
    return {"m": {f"k{i}": i for i in range(5000)}, "n": {f"k{i}": i for i in range(5000)}}


def _surrogates() -> dict[str, Any]:
    return {"s": "\ud800", "l": ["\udfff", "a"]}


def _zones() -> dict[str, Any]:
    return {"l": [f"Zone/Name{i}" for i in range(4000)], "at": "2026-07-10T17:45:12Z"}


def _patterns() -> dict[str, Any]:
    """Patterns that are dear to compile and refused in the end, each a little different."""
    return {"l": [r"\pL" * 20 + "x" * i + r"\pL" * 120 for i in range(60)], "s": "abc"}


def _big() -> dict[str, Any]:
    return {"n": 10**59, "d": Decimal("1e100"), "e": Decimal("1e-100")}


def _many_small() -> dict[str, Any]:
    return {"l": [["a", "b"]] * 3000, "n": [Decimal("0.1")] * 9000, "s": ",".join("ab" * 10_000)}


def _long_decimals() -> dict[str, Any]:
    """Numbers of 60 digits at both ends of what a payload may hold."""
    digits = "1234567890" * 6
    return {"l": [Decimal(f"{digits[:59]}E{power}") for power in (-100, 40)] * 1500, "d": Decimal("9e-100")}


def _times() -> dict[str, Any]:
    return {
        "l": [f"2026-07-10T17:{i % 60:02}:12.{i:06}+14:00" for i in range(1800)],
        "at": "9999-12-31T23:59:59Z",
    }


def _nested_loops(depth: int) -> str:
    text = "true"
    for level in range(depth):
        text = f"[0,1,2,3,4,5,6,7,8,9].all(v{level}, {text})"
    return text


def _doubling(times: int, start: str) -> str:
    text = start
    for _ in range(times):
        text = f"[{text}].map(a, a+a+a+a+a+a+a+a+a+a)[0]"
    return text


CASES: dict[str, Case] = {
    # Size and nesting of the text.
    "parentheses_30": ("(" * 30 + "1" + ")" * 30, _nothing, "value"),
    "parentheses_100": ("(" * 100 + "1" + ")" * 100, _nothing, "refused"),
    "parentheses_4000": ("(" * 4000 + "1" + ")" * 4000, _nothing, "refused"),
    "parentheses_20000": ("(" * 20000 + "1" + ")" * 20000, _nothing, "refused"),
    "open_parentheses": ("(" * 8000, _nothing, "refused"),
    "lists_39": ("[" * 39 + "1" + "]" * 39, _nothing, "value"),
    "lists_1000": ("[" * 1000 + "1" + "]" * 1000, _nothing, "refused"),
    "maps_38": ('{"a":' * 38 + "1" + "}" * 38, _nothing, "value"),
    "maps_1000": ('{"a":' * 1000 + "1" + "}" * 1000, _nothing, "refused"),
    "calls_38": ("size(" * 1 + "string(" * 37 + "1" + ")" * 38, _nothing, "value"),
    "not_80": ("!" * 80 + "true", _nothing, "any"),
    "not_100": ("!" * 100 + "true", _nothing, "any"),
    "not_101": ("!" * 101 + "true", _nothing, "refused"),
    "not_8000": ("!" * 8000 + "true", _nothing, "refused"),
    "minus_8000": ("-" * 8000 + "1", _nothing, "refused"),
    "select_60": ("event" + ".a" * 60, _nothing, "error"),
    "select_100": ("event" + ".a" * 100, _nothing, "any"),
    "select_4000": ("event" + ".a" * 4000, _nothing, "refused"),
    "index_100": ("event" + '["a"]' * 100, _nothing, "any"),
    "index_nested_39": ("event.l[" * 39 + "0" + "]" * 39, _numbers, "error"),
    "ternary_38": ("true ? " * 38 + "1" + " : 2" * 38, _nothing, "any"),
    "ternary_right_38": ("true ? 1 : " * 38 + "2", _nothing, "value"),
    "ternary_2000": ("true ? 1 : " * 700 + "2", _nothing, "refused"),
    "and_600": ("true && " * 600 + "true", _nothing, "value"),
    "and_600_errors": ("event.a && " * 600 + "true", _nothing, "error"),
    "or_of_and_nested": ("(event.a || (" * 19 + "true" + "))" * 19, _nothing, "value"),
    "plus_100": ("1" + "+1" * 100, _nothing, "value"),
    "plus_101": ("1" + "+1" * 101, _nothing, "refused"),
    "plus_data_100": ("event.n" + "+event.n" * 100, _big, "value"),
    "plus_chains_in_chains": ("(" * 9 + "1" + ("+1" * 90 + ")") * 9, _nothing, "any"),
    "mixed_tall": ("[" * 30 + "event" + ".a" * 80 + "]" * 30, _nothing, "any"),
    "tall_logic": ("!(" * 38 + "event.a || event.b" + ")" * 38, _nothing, "error"),
    "tall_arithmetic": ("(event.n + " * 38 + "1" + ")" * 38, _big, "value"),
    "tall_loops_38": ("[1].map(x, " * 38 + "1" + ")" * 38, _nothing, "value"),
    "tall_exists_38": ("[1].exists(x, " * 38 + "event.q" + ")" * 38, _nothing, "error"),
    "nodes_2001": ("[" + "1," * 2001 + "1]", _nothing, "refused"),
    "nodes_1900": ("[" + "1," * 1900 + "1]", _nothing, "value"),
    "text_200k": ("1" * 200_000, _nothing, "refused"),
    "spaces_8000": (" " * 8000 + "1", _nothing, "value"),
    "comments": ("//\n" * 2000 + "1", _nothing, "value"),
    # The lexer.
    "unclosed_backslashes": ('"' + "\\\\" * 40, _nothing, "refused"),
    "unclosed_backslashes_4000": ('"' + "\\\\" * 4000, _nothing, "refused"),
    "unclosed_long": ('"' + "a" * 8000, _nothing, "refused"),
    "quotes_8000": ("'" * 8000, _nothing, "refused"),
    "digits_8000": ("1" * 8000, _nothing, "refused"),
    "double_digits_8000": ("0." + "1" * 8000, _nothing, "value"),
    "exponent_huge": ("1e999999999", _nothing, "refused"),
    "exponent_digits": ("1e" + "9" * 5000, _nothing, "refused"),
    "hex_long": ("0x" + "f" * 4000, _nothing, "refused"),
    "nul": ("1\x00", _nothing, "refused"),
    "surrogate_in_text": ('"\ud800" == event.s', _surrogates, "value"),
    "surrogate_escape": ('"\\ud800"', _nothing, "refused"),
    "unicode_name": ("évent.a", _nothing, "refused"),
    # Work.
    "loops_3": (_nested_loops(3), _nothing, "value"),
    "loops_6": (_nested_loops(6), _nothing, "budget"),
    "loops_8": (_nested_loops(8), _nothing, "budget"),
    "loops_20": (_nested_loops(20), _nothing, "budget"),
    "square": ("event.l.all(a, event.l.all(b, a > 0))", _numbers, "budget"),
    "square_in": ("event.l.all(a, a in event.l)", _numbers, "budget"),
    "square_in_words": ("event.l.all(a, a in event.l)", _words, "budget"),
    "square_not_in_words": ('event.l.exists(a, ("z" + a) in event.l)', _words, "budget"),
    "square_sets": ("sets.contains(event.l, event.l)", _numbers, "budget"),
    "sets_of_words": ("sets.contains(event.l, event.l)", _words, "value"),
    "loop_equal_lists": ("event.l.all(a, event.l == event.l)", _numbers, "budget"),
    "loop_equal_texts": ("event.l.all(a, event.s != event.t)", _words, "any"),
    "loop_contains": ('event.l.all(a, !event.s.contains("aaaaaaaaab"))', _words, "budget"),
    "loop_matches": ('event.l.all(a, event.s.matches("(a|aa)+$"))', _words, "budget"),
    "loop_dynamic_pattern": ("event.l.all(a, event.s.matches(a))", _words, "budget"),
    "loop_dear_patterns": ("event.l.exists(p, event.s.matches(p))", _patterns, "budget"),
    "one_dear_pattern": ("event.s.matches(event.l[0])", _patterns, "any"),
    "loop_concat": ("event.l.map(a, event.s + event.t).size()", _words, "budget"),
    "loop_replace": ('event.l.map(a, event.s.replace("a", "bb")).size()', _words, "budget"),
    "loop_split": ('event.l.map(a, event.s.split("a")).size()', _words, "error"),
    "loop_last_index": ('event.l.map(a, event.s.lastIndexOf("baaaaaaaaaaaaaa")).size()', _words, "budget"),
    "loop_zones": ("event.l.exists(z, timestamp(event.at).getHours(z) == 1)", _zones, "any"),
    "loop_durations": ('event.l.exists(z, duration(z) == duration("1s"))', _words, "budget"),
    "loop_with_large_body": (
        f"event.l.all(a, {' && '.join(['a > 0'] * 400)})", _numbers, "budget",
    ),
    "errors_in_every_round": ("event.l.all(a, a.b.c)", _numbers, "budget"),
    "errors_and_large_body": (
        f"event.l.exists(a, {' || '.join(['a.b'] * 9)})", lambda: {"l": list(range(3000))}, "budget",
    ),
    "rindex_worst": ('event.s.lastIndexOf("b" + event.s.substring(0, 16000))', _words, "any"),
    "contains_worst": ('event.s.contains("b" + event.s.substring(0, 16000))', _words, "any"),
    "index_worst": ('event.s.indexOf(event.s.substring(0, 16000) + "b")', _words, "any"),
    "many_contains": (" || ".join(['event.s.contains("ab")'] * 300), _words, "any"),
    "many_matches": (" || ".join(['event.s.matches("b$")'] * 300), _words, "any"),
    "many_in": (" || ".join(['"x" in event.l'] * 300), _words, "any"),
    # Memory.
    "grow_text": (_doubling(9, '"a"'), _nothing, "error"),
    "grow_list": (_doubling(9, "[1]"), _nothing, "error"),
    "grow_map": ("event.l.map(a, event.l.map(b, event.l))", _numbers, "budget"),
    "grow_by_format": ('event.l.map(a, "%s".format([event.l]))', _numbers, "budget"),
    "grow_by_join": ("event.l.map(a, event.l.join(event.s))", _words, "error"),
    "grow_by_join_many": ("event.l.map(a, event.l.join())", _words, "budget"),
    "format_precision": ('"%.999f".format([1.0])', _nothing, "error"),
    "format_of_shared": ('"%s".format([event.a])', _deep, "any"),
    "equal_shared": ("event.a == event.b", _deep, "any"),
    "wide_maps": ("event.m.all(k, event.n == event.m)", _wide, "budget"),
    # Numbers.
    "power_tower": ("event.n" + "*event.n" * 100, _big, "value"),
    "power_tower_decimal": ("event.d" + "*event.d" * 100, _big, "error"),
    "underflow": ("event.e" + "*event.e" * 100, _big, "value"),
    "int_of_huge": ("int(event.d)", _big, "error"),
    "string_of_huge": ("string(event.d*event.d*event.d)", _big, "error"),
    "text_of_huge": ('string(double("1e6000"))', _nothing, "error"),
    "modulus_of_huge": ("event.d % 7", _big, "any"),
    "round_of_huge": ("round(event.d * event.d, 30)", _big, "error"),
    "round_digits": ("round(event.d, 1000000)", _big, "error"),
    "int_overflow": ("9223372036854775807 + 1", _nothing, "error"),
    "division_by_zero": ("1 / 0", _nothing, "error"),
    "list_index_huge": ("event.l[9223372036854775807]", _numbers, "error"),
    # Regular expressions, times.
    "regex_nested": ('event.s.matches("(a+)+$")', _words, "value"),
    "regex_huge": ('event.s.matches("((a{100}){100}){100}")', _words, "refused"),
    "regex_backreference": (r'event.s.matches("(a)\\1")', _words, "refused"),
    "regex_long": (f'event.s.matches("{"a?" * 2000}")', _words, "refused"),
    "regex_on_surrogate": ('event.s.matches("a")', _surrogates, "error"),
    "bytes_of_surrogate": ("bytes(event.s)", _surrogates, "error"),
    "quote_of_surrogate": ("strings.quote(event.s)", _surrogates, "value"),
    "duration_redos": (f'duration("{"a" * 32}!")', _nothing, "refused"),
    "duration_of_data": ("duration(event.s)", _words, "error"),
    "timestamp_of_data": ("timestamp(event.s)", _words, "error"),
    "timestamp_now": ('timestamp("now")', _nothing, "refused"),
    "timestamp_date": ('timestamp("2024-01-01")', _nothing, "refused"),
    "timestamp_edge": ('timestamp("0001-01-01T00:00:00Z").getFullYear("-10:00")', _nothing, "error"),
    "zone_path": ('timestamp(0).getHours("../../etc/passwd")', _nothing, "refused"),
    "zone_path_data": ("timestamp(0).getHours(event.z)", lambda: {"z": "/etc/localtime"}, "error"),
    # One function fed by another, each at its limit.
    "replace_grows_replace": (
        'event.s.replace("a", "aa").replace("a", "aaaa").replace("a", "aaaa")', _words, "error",
    ),
    "replace_of_nothing": ('event.s.replace("", "xx").replace("", "yyyyy")', _words, "error"),
    "replace_in_loop": ('event.l.all(a, event.s.replace("a", a).size() > 0)', _words, "budget"),
    "join_of_splits": ('event.s.split(",").join(",,").split(",").join(",,")', _many_small, "any"),
    "join_in_loop": ('event.l.all(a, event.l.map(b, b.join("-")).size() > 0)', _many_small, "budget"),
    "split_every_character": ('event.s.split("").map(c, c + event.s).size()', _words, "any"),
    "format_of_format": (
        '"%s%s%s%s".format([event.s, event.s, "%s%s".format([event.s, event.s]), event.l])', _words, "any",
    ),
    "format_many_clauses": ('("%s" + "%s%s%s" + "").format(event.l)', _words, "any"),
    "format_wide_precision": ('"%.100f".format([event.d * event.d])', _big, "any"),
    "format_binary_of_huge": ('"%b".format([event.n])', _big, "any"),
    "quote_grows": (
        "strings.quote(strings.quote(strings.quote(event.q)))", lambda: {"q": "\\" * 32_000}, "any",
    ),
    "reverse_in_loop": ("event.l.all(a, event.s.reverse() != a)", _words, "budget"),
    "trim_in_loop": ('event.l.all(a, event.s.trim() != "")', _words, "any"),
    "charat_in_loop": ("event.l.all(a, event.s.charAt(31000) != a)", _words, "any"),
    "concat_lists_in_loop": ("event.l.map(a, event.l + event.l).size()", _numbers, "error"),
    "tags_of_everything": ("sets.equivalent(event.l, event.l + ['x'])", _words, "any"),
    "sets_of_lists": ("sets.intersects(event.l, [['c']])", _many_small, "any"),
    "min_of_max": ("event.l.all(a, max(event.l) >= min(event.l))", _long_decimals, "budget"),
    "sum_of_long": ("sum(event.l) * sum(event.l) / sum(event.l)", _long_decimals, "value"),
    "sum_in_loop": ("event.n.map(a, sum(event.n)).size()", _many_small, "budget"),
    # Comprehensions inside each other, each making the next one's list.
    "filter_of_filter": ("event.l.filter(a, event.l.filter(b, b == a).size() == 1)", _words, "budget"),
    "map_of_map": ("event.l.map(a, [a, a]).map(a, [a, a]).map(a, [a, a]).size()", _words, "any"),
    "exists_one_twice": ("event.l.exists_one(a, event.l.exists_one(b, a == b))", _numbers, "budget"),
    "macro_in_every_operand": (
        " || ".join(["event.l.exists(a, a < 0)"] * 60), _numbers, "budget",
    ),
    "absorbed_errors_in_loop": (
        "event.l.all(a, event.x.y == a || event.x.z == a || a > 0)", _numbers, "budget",
    ),
    "conditionals_in_loop": (
        f"event.l.map(a, {'a > 5000 ? (' * 30}a{') : 0' * 30}).size()", _numbers, "budget",
    ),
    # Decimals at the ends of their exponents.
    "exponents_apart": ("event.d + event.e == event.d", _big, "value"),
    "exponents_far_apart": ("double('1e6000') + double('1e-6000') > 0.0", _nothing, "value"),
    "modulus_far_apart": ("double('1e6000') % double('1e-6000')", _nothing, "any"),
    "division_far_apart": ("double('1e6000') / double('1e-6000')", _nothing, "error"),
    "round_far_apart": ("round(double('1e-6000'), 30) + round_even(double('1e6000'), -30)", _nothing, "any"),
    "compare_far_apart": (
        "event.l.all(a, double('1e6000') > double('1e-6000') && a == a)", _numbers, "budget",
    ),
    "int_of_exponent": ("int(double('1e6000'))", _nothing, "error"),
    "in_of_exponent": ("double('1e6000') in event.l", _numbers, "value"),
    "key_of_exponent": ("{1: 2}[double('1e6000')]", _nothing, "error"),
    "index_of_exponent": ("event.l[double('1e6000')]", _numbers, "error"),
    "text_of_digits": ("double(event.s)", lambda: {"s": "9" * 60_000}, "any"),
    "int_of_digits": ("int(event.s)", lambda: {"s": "9" * 60_000}, "error"),
    # Times at the ends of the calendar.
    "calendar_end": ('timestamp(event.at) + duration("1s")', _times, "error"),
    "calendar_end_in_zone": ('timestamp(event.at).getFullYear("+14:00")', _times, "error"),
    "calendar_end_date": ('dateIn(timestamp(event.at), "Pacific/Kiritimati")', _times, "error"),
    "duration_end": ('duration("315576000000s") + duration("1s")', _nothing, "error"),
    "times_in_loop": ("event.l.all(t, timestamp(t) < timestamp(event.at))", _times, "any"),
    "times_squared": ("event.l.all(t, event.l.all(u, timestamp(t) != timestamp(0)))", _times, "budget"),
    # Regular expressions.
    "regex_of_classes": (
        'event.s.matches("' + "[a-z0-9_.]*" * 40 + '$") || event.t.matches("(.*)(.*)(.*)(.*)x$")',
        _words,
        "any",
    ),
    "regex_long_text_many": (
        " || ".join([f'event.s.matches("(a*)*b{i}$")' for i in range(60)]), _words, "any",
    ),
    "regex_counted": ('event.s.matches("^(a{1,50}){1,20}$")', _words, "any"),
    "regex_case_folded": ('event.s.matches("(?i)(\\\\pL+)+!$")', _words, "any"),
    # Names of Python.
    "dunder_class": ("event.__class__", _nothing, "error"),
    "dunder_name": ("__class__", _nothing, "refused"),
    "dunder_import": ('__import__("os").system("true")', _nothing, "refused"),
    "dunder_call": ("event.__class__()", _nothing, "refused"),
    "keyword": ("lambda", _nothing, "refused"),
    "unknown_function": ("exec(1)", _nothing, "refused"),
}  # fmt: skip
