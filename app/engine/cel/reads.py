"""What an expression reads: variables, field paths, functions. The snapshot loader loads only this, and the
stored inputs of a decision hold only this.
"""

from __future__ import annotations

from dataclasses import dataclass

from app.engine.cel.checker import Checked
from app.engine.cel.tree import Call, Has, Index, Literal, Node, Select, children

Path = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Reads:
    """`paths` are minimal: each begins with a variable and ends where the expression takes the whole value
    (because it loops over it, computes the key, or yields it). Nothing outside of them can change the
    result."""

    variables: frozenset[str]
    paths: frozenset[Path]
    functions: frozenset[str]

    def __or__(self, other: Reads) -> Reads:
        return Reads(
            self.variables | other.variables,
            minimal(self.paths | other.paths),
            self.functions | other.functions,
        )


NOTHING = Reads(frozenset(), frozenset(), frozenset())


def reads_of(checked: Checked) -> Reads:
    paths: set[Path] = set()
    todo: list[Node] = [checked.tree.root]
    while todo:
        node = todo.pop()
        path, defaults = _pure_path(checked, node)
        if path is None:
            todo.extend(children(node))
        else:
            paths.add(path)
            todo.extend(defaults)
    functions = {function.name for function in checked.functions.values() if function is not None}
    return Reads(frozenset(path[0] for path in paths), minimal(frozenset(paths)), frozenset(functions))


def minimal(paths: frozenset[Path]) -> frozenset[Path]:
    """Without the paths that another one contains."""
    return frozenset(
        path for path in paths if not any(path[:length] in paths for length in range(1, len(path)))
    )


def _pure_path(checked: Checked, node: Node) -> tuple[Path | None, list[Node]]:
    """The path of a node that is a variable and constant steps from it, and the defaults of the `get` calls
    among the steps. None when anything about the node is computed: then its children are looked at."""
    steps: list[str] = []
    defaults: list[Node] = []
    while node.number not in checked.variables:
        match node:
            case Select() | Has():
                steps.append(node.field)
                node = node.operand
            case Index(key=Literal(value=str(field))):
                steps.append(field)
                node = node.operand
            case Call(args=(mapping, Literal(value=str(field)), default)) if _is_get(checked, node):
                steps.append(field)
                defaults.append(default)
                node = mapping
            case _:
                return None, []
    return (checked.variables[node.number], *reversed(steps)), defaults


def _is_get(checked: Checked, node: Node) -> bool:
    function = checked.functions.get(node.number)
    return function is not None and function.name == "get"
