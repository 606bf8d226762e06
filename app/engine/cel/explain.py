"""Explanations: the tree of an evaluation, sub-expression by sub-expression.

A program that raises nothing is run in its kept form, which keeps the value of every node in a variable
and makes the steps of them in straight code. When anything raises, even if `||` absorbs it, the traced form
is run, in which a Recorder stands around every node. Both forms come from the generator that made the
program, so an explanation cannot disagree with the evaluation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import Enum
from typing import Any, NamedTuple

from app.engine.cel.errors import CelBudgetError, CelEvaluationError
from app.engine.cel.tree import Binary, Literal, Node, Tree, children


class State(Enum):
    """What became of a sub-expression."""

    VALUE = "value"
    ERROR = "error"
    NOT_EVALUATED = "not_evaluated"


class Step(NamedTuple):
    """One sub-expression. `start` and `end` are offsets into the rule's text, `text` is what stands there.
    In a loop `value` is that of the last round, which is the one that decided, and `times` counts the
    rounds."""

    start: int
    end: int
    text: str
    state: State
    value: object
    error: str | None
    times: int
    children: tuple[Any, ...]

    def walk(self) -> Iterator[Step]:
        """This step and all below it, parents first."""
        yield self
        for child in self.children:
            yield from child.walk()

    @property
    def failed_at(self) -> Step | None:
        """The smallest sub-expression that the error of this one came from."""
        if self.state is not State.ERROR:
            return None
        step: Step = self
        while True:
            failed = (c for c in step.children if c.state is State.ERROR and c.error == step.error)
            inner = next(failed, None)
            if inner is None:
                return step
            step = inner


class Explanation(NamedTuple):
    """`value`, or `error` when there is none: exactly what `evaluate` gives. `root` is the whole
    expression."""

    value: object
    error: CelEvaluationError | CelBudgetError | None
    root: Step


class Recorder:
    """Keeps, per node, the last outcome and how often it was evaluated. Used by one evaluation only."""

    __slots__ = ("errors", "times", "values")

    def __init__(self, size: int) -> None:
        self.values: list[Any] = [None] * size
        self.errors: list[str | None] = [None] * size
        self.times = [0] * size

    def record(self, number: int, evaluate: Callable[[], Any]) -> Any:
        """The value of a node, remembered; an error is remembered and raised again."""
        self.times[number] += 1
        try:
            value = evaluate()
        except (CelEvaluationError, CelBudgetError) as error:
            self.errors[number] = error.message
            raise
        self.values[number] = value
        self.errors[number] = None
        return value


class Outline:
    """The parts of an explanation that are the same for every evaluation of a program."""

    def __init__(self, tree: Tree) -> None:
        self.root = tree.root.number
        self.size = len(tree.nodes)
        self.sites: list[tuple[int, int, str, tuple[int, ...]]] = []
        self.untouched: list[Step] = []
        self.literals: list[Step | None] = []
        self.is_chain: list[bool] = []
        # Children have smaller numbers than their parents, so one pass in order builds everything bottom-up.
        for node in tree.nodes:
            below = tuple(child.number for child in children(node))
            text = tree.source(node)
            self.sites.append((node.start, node.end, text, below))
            steps = tuple(self.untouched[child] for child in below)
            untouched = Step(node.start, node.end, text, State.NOT_EVALUATED, None, None, 0, steps)
            self.untouched.append(untouched)
            self.literals.append(_literal(node, untouched))
            self.is_chain.append(isinstance(node, Binary))

    def step(self, number: int, recorder: Recorder) -> Step:
        """The step of a node whose parent was evaluated."""
        literal = self.literals[number]
        if literal is not None:
            return literal
        times, error = recorder.times[number], recorder.errors[number]
        if not times and not self.is_chain[number]:
            return self.untouched[number]
        start, end, text, below = self.sites[number]
        steps = tuple([self.step(child, recorder) for child in below])
        if not times:
            # A link of a chain is not entered when its left side erred: the error passes through it.
            failed = next((step for step in steps if step.state is State.ERROR), None)
            if failed is None:
                return self.untouched[number]
            error = failed.error
        if error is not None:
            return Step(start, end, text, State.ERROR, None, error, times, steps)
        return Step(start, end, text, State.VALUE, recorder.values[number], None, times, steps)


def _literal(node: Node, untouched: Step) -> Step | None:
    """Literals record nothing: they are evaluated whenever their parent is."""
    if not isinstance(node, Literal):
        return None
    return untouched._replace(state=State.VALUE, value=node.value, times=1)
