"""The syntax tree. Macros (`has`, `all`, `exists`, `exists_one`, `map`, `filter`) are nodes of their own.

Nodes are immutable and compared by identity; `number` is their place in `Tree.nodes`, children before
parents, so that passes keep what they learn in a list. `start` and `end` are offsets into the text.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    number: int
    start: int
    end: int


@dataclass(frozen=True, slots=True, eq=False)
class Literal(Node):
    """`value` is None, bool, int, UInt, Decimal, str or bytes."""

    value: object


@dataclass(frozen=True, slots=True, eq=False)
class Ident(Node):
    """`absolute` when written with a leading dot: then names of loops do not hide it."""

    name: str
    absolute: bool


@dataclass(frozen=True, slots=True, eq=False)
class Select(Node):
    operand: Node
    field: str


@dataclass(frozen=True, slots=True, eq=False)
class Has(Node):
    """`has(operand.field)`: whether the field is there; its value is not read."""

    operand: Node
    field: str


@dataclass(frozen=True, slots=True, eq=False)
class Index(Node):
    operand: Node
    key: Node


@dataclass(frozen=True, slots=True, eq=False)
class Call(Node):
    name: str
    target: Node | None
    args: tuple[Node, ...]


@dataclass(frozen=True, slots=True, eq=False)
class ListNode(Node):
    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True, eq=False)
class MapNode(Node):
    items: tuple[tuple[Node, Node], ...]


@dataclass(frozen=True, slots=True, eq=False)
class Not(Node):
    operand: Node


@dataclass(frozen=True, slots=True, eq=False)
class Negate(Node):
    operand: Node


@dataclass(frozen=True, slots=True, eq=False)
class Binary(Node):
    """`op` is one of `== != < <= > >= in + - * / %`."""

    op: str
    left: Node
    right: Node


@dataclass(frozen=True, slots=True, eq=False)
class Logic(Node):
    """A flat chain of `&&` or of `||`."""

    op: str
    operands: tuple[Node, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Conditional(Node):
    condition: Node
    then: Node
    otherwise: Node


class Loop(Enum):
    ALL = "all"
    EXISTS = "exists"
    EXISTS_ONE = "exists_one"
    MAP = "map"
    FILTER = "filter"


@dataclass(frozen=True, slots=True, eq=False)
class Comprehension(Node):
    """`x.kind(variable, predicate)`, `x.map(variable, result)` or `x.map(variable, predicate, result)`."""

    kind: Loop
    operand: Node
    variable: str
    predicate: Node | None
    result: Node | None


@dataclass(frozen=True, slots=True, eq=False)
class Tree:
    text: str
    root: Node
    nodes: tuple[Node, ...]
    height: int

    def source(self, node: Node) -> str:
        """The text of a node as its author wrote it."""
        return self.text[node.start : node.end]


def children(node: Node) -> tuple[Node, ...]:
    """The direct sub-expressions of a node, in the order in which they are written."""
    match node:
        case Select() | Has() | Not() | Negate():
            return (node.operand,)
        case Index():
            return (node.operand, node.key)
        case Call():
            return node.args if node.target is None else (node.target, *node.args)
        case ListNode():
            return node.items
        case MapNode():
            return tuple(part for item in node.items for part in item)
        case Binary():
            return (node.left, node.right)
        case Logic():
            return node.operands
        case Conditional():
            return (node.condition, node.then, node.otherwise)
        case Comprehension():
            body = (node.predicate, node.result)
            return (node.operand, *(part for part in body if part is not None))
        case _:
            return ()


def dotted(node: Node) -> list[str] | None:
    """`["a", "b", "c"]` for `a.b.c`, None for anything that is not a chain of plain names."""
    names: list[str] = []
    while isinstance(node, Select):
        names.append(node.field)
        node = node.operand
    if not isinstance(node, Ident):
        return None
    names.append(node.name)
    return names[::-1]
