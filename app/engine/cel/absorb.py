"""`&&`, `||`, `all` and `exists` as the CEL specification has them: an error on one side is absorbed when
the other side decides. Generated exact code passes each operand as a function; the fast code uses Python's
own operators and is abandoned for this one as soon as anything raises. A used-up budget is never absorbed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from app.engine.cel.errors import CelEvaluationError, ErrorKind
from app.engine.cel.values import Budget, charge, friendly

UNEXPECTED = (
    ArithmeticError,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    RecursionError,
    MemoryError,
)
"""What helpers should never let out. It becomes an error of kind INTERNAL, so that one odd rule cannot stop
an event; the tests treat that kind as a failure.
"""


_ERROR_STEPS = 10


def internal_error(error: Exception) -> CelEvaluationError:
    return CelEvaluationError(ErrorKind.INTERNAL, f"internal error ({type(error).__name__})")


def _decide(budget: Budget, operands: Iterable[Callable[[], Any]], deciding: bool) -> bool:
    """`deciding` as soon as an operand has that value; else the first error; else the other value.

    An error costs steps of its own: raising one takes as long as evaluating several nodes."""
    first: CelEvaluationError | None = None
    for operand in operands:
        try:
            value = operand()
        except CelEvaluationError as error:
            charge(budget, _ERROR_STEPS)
            first = first or error
            continue
        except UNEXPECTED as error:
            first = first or internal_error(error)
            continue
        if value is not True and value is not False:
            first = first or CelEvaluationError(
                ErrorKind.TYPE, f"true or false expected, not {friendly(value)}"
            )
        elif value is deciding:
            return deciding
    if first is not None:
        raise first
    return not deciding


def and_(budget: Budget, *operands: Callable[[], Any]) -> bool:
    return _decide(budget, operands, deciding=False)


def or_(budget: Budget, *operands: Callable[[], Any]) -> bool:
    return _decide(budget, operands, deciding=True)


def all_(budget: Budget, items: Iterable[Any], predicate: Callable[[Any], Any]) -> bool:
    return _decide(budget, (partial(predicate, item) for item in items), deciding=False)


def exists_(budget: Budget, items: Iterable[Any], predicate: Callable[[Any], Any]) -> bool:
    return _decide(budget, (partial(predicate, item) for item in items), deciding=True)


def one_(matches: Iterable[bool]) -> bool:
    """Whether exactly one is true. Unlike `exists`, an error in any element is an error."""
    return sum(1 for match in matches if match) == 1
