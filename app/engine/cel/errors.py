"""The errors of the expression language. Messages quote the rule, never the data that it was run on: they are
stored with events and shown in logs."""

from __future__ import annotations

from enum import Enum


class ErrorKind(Enum):
    """Why an evaluation failed. Stored with the rule's evaluation, so the values are part of the contract."""

    MISSING = "missing_field"
    TYPE = "type"
    DIVISION = "division_by_zero"
    RANGE = "out_of_range"
    VALUE = "invalid_value"
    LIMIT = "limit"
    INTERNAL = "internal"


class CelError(Exception):
    """Anything that is wrong with an expression, or with running it. `message` is fit for the rule's
    author."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class CelSourceError(CelError):
    """Something is wrong with the text itself. `line` and `column` count from 1, `excerpt` shows them with
    a caret."""

    def __init__(self, message: str, text: str, offset: int) -> None:
        super().__init__(message)
        self.offset = offset
        self.line = text.count("\n", 0, offset) + 1
        self.column = offset - (text.rfind("\n", 0, offset) + 1) + 1
        self.excerpt = _excerpt(text, offset)

    def __str__(self) -> str:
        return f"{self.message} (line {self.line}, column {self.column})"


class CelSyntaxError(CelSourceError):
    """The text is not an expression, or is larger than the limits allow."""


class CelCompileError(CelSourceError):
    """The text is an expression, but not one that can run: an unknown name, types that never fit, a bad
    pattern."""


class CelEvaluationError(CelError):
    """This expression has no value on this data. `kind` is stable; `message` holds no data."""

    def __init__(self, kind: ErrorKind, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class CelBudgetError(CelError):
    """The step budget of one evaluation is used up. No `||` or `&&` absorbs it."""

    def __init__(self) -> None:
        super().__init__("the expression needs more steps than one evaluation may use")


def _excerpt(text: str, offset: int) -> str:
    """The line around `offset`, at most 80 characters of it, and a caret below. Tabs become spaces to keep
    it true."""
    begin = text.rfind("\n", 0, offset) + 1
    end = text.find("\n", offset)
    end = len(text) if end < 0 else end
    left = max(begin, offset - 50)
    right = min(end, left + 80)
    shown = "".join(c if c.isprintable() else " " for c in text[left:right])
    return f"{shown}\n{' ' * (offset - left)}^"
