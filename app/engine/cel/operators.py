"""Python code for operators. The fast form inlines the usual types and falls back to the helper; the exact
form is the helper. Inlined code writes an operand twice only when it is a name or a constant.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from app.engine.cel.statics import NUMERIC, ORDERED, Static

COMPARISONS = {"<": "lt_", "<=": "le_", ">": "gt_", ">=": "ge_"}
ARITHMETIC = {"+": "add_", "-": "sub_", "*": "mul_", "/": "div_", "%": "mod_"}
_CONTEXT = {"+": "ADD", "-": "SUB", "*": "MUL", "/": "DIV"}
_SCALARS = frozenset(("string", "bytes", "bool", "timestamp", "duration", "null_type"))


@dataclass(frozen=True, slots=True)
class Operand:
    """Generated code and what is known of its value. `literal` holds the value of a literal; `simple` code
    may be written twice."""

    code: str
    static: Static
    simple: bool = False
    literal: tuple[object] | None = None

    @property
    def kind(self) -> str:
        return self.static.name


Temporary = Callable[[], str]


def equality(fast: bool, a: Operand, b: Operand, temporary: Temporary) -> str:
    """`a == b` as a Python expression that is always a bool."""
    kinds = (a.kind, b.kind)
    if (a.kind == b.kind and a.kind in _SCALARS) or (a.kind in NUMERIC and b.kind in NUMERIC):
        return f"({a.code} == {b.code})"
    if not fast:
        return f"eq_(B, {a.code}, {b.code})"
    if "string" in kinds:
        return f"({a.code} == {b.code})"
    if b.literal is not None:
        a, b = b, a
    if a.literal is not None and (a.literal[0] is None or isinstance(a.literal[0], bool)):
        return f"({b.code} is {a.code})"
    if a.kind in NUMERIC and a.simple and b.kind == "dyn":
        t = temporary()
        return f"(({t} := {b.code}) == {a.code} and {t}.__class__ is not bool)"
    return f"eq_(B, {a.code}, {b.code})"


def comparison(fast: bool, op: str, a: Operand, b: Operand, temporary: Temporary) -> str:
    helper = COMPARISONS[op]
    if a.kind in NUMERIC and b.kind in NUMERIC:
        return f"({a.code} {op} {b.code})"
    if a.kind == b.kind and a.kind in ORDERED:
        return f"({a.code} {op} {b.code})"
    if fast and a.kind == "dyn" and b.kind in NUMERIC and b.simple:
        t = temporary()
        return f"({t} {op} {b.code} if ({t} := {a.code}).__class__ in N_ else {helper}({t}, {b.code}))"
    if fast and b.kind == "dyn" and a.kind in NUMERIC and a.simple:
        t = temporary()
        return f"({a.code} {op} {t} if ({t} := {b.code}).__class__ in N_ else {helper}({a.code}, {t}))"
    return f"{helper}({a.code}, {b.code})"


def arithmetic(fast: bool, op: str, a: Operand, b: Operand, temporary: Temporary) -> str:
    kinds = (a.kind, b.kind)
    if kinds == ("int", "int"):
        return _integers(op, a, b)
    if op == "+" and kinds in (("string", "string"), ("bytes", "bytes")):
        return f"concat_(B, {a.code}, {b.code})"
    helper = f"add_(B, {a.code}, {b.code})" if op == "+" else f"{ARITHMETIC[op]}({a.code}, {b.code})"
    if not fast or op == "%" or (op == "/" and not _is_nonzero(b)):
        return helper
    if set(kinds) <= {"int", "double"}:
        return f"{_CONTEXT[op]}({a.code}, {b.code})"
    for this, other, flipped in ((a, b, False), (b, a, True)):
        if this.kind == "dyn" and other.kind in ("int", "double") and other.simple:
            t = temporary()
            left, right = (other.code, t) if flipped else (t, other.code)
            slow = f"add_(B, {left}, {right})" if op == "+" else f"{ARITHMETIC[op]}({left}, {right})"
            test = f"({t} := {this.code}).__class__ is D_ or {t}.__class__ is int"
            return f"({_CONTEXT[op]}({left}, {right}) if {test} else {slow})"
    return helper


def _integers(op: str, a: Operand, b: Operand) -> str:
    """Both sides are ints because the expression itself makes them so: 64 bits, integer division."""
    match op:
        case "/":
            return f"int_(quotient_({a.code}, {b.code}))"
        case "%":
            return f"remainder_({a.code}, {b.code})"
        case _:
            return f"int_({a.code} {op} {b.code})"


def _is_nonzero(operand: Operand) -> bool:
    return (
        operand.literal is not None
        and isinstance(operand.literal[0], int | Decimal)
        and operand.literal[0] != 0
    )


def membership(fast: bool, a: Operand, b: Operand, temporary: Temporary) -> str:
    """`a in b` for anything but a literal list. Short lists and maps cost no step, so they may be inlined."""
    if fast and a.kind == "string" and a.simple:
        t = temporary()
        cheap = f"({t} := {b.code}).__class__ is list and len({t}) < 8 or {t}.__class__ is dict"
        return f"({a.code} in {t} if {cheap} else in_(B, {a.code}, {t}))"
    return f"in_(B, {a.code}, {b.code})"
