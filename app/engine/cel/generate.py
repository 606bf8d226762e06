"""Tree to Python: the code generator. Four forms of one expression:

FAST    plain Python short-circuiting and inlined types; right whenever it does not raise
EXACT   helpers only, with CEL's absorption of errors; run when the fast form raised
KEPT    the fast form that keeps the value of every sub-expression and ends with their steps; for explanations
TRACED  the exact form with a recorder around every sub-expression; for explanations of errors

Nothing of a rule's text gets into the source but `ascii()` (a `repr`) of its literals and field names:
variables, loop names and functions are numbered, other constants live in a table, builtins are empty.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from enum import Enum
from types import CodeType
from typing import Any

from app.engine.cel import absorb, calls, limits, numbers, runtime, values
from app.engine.cel.checker import Checked
from app.engine.cel.environment import TYPE_NAMES
from app.engine.cel.errors import CelCompileError, CelEvaluationError, ErrorKind
from app.engine.cel.explain import Outline, State, Step
from app.engine.cel.index import is_type_test
from app.engine.cel.operators import Operand, arithmetic, comparison, equality, membership
from app.engine.cel.tree import (
    Binary,
    Call,
    Comprehension,
    Conditional,
    Has,
    Ident,
    Index,
    ListNode,
    Literal,
    Logic,
    Loop,
    MapNode,
    Negate,
    Node,
    Not,
    Select,
    children,
)
from app.engine.cel.values import TypeValue

Scope = Mapping[str, str]
Compiled = Callable[..., Any]


class Form(Enum):
    FAST = "fast"
    EXACT = "exact"
    KEPT = "kept"
    TRACED = "traced"


def unknown_(message: str) -> Any:
    raise CelEvaluationError(ErrorKind.MISSING, message)


def variable_(activation: Mapping[str, Any], name: str) -> Any:
    """A variable that the caller did not set is null."""
    return activation.get(name)


_HELPERS: dict[str, Any] = {
    name: getattr(module, name)
    for module in (runtime, absorb, values)
    for name in dir(module)
    if name.endswith("_") and not name.startswith("_")
}
NAMESPACE: dict[str, Any] = _HELPERS | {
    "int_": numbers.int_, "quotient_": numbers.truncated_quotient, "remainder_": numbers.truncated_remainder,
    "unknown_": unknown_, "variable_": variable_, "ADD": numbers.ADD, "SUB": numbers.SUB, "MUL": numbers.MUL,
    "DIV": numbers.CONTEXT.divide, "D_": Decimal, "N_": numbers.NUMBERS, "int": int, "bool": bool,
    "str": str, "list": list, "dict": dict, "len": len, "any": any, "all": all,
    "new_": tuple.__new__, "Step_": Step, "VALUE_": State.VALUE, "UNKEPT_": object(),
}  # fmt: skip


class Generator:
    """One expression in one form. `code` is recursive over the tree, apart from chains of operators."""

    def __init__(self, checked: Checked, form: Form, outline: Outline | None) -> None:
        self.checked, self.form = checked, form
        self.outline = outline
        self.fast = form in (Form.FAST, Form.KEPT)
        self.kept: dict[int, bool] = {}
        self.constants: dict[str, Any] = {}
        self.variables: dict[str, str] = {}
        self.count = 0

    # -------------------------------------------------------------------------------------------------- names
    def name(self, letter: str) -> str:
        self.count += 1
        return f"{letter}{self.count}"

    def temporary(self) -> str:
        return self.name("t")

    def constant(self, value: Any) -> str:
        name = f"K{len(self.constants)}"
        self.constants[name] = value
        return name

    # -------------------------------------------------------------------------------------------------- nodes
    def code(self, node: Node, scope: Scope) -> str:
        code = self.bare(node, scope)
        return code if isinstance(node, Literal | Binary) else self.watched(node, code, scope)

    def watched(self, node: Node, code: str, scope: Scope) -> str:
        """`code` with its outcome reported, in the two forms that explain."""
        match self.form:
            case Form.FAST | Form.EXACT:
                return code
            case Form.KEPT:
                number, in_loop = node.number, bool(scope)
                self.kept[number] = in_loop
                kept = f"e{number} := {code}"
                return f"({kept}, n{number} := n{number} + 1)[0]" if in_loop else f"({kept})"
            case Form.TRACED:
                return f"T({node.number}, lambda: {code})"

    def operand(self, node: Node, scope: Scope) -> Operand:
        code = self.code(node, scope)
        literal = (node.value,) if isinstance(node, Literal) else None
        return Operand(
            code, self.checked.type_of(node), literal is not None or code in scope.values(), literal
        )

    def truth(self, node: Node, scope: Scope) -> str:
        """Code whose value is certainly a bool."""
        code = self.code(node, scope)
        return code if self.checked.type_of(node).name == "bool" else f"bool_({code})"

    def bare(self, node: Node, scope: Scope) -> str:
        if node.number in self.checked.unknown:
            return f"unknown_({self.checked.unknown[node.number]!a})"
        if node.number in self.checked.variables:
            return self.variable(self.checked.variables[node.number])
        if node.number in self.checked.type_names:
            return self.constant(TypeValue(self.checked.type_names[node.number]))
        match node:
            case Literal():
                return self.literal(node.value)
            case Ident():
                return scope[node.name]
            case Select():
                return self.select(node, scope)
            case Has():
                return self.has(node, scope)
            case Index():
                return self.index(node, scope)
            case Call():
                return calls.call(self, node, scope)
            case ListNode():
                return "[" + ", ".join(self.code(item, scope) for item in node.items) + "]"
            case MapNode():
                items = (f"({self.code(key, scope)}, {self.code(value, scope)})" for key, value in node.items)
                return f"map_([{', '.join(items)}])"
            case Not():
                code = self.code(node.operand, scope)
                return (
                    f"(not {code})" if self.checked.type_of(node.operand).name == "bool" else f"not_({code})"
                )
            case Negate():
                code = self.code(node.operand, scope)
                return (
                    f"int_(-{code})" if self.checked.type_of(node.operand).name == "int" else f"neg_({code})"
                )
            case Binary():
                return self.chain(node, scope)
            case Logic():
                return self.logic(node, scope)
            case Conditional():
                then, otherwise = self.code(node.then, scope), self.code(node.otherwise, scope)
                return f"({then} if {self.truth(node.condition, scope)} else {otherwise})"
            case Comprehension():
                return self.comprehension(node, scope)
            case _:
                raise AssertionError(f"unknown node {type(node).__name__}")

    def literal(self, value: object) -> str:
        if value is None or isinstance(value, bool | str):
            return ascii(value)
        if value.__class__ is int:
            return f"({value})" if value < 0 else str(value)
        return self.constant(value)

    def variable(self, name: str) -> str:
        return self.variables.setdefault(name, f"v{len(self.variables)}")

    def select(self, node: Select, scope: Scope) -> str:
        operand = self.code(node.operand, scope)
        if self.fast:
            return f"{operand}[{node.field!a}]"
        path = self.checked.tree.source(node)[: limits.MESSAGE_CHARS_MAX]
        return f"select_({operand}, {node.field!a}, {path!a})"

    def has(self, node: Has, scope: Scope) -> str:
        operand, field = self.code(node.operand, scope), ascii(node.field)
        if not self.fast:
            return f"has_({operand}, {field})"
        t = self.temporary()
        return f"({field} in {t} if ({t} := {operand}).__class__ is dict else has_({t}, {field}))"

    def index(self, node: Index, scope: Scope) -> str:
        operand, key = self.operand(node.operand, scope), self.operand(node.key, scope)
        if self.fast and key.kind == "string" and operand.kind in ("dyn", "map"):
            return f"{operand.code}[{key.code}]"
        return f"index_({operand.code}, {key.code})"

    # ---------------------------------------------------------------------------------------------- operators
    def chain(self, node: Binary, scope: Scope) -> str:
        """A chain of operators, from its left end. Long chains become a row of assignments instead of a
        nest."""
        links = [node]
        while isinstance(links[-1].left, Binary):
            links.append(links[-1].left)
        links.reverse()
        left = self.operand(links[0].left, scope)
        flat = len(links) > 4 or (self.form is Form.TRACED and len(links) > 1)
        steps: list[str] = []
        name = self.temporary() if flat else ""
        for link in links:
            code = self.watched(link, self.binary(link, left, scope), scope)
            if flat:
                steps.append(f"{name} := {code}")
                code = name
            left = Operand(code, self.checked.type_of(link), flat)
        return f"({', '.join(steps)})[-1]" if flat else left.code

    def binary(self, node: Binary, a: Operand, scope: Scope) -> str:
        if node.op == "in":
            return self.membership(node, a, scope)
        b = self.operand(node.right, scope)
        match node.op:
            case "==":
                return equality(self.fast, a, b, self.temporary)
            case "!=":
                return f"(not {equality(self.fast, a, b, self.temporary)})"
            case "<" | "<=" | ">" | ">=":
                return comparison(self.fast, node.op, a, b, self.temporary)
            case _:
                return arithmetic(self.fast, node.op, a, b, self.temporary)

    def membership(self, node: Binary, a: Operand, scope: Scope) -> str:
        items = node.right.items if isinstance(node.right, ListNode) else ()
        literals = [item.value for item in items if isinstance(item, Literal)]
        if items and len(literals) == len(items):
            if all(isinstance(value, str) for value in literals):
                known = self.constant(frozenset(literals))
                return f"({a.code} in {known})" if self.fast else f"among_({a.code}, {known})"
            if all(value.__class__ in numbers.NUMBERS for value in literals):
                known = self.constant(frozenset(literals))
                if self.fast and a.kind in ("int", "double"):
                    return f"({a.code} in {known})"
                return f"among_({a.code}, {known})"
        return membership(self.fast, a, self.operand(node.right, scope), self.temporary)

    def logic(self, node: Logic, scope: Scope) -> str:
        operands = (
            sorted(node.operands, key=lambda part: not is_type_test(part))
            if node.op == "&&"
            else node.operands
        )
        word = "and" if node.op == "&&" else "or"
        if self.fast:
            return "(" + f" {word} ".join(self.truth(part, scope) for part in operands) + ")"
        return f"{word}_(B, {', '.join(f'lambda: {self.code(part, scope)}' for part in operands)})"

    # -------------------------------------------------------------------------------------------------- loops
    def comprehension(self, node: Comprehension, scope: Scope) -> str:
        items = f"iter_(B, {self.code(node.operand, scope)}, {weight(node)})"
        each, row = self.name("m"), self.name("r")
        inner = {**scope, node.variable: each}
        if node.predicate is not None and node.kind in (Loop.ALL, Loop.EXISTS):
            helper = "all" if node.kind is Loop.ALL else "any"
            if self.fast:
                test = self.truth(node.predicate, inner)
                return f"({row} := {items}, {helper}({test} for {each} in {row}))[1]"
            helper = "all_" if node.kind is Loop.ALL else "exists_"
            return f"{helper}(B, {items}, lambda {each}: {self.code(node.predicate, inner)})"
        test = self.truth(node.predicate, inner) if node.predicate is not None else ""
        if node.kind is Loop.EXISTS_ONE:
            return f"({row} := {items}, one_([{test} for {each} in {row}]))[1]"
        result = self.code(node.result, inner) if node.result is not None else each
        condition = f" if {test}" if test else ""
        return f"({row} := {items}, [{result} for {each} in {row}{condition}])[1]"

    # ------------------------------------------------------------------------------------------------- result
    def function(self, result: str) -> tuple[str, CodeType]:
        """Source and code of a function of the activation (and of what watches it). `result` is a
        template with one `{}` for the value of the expression: the check of what the program must yield."""
        code = result.format(self.code(self.checked.tree.root, {}))
        lines = ["def program(V, T):" if self.form is Form.TRACED else "def program(V):"]
        for name, local in self.variables.items():
            read = f"V[{name!a}]" if self.fast else f"variable_(V, {name!a})"
            lines.append(f"    {local} = {read}")
        if "B, " in code:
            lines.append(f"    B = [{limits.STEPS_MAX}]")
        lines += self.explained(code) if self.form is Form.KEPT else [f"    return {code}"]
        source = "\n".join(lines) + "\n"
        try:
            return source, compile(source, "<cel>", "exec")
        except (SyntaxError, RecursionError, MemoryError, ValueError):
            text = self.checked.tree.text
            raise CelCompileError("the expression is nested too deeply", text, 0) from None

    def explained(self, code: str) -> list[str]:
        """The value, and every node's step made of what was kept, children before parents."""
        lines = ["    " + "".join(f"e{number} = " for number in self.kept) + "UNKEPT_"] if self.kept else []
        lines += [f"    n{number} = 0" for number, in_loop in self.kept.items() if in_loop]
        lines.append(f"    value = {code}")
        outline, steps = self.outline or Outline(self.checked.tree), list[str]()
        for number, (start, end, text, below) in enumerate(outline.sites):
            unkept = self.constant(outline.literals[number] or outline.untouched[number])
            if number not in self.kept:
                steps.append(unkept)
                continue
            parts = "".join(f"{steps[child]}, " for child in below)
            times = f"n{number}" if self.kept[number] else "1"
            fields = f"{start}, {end}, {self.constant(text)}, VALUE_, e{number}, None, {times}, ({parts})"
            step = f"new_(Step_, ({fields}))"
            lines.append(f"    s{number} = {step} if e{number} is not UNKEPT_ else {unkept}")
            steps.append(f"s{number}")
        return [*lines, f"    return value, {steps[outline.root]}"]


def generate(
    checked: Checked, form: Form, result: str, outline: Outline | None = None
) -> tuple[str, Compiled]:
    """The source of one form and the function it defines. `outline` is what KEPT makes its steps of."""
    generator = Generator(checked, form, outline)
    source, compiled = generator.function(result)
    used = _names(compiled)
    namespace = {name: value for name, value in NAMESPACE.items() if name in used} | generator.constants
    namespace["__builtins__"] = {}
    exec(compiled, namespace)
    return source, namespace["program"]


def _names(code: CodeType) -> set[str]:
    """The global names that code uses: a program keeps only these, not a copy of the whole namespace."""
    inner = (constant for constant in code.co_consts if isinstance(constant, CodeType))
    return set(code.co_names).union(*map(_names, inner))


def weight(node: Comprehension) -> int:
    """The steps of one round of a loop: the nodes of its body. Loops inside charge for their own bodies."""
    total, todo = 0, [part for part in (node.predicate, node.result) if part is not None]
    while todo:
        part = todo.pop()
        total += calls.steps(part)
        todo.extend([part.operand] if isinstance(part, Comprehension) else children(part))
    return max(1, total)


assert values.TYPE_VALUES.keys() >= TYPE_NAMES, "every type name must be a type value"
