"""Python code for calls. Literal timestamps, durations, patterns and zones are read when the rule is saved,
so that a wrong one is refused there; a few functions have an inlined fast form.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from app.engine.cel import strings, times
from app.engine.cel.errors import CelCompileError, CelEvaluationError
from app.engine.cel.functions import FUNCTIONS, Function
from app.engine.cel.operators import Operand
from app.engine.cel.tree import Call, Literal, Node, dotted
from app.engine.cel.values import TYPE_VALUES

if TYPE_CHECKING:
    from app.engine.cel.generate import Generator, Scope

_ZONED = frozenset(name for name in FUNCTIONS if name.startswith("get") and name != "get") | {"dateIn"}


def steps(node: Node) -> int:
    """What one node weighs inside a loop."""
    if isinstance(node, Literal):
        return 0
    if isinstance(node, Call):
        names = dotted(node.target) if node.target is not None else None
        function = FUNCTIONS.get(f"{names[0]}.{node.name}" if names else node.name) or FUNCTIONS.get(
            node.name
        )
        return function.steps if function else 1
    return 1


def call(generator: Generator, node: Call, scope: Scope) -> str:
    function = generator.checked.functions[node.number]
    assert function is not None, "unknown functions are handled before"
    args = list(node.args)
    if node.target is not None and not ("." in function.name and dotted(node.target) is not None):
        args.insert(0, node.target)
    folded = _folded(generator, node, function, args, scope)
    if folded is not None:
        return folded
    operands = [generator.operand(arg, scope) for arg in args]
    if generator.fast:
        inlined = _inlined(generator, function, operands)
        if inlined is not None:
            return inlined
    code = _plain(generator, function, operands)
    is_int = function.follows and generator.checked.type_of(node).name == "int"
    return f"int_({code})" if is_int else code


def _plain(generator: Generator, function: Function, operands: list[Operand]) -> str:
    budget = ["B"] if function.charged else []
    codes = ", ".join(budget + [operand.code for operand in operands])
    return f"{generator.constant(function.call)}({codes}{', ' if not budget and not operands else ''})"


def _folded(
    generator: Generator, node: Call, function: Function, args: list[Node], scope: Scope
) -> str | None:
    """Calls whose literal argument is read once, at save."""
    text = args[-1].value if args and isinstance(args[-1], Literal) else None
    if function.name == "type" and generator.checked.type_of(args[0]).name == "int":
        return f"({generator.code(args[0], scope)}, {generator.constant(TYPE_VALUES['int'])})[1]"
    if not isinstance(text, str):
        return None
    if function.name in ("timestamp", "duration"):
        return generator.constant(_read(generator, node, function.call, text))
    if function.name == "matches":
        compiled = generator.constant(_read(generator, node, strings.pattern, text))
        return f"{generator.constant(strings.search)}(B, {generator.code(args[0], scope)}, {compiled})"
    if function.name in _ZONED and len(args) == 2:
        zone = generator.constant(_read(generator, node, times.zone, text))
        return f"{generator.constant(function.call)}({generator.code(args[0], scope)}, {zone})"
    return None


def _read(generator: Generator, node: Call, read: Callable[[Any], Any], text: str) -> Any:
    try:
        return read(text)
    except CelEvaluationError as error:
        raise CelCompileError(error.message, generator.checked.tree.text, node.start) from None


def _inlined(generator: Generator, function: Function, operands: list[Operand]) -> str | None:
    """Fast forms. Each does exactly what the function does when it charges no step."""
    slow = generator.constant(function.call)
    t = generator.temporary()
    match function.name, operands:
        case (("startsWith" | "endsWith"), [text, part]) if (
            part.kind == "string" and part.literal is not None
        ):
            test = f"({t} := {text.code}).__class__ is str"
            return f"({t}.{function.name.lower()}({part.code}) if {test} else {slow}({t}, {part.code}))"
        case "contains", [text, part] if part.kind == "string" and part.literal is not None:
            test = f"({t} := {text.code}).__class__ is str and len({t}) < 64"
            return f"({part.code} in {t} if {test} else {slow}(B, {t}, {part.code}))"
        case "get", [mapping, key, default] if (
            key.kind == "string" and key.simple and default.literal is not None
        ):
            test = f"({t} := {mapping.code}).__class__ is dict"
            found = f"{t}[{key.code}] if {key.code} in {t} else {default.code}"
            return f"(({found}) if {test} else {slow}({t}, {key.code}, {default.code}))"
        case "size", [value]:
            return f"(len({t}) if ({t} := {value.code}).__class__ is list else {slow}({t}))"
        case _:
            return None
