"""Names and types. One pass over the tree that resolves every name, finds the function of every call,
infers what types it can, and refuses what could never run. What it learns is kept per node, for the
generator and the others.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

from app.engine.cel import statics
from app.engine.cel.environment import TYPE_NAMES, Environment, did_you_mean
from app.engine.cel.errors import CelCompileError
from app.engine.cel.functions import FUNCTIONS, MACROS, NAMESPACES, Function, Style
from app.engine.cel.numbers import UInt
from app.engine.cel.statics import DYN, Static
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
    Tree,
    dotted,
)

Scope = dict[str, Static]


@dataclass(slots=True)
class Checked:
    """A tree and what is known about its nodes, by node number. `variables`: nodes that are a variable of
    the environment; `type_names`: nodes that name a type; `functions`: calls (None: unknown, allowed to
    fail late)."""

    tree: Tree
    types: list[Static]
    variables: dict[int, str] = field(default_factory=dict)
    type_names: dict[int, str] = field(default_factory=dict)
    functions: dict[int, Function | None] = field(default_factory=dict)
    unknown: dict[int, str] = field(default_factory=dict)

    def type_of(self, node: Node) -> Static:
        return self.types[node.number]


def check(tree: Tree, environment: Environment) -> Checked:
    """Raises CelCompileError."""
    checker = _Checker(tree, environment)
    checker.visit(tree.root, {})
    return checker.checked


class _Checker:
    def __init__(self, tree: Tree, environment: Environment) -> None:
        self.tree, self.environment = tree, environment
        self.checked = Checked(tree, [DYN] * len(tree.nodes))

    def refuse(self, node: Node, message: str) -> CelCompileError:
        return CelCompileError(message, self.tree.text, node.start)

    def visit(self, node: Node, scope: Scope) -> Static:
        static = self.infer(node, scope)
        self.checked.types[node.number] = static
        return static

    def infer(self, node: Node, scope: Scope) -> Static:
        match node:
            case Literal():
                return _literal(node.value)
            case Ident():
                return self.ident(node, scope)
            case Select():
                return self.select(node, scope)
            case Has():
                self.operand_of(node.operand, scope, "has()")
                return statics.BOOL
            case Index():
                static = self.visit(node.operand, scope)
                self.visit(node.key, scope)
                return statics.element_of(static) if static.name == "list" else DYN
            case Call():
                return self.call(node, scope)
            case ListNode():
                return statics.list_of(statics.joined([self.visit(item, scope) for item in node.items]))
            case MapNode():
                for key, value in node.items:
                    self.visit(key, scope)
                    self.visit(value, scope)
                return statics.MAP
            case Not():
                self.visit(node.operand, scope)
                return statics.BOOL
            case Negate():
                return self.negate(node, scope)
            case Binary():
                return self.binary(node, scope)
            case Logic():
                for operand in node.operands:
                    self.visit(operand, scope)
                return statics.BOOL
            case Conditional():
                self.visit(node.condition, scope)
                return statics.joined([self.visit(node.then, scope), self.visit(node.otherwise, scope)])
            case Comprehension():
                return self.comprehension(node, scope)
            case _:
                raise AssertionError(f"unknown node {type(node).__name__}")

    # -------------------------------------------------------------------------------------------------- names
    def ident(self, node: Ident, scope: Scope) -> Static:
        if not node.absolute and node.name in scope:
            return scope[node.name]
        variable = self.environment.resolve(node.name, node.absolute)
        if variable is not None:
            self.checked.variables[node.number] = variable
            return DYN
        if node.name in TYPE_NAMES:
            self.checked.type_names[node.number] = node.name
            return statics.TYPE
        return self.unknown(node, "variable", node.name, [*self.environment.variables, *scope])

    def unknown(self, node: Node, what: str, name: str, known: list[str]) -> Static:
        message = f"unknown {what} `{name}`"
        if not self.environment.late_names:
            raise self.refuse(node, message + did_you_mean(name, sorted(known)))
        self.checked.unknown[node.number] = message
        return DYN

    def select(self, node: Select, scope: Scope) -> Static:
        names = dotted(node)
        if names is not None and names[0] == "google" and ".".join(names) in TYPE_NAMES:
            self.checked.type_names[node.number] = ".".join(names)
            return statics.TYPE
        if (
            names is not None
            and self.environment.has_dotted
            and (_is_absolute(node) or names[0] not in scope)
        ):
            variable = self.environment.resolve(".".join(names), absolute=_is_absolute(node))
            if variable is not None:
                self.checked.variables[node.number] = variable
                return DYN
        self.operand_of(node.operand, scope, f"`.{node.field}`")
        return DYN

    def operand_of(self, operand: Node, scope: Scope, what: str) -> None:
        static = self.visit(operand, scope)
        if static.name not in ("dyn", "map") and not static.soft:
            raise self.refuse(operand, f"{what}: {statics.described(static)} has no fields")

    # -------------------------------------------------------------------------------------------------- calls
    def call(self, node: Call, scope: Scope) -> Static:
        name, receiver = node.name, node.target
        names = dotted(receiver) if receiver is not None else None
        if names is not None and len(names) == 1 and names[0] in NAMESPACES and names[0] not in scope:
            name, receiver = f"{names[0]}.{name}", None
        if name == "now" and receiver is None and not node.args and "now" in self.environment.variables:
            self.checked.variables[node.number] = "now"
            return DYN
        args = node.args if receiver is None else (receiver, *node.args)
        types = [self.visit(arg, scope) for arg in args]
        function = FUNCTIONS.get(name)
        if function is None:
            return self.unknown(node, "function", name, [*FUNCTIONS, *MACROS])
        self.checked.functions[node.number] = function
        self.check_call(node, function, receiver, len(args))
        return _result(function, types)

    def check_call(self, node: Call, function: Function, receiver: Node | None, count: int) -> None:
        name = function.name
        if receiver is None and function.style is Style.MEMBER:
            raise self.refuse(node, f"write x.{name}(…), not {name}(x, …)")
        if receiver is not None and function.style is Style.GLOBAL:
            raise self.refuse(node, f"write {name}(x, …), not x.{name}(…)")
        low, high = function.arguments
        if not low <= count <= high:
            written = 1 if receiver is not None else 0
            wanted = str(low - written) if low == high else f"{low - written} to {high - written}"
            raise self.refuse(node, f"{name}() takes {wanted} arguments, found {count - written}")

    # ---------------------------------------------------------------------------------------------- operators
    def negate(self, node: Negate, scope: Scope) -> Static:
        static = self.visit(node.operand, scope)
        if static.name == "dyn":
            return statics.DOUBLE
        if static.name not in ("int", "double") and not static.soft:
            raise self.refuse(node, f"`-` is not defined for {statics.described(static)}")
        return static

    def binary(self, node: Binary, scope: Scope) -> Static:
        """Walks down the left of a chain instead of recursing: chains are longer than nesting is deep."""
        chain = [node]
        while isinstance(chain[-1].left, Binary):
            chain.append(chain[-1].left)
        left = self.visit(chain[-1].left, scope)
        for link in reversed(chain):
            left = self.operation(link, left, self.visit(link.right, scope))
            self.checked.types[link.number] = left
        return left

    def operation(self, node: Binary, left: Static, right: Static) -> Static:
        soft = left.soft or right.soft
        if node.op in ("==", "!="):
            return statics.BOOL
        if node.op == "in":
            if right.name not in ("dyn", "list", "map") and not soft:
                raise self.refuse(node.right, f"`in` needs a list or a map, not {statics.described(right)}")
            return statics.BOOL
        if node.op in ("<", "<=", ">", ">="):
            if not statics.comparable(left, right) and not soft:
                raise self.mismatch(node, left, right)
            return statics.BOOL
        result = statics.arithmetic(node.op, left, right)
        if result is None:
            if not soft:
                raise self.mismatch(node, left, right)
            return DYN
        return statics.softened(result) if soft else result

    def mismatch(self, node: Binary, left: Static, right: Static) -> CelCompileError:
        pair = f"{statics.described(left)} and {statics.described(right)}"
        return self.refuse(node, f"`{node.op}` is not defined for {pair}")

    def comprehension(self, node: Comprehension, scope: Scope) -> Static:
        static = self.visit(node.operand, scope)
        if static.name not in ("dyn", "list", "map") and not static.soft:
            raise self.refuse(node.operand, f"{node.kind.value}() needs a list or a map")
        inner = {**scope, node.variable: statics.element_of(static)}
        if node.predicate is not None:
            self.visit(node.predicate, inner)
        result = self.visit(node.result, inner) if node.result is not None else DYN
        match node.kind:
            case Loop.MAP:
                return statics.list_of(result)
            case Loop.FILTER:
                return statics.list_of(statics.element_of(static))
            case Loop.ALL | Loop.EXISTS | Loop.EXISTS_ONE:
                return statics.BOOL


def _literal(value: object) -> Static:
    kinds: dict[type, Static] = {
        type(None): statics.NULL, bool: statics.BOOL, int: statics.INT, UInt: statics.UINT,
        Decimal: statics.DOUBLE, str: statics.STRING, bytes: statics.BYTES,
    }  # fmt: skip
    return kinds[type(value)]


def _result(function: Function, types: list[Static]) -> Static:
    if function.name == "dyn":
        return statics.softened(types[0])
    if function.name == "get":
        return DYN
    if function.follows:
        listed = [statics.element_of(t) if t.name == "list" else t for t in types]
        return statics.INT if all(statics.is_int(t) for t in listed) else statics.DOUBLE
    return function.result


def _is_absolute(node: Node) -> bool:
    while isinstance(node, Select):
        node = node.operand
    return isinstance(node, Ident) and node.absolute
