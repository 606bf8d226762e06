"""The index over `event.type`: for which types can a condition be true? With it a program of hundreds of
rules evaluates only those that may match.

Skipping is exact. A conjunct that is false makes `&&` false even when another one errs, and a test of the
type is false for every other type; so a rule outside of its set could only have said no. (An event without
a type has no such proof: there all rules are candidates.) The generator puts the tests of the type first,
so that they also decide before anything that could use up the budget.
"""

from __future__ import annotations

from app.engine.cel.tree import Binary, Ident, ListNode, Literal, Logic, Node, Select, Tree


def event_types(tree: Tree) -> frozenset[str] | None:
    """The values of `event.type` for which the condition may be true; None when it may be for any."""
    return types_of(tree.root)


def types_of(node: Node) -> frozenset[str] | None:
    match node:
        case Binary(op="=="):
            for this, that in ((node.left, node.right), (node.right, node.left)):
                if _is_event_type(this) and isinstance(that, Literal):
                    return frozenset((that.value,)) if isinstance(that.value, str) else frozenset()
            return None
        case Binary(op="in") if _is_event_type(node.left) and isinstance(node.right, ListNode):
            values = [item.value for item in node.right.items if isinstance(item, Literal)]
            if len(values) < len(node.right.items):
                return None
            return frozenset(value for value in values if isinstance(value, str))
        case Logic(op="&&"):
            known = [found for part in node.operands if (found := types_of(part)) is not None]
            return frozenset.intersection(*known) if known else None
        case Logic():
            sets = [types_of(part) for part in node.operands]
            known = [found for found in sets if found is not None]
            return frozenset().union(*known) if len(known) == len(sets) else None
        case Literal(value=False):
            return frozenset()
        case _:
            return None


def is_type_test(node: Node) -> bool:
    """Whether the node is nothing but a test of the type: cheap, and decisive for all other types."""
    return isinstance(node, Binary) and types_of(node) is not None


def _is_event_type(node: Node) -> bool:
    """`event.type`. The loop variables of a rule may be named `event` too; such a name never stands at the
    top level, and the functions above never look inside a loop."""
    return (
        isinstance(node, Select)
        and node.field == "type"
        and isinstance(node.operand, Ident)
        and node.operand.name == "event"
    )
