"""The other evaluators, each behind the same question: what does this expression give on this document?

The answer is `("value", v)`, `("error",)` or `("refused",)` (ours only: at save). Values are comparable:
numbers as floats whatever their type, times as seconds. cel-python runs in this process. Google's evaluator
(`cel-expr-python`, a development tool that need not be installed) runs in one of its own, because it aborts
the interpreter after some thousands of nulls on Python 3.11; `CEL_ORACLE_PYTHON` may name another
interpreter that has it.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import subprocess
import sys
from decimal import Decimal
from typing import Any

from app.engine.cel import CelError, CelEvaluationError, ErrorKind, Kind
from app.engine.cel import compile as compile_cel

Answer = tuple[Any, ...]
ERROR: Answer = ("error",)
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def comparable(value: Any) -> Answer:
    match value:
        case bool():
            return ("bool", value)
        case int() | float() | Decimal():
            return ("number", float(value))
        case None | str() | bytes():
            return ("plain", value)
        case dt.timedelta():
            return ("duration", value.total_seconds())
        case dt.datetime():
            return ("timestamp", (value - _EPOCH).total_seconds())
        case list():
            return ("list", tuple(comparable(item) for item in value))
        case dict():
            return ("map", tuple(sorted((comparable(k), comparable(v)) for k, v in value.items())))
        case _:
            return ("other", repr(value))


def ours(expression: str, event: Any) -> Answer:
    data = {"event": json.loads(json.dumps(event), parse_float=Decimal)}
    try:
        return ("value", comparable(compile_cel(expression, Kind.VALUE).evaluate(data)))
    except CelEvaluationError as error:
        return ("internal", error.message) if error.kind is ErrorKind.INTERNAL else ERROR
    except CelError:
        return ("refused",)


class CelPython:
    """The interpreter of cel-python, in this process."""

    def __init__(self) -> None:
        import celpy
        from celpy import celtypes

        limit = sys.getrecursionlimit()
        self.celpy, self.types = celpy, celtypes
        self.environment = celpy.Environment(runner_class=celpy.InterpretedRunner)
        sys.setrecursionlimit(limit)

    def ask(self, expression: str, event: Any) -> Answer:
        try:
            program = self.environment.program(self.environment.compile(expression))
            value = program.evaluate({"event": self.celpy.json_to_cel(event)})
        except (self.celpy.CELEvalError, self.celpy.CELParseError):
            return ERROR
        except Exception as error:
            # Its operators let TypeError, ValueError and others through: an error in any case.
            return (
                ERROR
                if isinstance(error, ArithmeticError | TypeError | ValueError | KeyError)
                else ("odd", str(error))
            )
        return ("value", comparable(self._plain(value)))

    def _plain(self, value: Any) -> Any:
        types = self.types
        match value:
            case types.BoolType():
                return bool(value)
            case list():
                # cel-python's `+` of lists gives a plain one.
                return [self._plain(item) for item in value]
            case dict():
                return {self._plain(key): self._plain(item) for key, item in value.items()}
            case types.StringType():
                return str(value)
            case types.DoubleType():
                return float(value)
            case types.IntType() | types.UintType():
                return int(value)
            case types.DurationType():
                return dt.timedelta(seconds=value.total_seconds())
            case _:
                return value


def google_python() -> str | None:
    """An interpreter that has Google's evaluator, or None."""
    for candidate in (os.environ.get("CEL_ORACLE_PYTHON"), sys.executable):
        if (
            candidate
            and subprocess.run([candidate, "-c", _IMPORT], capture_output=True, check=False).returncode == 0
        ):
            return candidate
    return None


def google(python: str, questions: list[tuple[str, Any]]) -> list[Answer]:
    """The answers of one process to many questions."""
    lines = "".join(json.dumps(question) + "\n" for question in questions)
    done = subprocess.run([python, "-c", _GOOGLE], input=lines, capture_output=True, text=True, check=True)
    return [_tuples(json.loads(line)) for line in done.stdout.splitlines()]


def _tuples(value: Any) -> Any:
    return tuple(_tuples(item) for item in value) if isinstance(value, list) else value


_IMPORT = "from cel_expr_python import cel"
_GOOGLE = """
import datetime as dt, json, sys
from cel_expr_python import cel

types = cel.Type
environment = cel.NewEnv(variables={"event": types.Map(types.STRING, types.DYN)})
epoch = dt.datetime(1970, 1, 1, tzinfo=dt.timezone.utc)


def comparable(value):
    if isinstance(value, bool):
        return ["bool", value]
    if isinstance(value, (int, float)):
        return ["number", float(value)]
    if value is None or isinstance(value, str):
        return ["plain", value]
    if isinstance(value, dt.timedelta):
        return ["duration", value.total_seconds()]
    if isinstance(value, dt.datetime):
        return ["timestamp", (value - epoch).total_seconds()]
    if isinstance(value, list):
        return ["list", [comparable(item) for item in value]]
    if isinstance(value, dict):
        return ["map", sorted([comparable(k), comparable(v)] for k, v in value.items())]
    return ["other", repr(value)]


for line in sys.stdin:
    expression, event = json.loads(line)
    try:
        result = environment.compile(expression, disable_check=True).eval(data={"event": event})
        answer = ["error"] if result.type().name() == "ERROR" else ["value", comparable(result.plain_value())]
    except Exception:
        answer = ["error"]
    print(json.dumps(answer))
"""
