"""Tokens to tree: a recursive-descent parser with precedence climbing. It bounds nesting, chains and nodes,
so that neither it nor any later pass nor Python's own compiler can be driven into its recursion limit.
"""

from __future__ import annotations

from app.engine.cel import limits
from app.engine.cel.errors import CelSyntaxError
from app.engine.cel.lexer import Token, lex
from app.engine.cel.literals import read_double, read_int
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
    children,
)

_RESERVED = frozenset(
    ("as", "break", "const", "continue", "else", "for", "function", "if", "import", "in", "let", "loop",
     "package", "namespace", "return", "var", "void", "while")
)  # fmt: skip
_NOT_FIELDS = frozenset(("in", "true", "false", "null"))
_LEVELS: dict[object, int] = {
    "||": 1, "&&": 2,
    "==": 3, "!=": 3, "<": 3, "<=": 3, ">": 3, ">=": 3, "in": 3,
    "+": 4, "-": 4, "*": 5, "/": 5, "%": 5,
}  # fmt: skip
_FLAT_LEVEL = 2
_LOOPS = {kind.value: kind for kind in Loop} | {"existsOne": Loop.EXISTS_ONE}


def parse(text: str) -> Tree:
    """The tree of one expression. Raises CelSyntaxError."""
    parser = _Parser(text)
    root = parser.expression()
    if parser.token.kind != "end":
        raise parser.unexpected()
    return Tree(text, root, tuple(parser.nodes), parser.heights[root.number])


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = lex(text)
        self.place = 0
        self.depth = 0
        self.nodes: list[Node] = []
        self.heights: list[int] = []

    # ------------------------------------------------------------------------------------------------- tokens
    @property
    def token(self) -> Token:
        return self.tokens[self.place]

    def is_op(self, op: str) -> bool:
        token = self.tokens[self.place]
        return token.kind == "op" and token.value == op

    def expect(self, op: str) -> None:
        if not self.is_op(op):
            raise self.unexpected(f"`{op}`")
        self.place += 1

    def unexpected(self, wanted: str = "") -> CelSyntaxError:
        token = self.token
        ends = token.kind == "end"
        found = "end of the expression" if ends else f"`{self._spelling(token)}`"
        article = "the " if ends else ""
        message = f"expected {wanted}, found {article}{found}" if wanted else f"unexpected {found}"
        return CelSyntaxError(message, self.text, token.start)

    def _spelling(self, token: Token) -> str:
        spelling = self.text[token.start : token.end]
        return spelling if len(spelling) <= 30 else spelling[:30] + "…"

    # -------------------------------------------------------------------------------------------------- nodes
    def add(self, node: Node) -> Node:
        if len(self.nodes) >= limits.NODES_MAX:
            raise CelSyntaxError(
                f"the expression has more than {limits.NODES_MAX} parts", self.text, self.token.start
            )
        height = 1 + max((self.heights[child.number] for child in children(node)), default=0)
        if height > limits.HEIGHT_MAX:
            raise CelSyntaxError(
                f"the expression is more than {limits.HEIGHT_MAX} levels deep", self.text, node.start
            )
        self.nodes.append(node)
        self.heights.append(height)
        return node

    def at(self, start: int) -> tuple[int, int, int]:
        """The first three fields of a node that begins at `start` and ends with the token just read."""
        return len(self.nodes), start, self.tokens[self.place - 1].end

    def check_chain(self, links: int) -> None:
        if links > limits.CHAIN_MAX:
            raise CelSyntaxError(
                f"more than {limits.CHAIN_MAX} operators in a row", self.text, self.token.start
            )

    # -------------------------------------------------------------------------------------------- expressions
    def expression(self) -> Node:
        self.depth += 1
        if self.depth > limits.NESTING_MAX:
            raise CelSyntaxError(
                f"nested more than {limits.NESTING_MAX} levels deep", self.text, self.token.start
            )
        start = self.token.start
        node = self.binary(1)
        if self.is_op("?"):
            self.place += 1
            then = self.binary(1)
            self.expect(":")
            otherwise = self.expression()
            node = self.add(Conditional(*self.at(start), node, then, otherwise))
        self.depth -= 1
        return node

    def binary(self, level: int) -> Node:
        """Operators of `level` and of those that bind tighter. `&&` and `||` become flat chains."""
        start = self.token.start
        left = self.unary()
        links = 0
        while (found := self.level()) >= level:
            op = str(self.token.value)
            if found <= _FLAT_LEVEL:
                operands = [left]
                while self.is_op(op):
                    self.place += 1
                    operands.append(self.binary(found + 1))
                left = self.add(Logic(*self.at(start), op, tuple(operands)))
            else:
                self.place += 1
                right = self.binary(found + 1)
                links += 1
                self.check_chain(links)
                left = self.add(Binary(*self.at(start), op, left, right))
        return left

    def level(self) -> int:
        """The precedence of the operator that comes next, 0 when none does."""
        token = self.tokens[self.place]
        if token.kind not in ("op", "ident"):
            return 0
        return _LEVELS.get(token.value, 0)

    def unary(self) -> Node:
        starts: list[int] = []
        op = str(self.token.value) if self.is_op("!") or self.is_op("-") else ""
        while op and self.is_op(op):
            starts.append(self.token.start)
            self.place += 1
            self.check_chain(len(starts))
        if op == "-" and self.token.kind in ("int", "double"):
            node = self.member(starts.pop())
        else:
            node = self.member(None)
        for start in reversed(starts):
            node = self.add(Not(*self.at(start), node) if op == "!" else Negate(*self.at(start), node))
        return node

    def member(self, minus: int | None) -> Node:
        """A primary and what follows it: `.field`, `.call(…)`, `[key]`. `minus` is where its sign stands,
        if any."""
        start = self.token.start if minus is None else minus
        node = self.primary(minus)
        links = 0
        while True:
            if self.is_op("."):
                self.place += 1
                node = self.selection(start, node)
            elif self.is_op("["):
                self.place += 1
                key = self.expression()
                self.expect("]")
                node = self.add(Index(*self.at(start), node, key))
            elif self.is_op("{") and isinstance(node, Ident | Select):
                raise CelSyntaxError("messages cannot be constructed; write a map", self.text, start)
            else:
                return node
            links += 1
            self.check_chain(links)

    def selection(self, start: int, operand: Node) -> Node:
        token = self.token
        name = str(token.value)
        if token.kind == "quoted":
            self.place += 1
            return self.add(Select(*self.at(start), operand, name[1:-1]))
        if token.kind != "ident" or name in _NOT_FIELDS:
            raise self.unexpected("a field name")
        self.place += 1
        if not self.is_op("("):
            return self.add(Select(*self.at(start), operand, name))
        return self.call(start, name, operand)

    def primary(self, minus: int | None) -> Node:
        token = self.token
        start, value = token.start, str(token.value)
        self.place += 1
        match token.kind:
            case "int":
                start = start if minus is None else minus
                number = read_int(self.text, value, minus is not None, start)
                return self.add(Literal(*self.at(start), number))
            case "double":
                start = start if minus is None else minus
                return self.add(
                    Literal(*self.at(start), read_double(self.text, value, minus is not None, start))
                )
            case "string" | "bytes":
                return self.add(Literal(*self.at(start), token.value))
            case "ident":
                return self.name(start, value, absolute=False)
            case "op" if value == "(":
                node = self.expression()
                self.expect(")")
                return node
            case "op" if value == "[":
                items = self.arguments("]")
                return self.add(ListNode(*self.at(start), items))
            case "op" if value == "{":
                entries = self.entries()
                return self.add(MapNode(*self.at(start), entries))
            case "op" if value == "." and self.token.kind == "ident":
                name = str(self.token.value)
                self.place += 1
                return self.name(start, name, absolute=True)
            case _:
                self.place -= 1
                raise self.unexpected()

    def name(self, start: int, name: str, absolute: bool) -> Node:
        if not absolute and name in ("true", "false"):
            return self.add(Literal(*self.at(start), name == "true"))
        if not absolute and name == "null":
            return self.add(Literal(*self.at(start), None))
        if name in _RESERVED or name in _NOT_FIELDS:
            raise CelSyntaxError(f"`{name}` is a reserved word", self.text, start)
        if self.is_op("("):
            return self.call(start, name, None)
        return self.add(Ident(*self.at(start), name, absolute))

    def arguments(self, close: str) -> tuple[Node, ...]:
        items: list[Node] = []
        while not self.is_op(close):
            items.append(self.expression())
            if not self.is_op(","):
                break
            self.place += 1
        self.expect(close)
        return tuple(items)

    def entries(self) -> tuple[tuple[Node, Node], ...]:
        items: list[tuple[Node, Node]] = []
        while not self.is_op("}"):
            key = self.expression()
            self.expect(":")
            items.append((key, self.expression()))
            if not self.is_op(","):
                break
            self.place += 1
        self.expect("}")
        return tuple(items)

    # ------------------------------------------------------------------------------------------------- macros
    def call(self, start: int, name: str, target: Node | None) -> Node:
        self.place += 1
        args = self.arguments(")")
        if target is None and name == "has":
            if len(args) != 1 or not isinstance(args[0], Select):
                raise CelSyntaxError("has() takes a field, as in has(event.coupon)", self.text, start)
            return self.add(Has(*self.at(start), args[0].operand, args[0].field))
        kind = _LOOPS.get(name) if target is not None else None
        if kind is None or target is None or len(args) not in ((2, 3) if kind is Loop.MAP else (2,)):
            return self.add(Call(*self.at(start), name, target, args))
        variable = args[0]
        if not isinstance(variable, Ident) or variable.absolute:
            raise CelSyntaxError(
                f"the first argument of {name}() is a name for each element, as in items.{name}(i, …)",
                self.text, variable.start,
            )  # fmt: skip
        if kind is Loop.MAP:
            predicate, result = (args[1] if len(args) == 3 else None), args[-1]
            return self.add(Comprehension(*self.at(start), kind, target, variable.name, predicate, result))
        return self.add(Comprehension(*self.at(start), kind, target, variable.name, args[1], None))
