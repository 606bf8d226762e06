"""Explanations as lines for people: `event.amount > 50.0 → 49.99 > 50.0 → false`."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal
from typing import Any

from app.engine.cel.conversions import to_string
from app.engine.cel.errors import CelError
from app.engine.cel.explain import Explanation, State, Step

VALUE_CHARS_MAX = 60
"""How much of a value a line shows; the whole value is in the step."""


def lines(explanation: Explanation) -> list[str]:
    """One line for each sub-expression that is more than a name or a literal, parents first, indented by
    depth.

    They show data; whoever stores or logs them answers for that."""
    found: list[str] = []
    todo = [(explanation.root, 0)]
    while todo:
        step, depth = todo.pop()
        if not step.children and found:
            continue
        found.append("  " * depth + line(step))
        todo.extend((child, depth + 1) for child in reversed(step.children))
    return found


def line(step: Step) -> str:
    """The text of a step, the text with its parts' values put in (where that says more), and its value or
    error."""
    match step.state:
        case State.NOT_EVALUATED:
            return f"{step.text} → not evaluated"
        case State.ERROR:
            return f"{step.text} → error: {step.error}"
        case State.VALUE:
            value, filled = shown(step.value), _filled(step)
            middle = "" if filled in (step.text, value) else f" → {filled}"
            rounds = f" (last of {step.times} rounds)" if step.times > 1 else ""
            return f"{step.text}{middle} → {value}{rounds}"


def shown(value: Any) -> str:
    """A value as CEL writes it, cut where it is long."""
    text = _spelled(value)
    return text if len(text) <= VALUE_CHARS_MAX else text[: VALUE_CHARS_MAX - 1] + "…"


def _spelled(value: Any) -> str:
    match value:
        case None:
            return "null"
        case str():
            return json.dumps(value[: VALUE_CHARS_MAX + 1], ensure_ascii=False)
        case bool() | int() | Decimal() | dt.datetime() | dt.timedelta():
            return _plain(value)
        case list():
            return "[" + ", ".join(shown(item) for item in value[:VALUE_CHARS_MAX]) + "]"
        case dict():
            some = list(value.items())[:VALUE_CHARS_MAX]
            return "{" + ", ".join(f"{shown(key)}: {shown(item)}" for key, item in some) + "}"
        case _:
            return str(getattr(value, "name", value))


def _plain(value: Any) -> str:
    try:
        return to_string(value)
    except CelError:
        # A number too long to print in full.
        return str(value)


def _filled(step: Step) -> str:
    """The step's text with every part that has a value replaced by it; literals stay as written. Loops are
    left as they are: their parts have had many values."""
    if step.times > 1 or any(child.times > 1 for child in step.children):
        return step.text
    text, at = "", step.start
    for child in step.children:
        is_literal = not child.children and not (child.text[0].isalpha() or child.text[0] in "_.")
        if child.state is State.VALUE and child.start >= at and not is_literal:
            text += step.text[at - step.start : child.start - step.start] + shown(child.value)
            at = child.end
    return text + step.text[at - step.start :]
