"""`compile`: text to a Program, once per rule version; `Program.evaluate`: one evaluation, any number of
threads.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Any

from app.engine.cel import statics
from app.engine.cel.absorb import UNEXPECTED, internal_error
from app.engine.cel.checker import Checked, check
from app.engine.cel.environment import FILTER, RULE, Environment
from app.engine.cel.errors import CelBudgetError, CelCompileError, CelEvaluationError
from app.engine.cel.explain import Explanation, Outline, Recorder
from app.engine.cel.generate import Compiled, Form, generate
from app.engine.cel.index import event_types
from app.engine.cel.parser import parse
from app.engine.cel.reads import Reads, reads_of


class Kind(Enum):
    """What an expression is for, and so what it must yield."""

    CONDITION = "condition"
    AMOUNT = "amount"
    STRING = "string"
    FILTER = "filter"
    VALUE = "value"


_YIELDS = {
    Kind.CONDITION: ("a condition must be true or false", frozenset(("bool",)), "bool_({})"),
    Kind.FILTER: ("a filter must be true or false", frozenset(("bool",)), "bool_({})"),
    Kind.AMOUNT: ("an amount must be a number", statics.NUMERIC, "amount_({})"),
    Kind.STRING: ("a text is expected here", frozenset(("string",)), "text_({})"),
    Kind.VALUE: ("", frozenset(), "{}"),
}

_TALL = 20
"""Trees of fewer levels always compile, in every form."""


class Program:
    """A compiled expression. Immutable for its users; the other forms of its code are built when first
    needed (twice, harmlessly, when two threads need them at once)."""

    __slots__ = (
        "_checked", "_exact", "_explaining", "_fast", "_result", "kind", "reads", "source", "text", "types",
    )  # fmt: skip

    def __init__(self, text: str, kind: Kind, checked: Checked) -> None:
        self.text = text
        self.kind = kind
        self._checked = checked
        self._result = _result_of(kind, checked)
        self.source, self._fast = generate(checked, Form.FAST, self._result)
        self._exact: Compiled | None = None
        self._explaining: tuple[Outline, Compiled, Compiled] | None = None
        if checked.tree.height > _TALL:
            # Python's compiler may refuse deeply nested code. Then the rule is refused now, not when it runs.
            self._build_exact()
            self._build_explaining()
        self.reads: Reads = reads_of(checked)
        self.types = event_types(checked.tree)

    def __repr__(self) -> str:
        return f"Program({self.text!r}, {self.kind})"

    def evaluate(self, activation: Mapping[str, object]) -> Any:
        """The value on this data. Raises CelEvaluationError or CelBudgetError. Never changes the
        activation.

        The activation is plain data: dict, list, str, bool, int, Decimal, None, aware datetimes in UTC,
        timedelta; no floats. A variable that is not in it is null (naming all of them is faster)."""
        try:
            return self._fast(activation)
        except CelBudgetError:
            raise
        except Exception:
            # The exact form finds out what went wrong, and absorbs it or names it. Expressions have no side
            # effects, so running one twice is safe.
            exact = self._exact or self._build_exact()
        try:
            return exact(activation)
        except UNEXPECTED as error:
            raise internal_error(error) from error

    def explain(self, activation: Mapping[str, object]) -> Explanation:
        """The same value or error as `evaluate`, and every sub-expression with what it gave."""
        outline, kept, traced = self._explaining or self._build_explaining()
        try:
            value, root = kept(activation)
        except Exception:
            # As in `evaluate`: the exact form decides what an error means. Here it records on its way.
            return self._traced(outline, traced, activation)
        return Explanation(value, None, root)

    def _traced(self, outline: Outline, traced: Compiled, activation: Mapping[str, object]) -> Explanation:
        recorder = Recorder(outline.size)
        value: object = None
        failure: CelEvaluationError | CelBudgetError | None = None
        try:
            value = traced(activation, recorder.record)
        except (CelEvaluationError, CelBudgetError) as error:
            failure = error
        except UNEXPECTED as error:
            failure = internal_error(error)
        return Explanation(value, failure, outline.step(outline.root, recorder))

    def _build_exact(self) -> Compiled:
        self._exact = generate(self._checked, Form.EXACT, self._result)[1]
        return self._exact

    def _build_explaining(self) -> tuple[Outline, Compiled, Compiled]:
        outline = Outline(self._checked.tree)
        kept = generate(self._checked, Form.KEPT, self._result, outline)[1]
        traced = generate(self._checked, Form.TRACED, self._result)[1]
        self._explaining = outline, kept, traced
        return self._explaining


def compile_in(text: str, kind: Kind, environment: Environment) -> Program:
    """`compile` with other variables than a rule has."""
    tree = parse(text)
    checked = check(tree, environment)
    message, wanted, _ = _YIELDS[kind]
    static = checked.type_of(tree.root)
    if wanted and static.name != "dyn" and static.name not in wanted:
        raise CelCompileError(f"{message}; this is {statics.described(static)}", text, tree.root.start)
    return Program(text, kind, checked)


def compile(text: str, kind: Kind) -> Program:
    """The program of one expression. Raises CelSyntaxError or CelCompileError, with line, column and
    excerpt."""
    return compile_in(text, kind, FILTER if kind is Kind.FILTER else RULE)


def _result_of(kind: Kind, checked: Checked) -> str:
    """The check of the result, left out where the type is known."""
    template = _YIELDS[kind][2]
    known = checked.type_of(checked.tree.root).name
    return "{}" if known == "bool" and template.startswith("bool_") else template
