"""Explanations: the tree of an evaluation. The traced form of a program records every sub-expression
through a Recorder; this module turns the record into a tree of steps that a person (or the API) can read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any

from app.engine.cel.errors import CelBudgetError, CelEvaluationError
from app.engine.cel.tree import Literal, Node, Tree, children


class State(Enum):
    """What became of a sub-expression."""

    VALUE = "value"
    ERROR = "error"
    NOT_EVALUATED = "not_evaluated"


@dataclass(frozen=True, slots=True)
class Step:
    """One sub-expression. `start` and `end` are offsets into the rule's text. In a loop `value` is that of
    the last round, which is the one that decided, and `times` counts the rounds."""

    start: int
    end: int
    text: str
    state: State
    value: object
    error: str | None
    times: int
    children: tuple[Step, ...]

    def walk(self) -> Iterator[Step]:
        yield self
        for child in self.children:
            yield from child.walk()


@dataclass(frozen=True, slots=True)
class Explanation:
    """`value`, or `error` when there is none: exactly what `evaluate` gives. `root` is the whole
    expression."""

    value: object
    error: CelEvaluationError | CelBudgetError | None
    root: Step

    @property
    def failed_at(self) -> Step | None:
        """The smallest sub-expression whose error became the error of the whole."""
        if self.error is None or self.root.state is not State.ERROR:
            return None
        step = self.root
        while True:
            inner = next((c for c in step.children if c.state is State.ERROR and c.error == step.error), None)
            if inner is None:
                return step
            step = inner


class Recorder:
    """Keeps, per node, the last outcome and how often it was evaluated. Used by one evaluation only."""

    __slots__ = ("errors", "times", "values")

    def __init__(self, size: int) -> None:
        self.values: list[Any] = [None] * size
        self.errors: list[str | None] = [None] * size
        self.times = [0] * size

    def record(self, number: int, evaluate: Callable[[], Any]) -> Any:
        self.times[number] += 1
        try:
            value = evaluate()
        except (CelEvaluationError, CelBudgetError) as error:
            self.errors[number] = error.message
            raise
        self.values[number] = value
        self.errors[number] = None
        return value


def explanation(
    tree: Tree, recorder: Recorder, value: object, error: CelEvaluationError | CelBudgetError | None
) -> Explanation:
    steps: list[Step] = []
    by_number: dict[int, Step] = {}
    parents_evaluated = _evaluated_parents(tree, recorder)
    # Children have smaller numbers than their parents, so one pass in order builds the tree bottom-up.
    for node in tree.nodes:
        inner = tuple(by_number[child.number] for child in children(node))
        step = _step(tree, node, recorder, inner, node.number in parents_evaluated)
        by_number[node.number] = step
        steps.append(step)
    return Explanation(value, error, by_number[tree.root.number])


def _evaluated_parents(tree: Tree, recorder: Recorder) -> set[int]:
    """Nodes below an evaluated one: literals record nothing, they are evaluated whenever their parent is."""
    return {
        child.number for node in tree.nodes if recorder.times[node.number] for child in children(node)
    } | {tree.root.number}


def _step(tree: Tree, node: Node, recorder: Recorder, inner: tuple[Step, ...], reached: bool) -> Step:
    times = recorder.times[node.number]
    error = recorder.errors[node.number]
    value = recorder.values[node.number]
    if isinstance(node, Literal):
        state, value = (State.VALUE, node.value) if reached else (State.NOT_EVALUATED, None)
        times = 1 if reached else 0
    elif error is not None:
        state, value = State.ERROR, None
    elif times:
        state = State.VALUE
    else:
        # A link of an operator chain whose left side erred is never entered: the error passes through it.
        failed = next((child for child in inner if child.state is State.ERROR), None)
        state = State.NOT_EVALUATED if failed is None else State.ERROR
        error = failed.error if failed is not None else None
    return Step(node.start, node.end, tree.source(node), state, value, error, times, inner)
