"""The expression language of rules: CEL with exact decimals, compiled to Python once per rule version.

    program = compile('event.type == "purchase" && event.amount > 50', Kind.CONDITION)
    program.evaluate({"event": {"type": "purchase", "amount": Decimal("49.99")}, "participant": …})

A text becomes tokens (`lexer`), a tree (`parser`), a checked tree (`checker`), Python code (`generate`) and a
`Program`. Everything here is pure and safe to use from many threads. The language is described in
docs/reference/cel.md; nothing here knows rules, events or the ledger.
"""

from app.engine.cel.environment import FILTER, RULE, Environment
from app.engine.cel.errors import (
    CelBudgetError,
    CelCompileError,
    CelError,
    CelEvaluationError,
    CelSourceError,
    CelSyntaxError,
    ErrorKind,
)
from app.engine.cel.explain import Explanation, State, Step
from app.engine.cel.index import event_types as _types_of_tree
from app.engine.cel.portable import check_portable
from app.engine.cel.program import Kind, Program, compile, compile_in
from app.engine.cel.reads import Reads
from app.engine.cel.render import line, lines
from app.engine.cel.template import Template, compile_template
from app.engine.cel.tree import Tree


def event_types(condition: Program | Tree) -> frozenset[str] | None:
    """The values of `event.type` for which a condition may be true; None when it may be for any."""
    return condition.types if isinstance(condition, Program) else _types_of_tree(condition)


__all__ = [
    "FILTER",
    "RULE",
    "CelBudgetError",
    "CelCompileError",
    "CelError",
    "CelEvaluationError",
    "CelSourceError",
    "CelSyntaxError",
    "Environment",
    "ErrorKind",
    "Explanation",
    "Kind",
    "Program",
    "Reads",
    "State",
    "Step",
    "Template",
    "check_portable",
    "compile",
    "compile_in",
    "compile_template",
    "event_types",
    "line",
    "lines",
]
