"""What a value is: the CEL type of a Python value, and equality. Everything else that handles values builds
on this.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from app.engine.cel.errors import CelBudgetError, CelEvaluationError, ErrorKind
from app.engine.cel.numbers import UInt

Budget = list[int]
"""One mutable cell: the steps that this evaluation has left."""


@dataclass(frozen=True, slots=True)
class TypeValue:
    """A CEL type as a value: what `type(x)` gives and what the names `int`, `string` … stand for."""

    name: str


_NAMES: dict[type, str] = {
    bool: "bool", int: "double", UInt: "uint", Decimal: "double", str: "string", bytes: "bytes", list: "list",
    dict: "map", type(None): "null_type", dt.datetime: "google.protobuf.Timestamp",
    dt.timedelta: "google.protobuf.Duration", TypeValue: "type",
}  # fmt: skip
TYPE_VALUES = {name: TypeValue(name) for name in {*_NAMES.values(), "int"}}
_FRIENDLY = {
    "double": "number", "uint": "unsigned number", "null_type": "null",
    "google.protobuf.Timestamp": "timestamp", "google.protobuf.Duration": "duration",
}  # fmt: skip


def type_name(value: object) -> str:
    """The CEL name of the type. A plain int in data is a number like any other, hence `double`."""
    return _NAMES.get(value.__class__, "unsupported")


def type_(value: object) -> TypeValue:
    name = type_name(value)
    if name == "unsupported":
        raise no_overload("type()", value)
    return TYPE_VALUES[name]


def friendly(value: object) -> str:
    name = type_name(value)
    return _FRIENDLY.get(name, name)


def no_overload(what: str, *values: object) -> CelEvaluationError:
    """The error for an operation that these types do not have."""
    kinds = " and ".join(friendly(value) for value in values)
    return CelEvaluationError(ErrorKind.TYPE, f"{what} is not defined for {kinds}")


def charge(budget: Budget, steps: int) -> None:
    """Take `steps` from what is left, or end the evaluation."""
    budget[0] -= steps
    if budget[0] < 0:
        raise CelBudgetError()


_ELEMENT_STEPS = 4


def eq_(budget: Budget, a: Any, b: Any) -> bool:
    """CEL equality: numbers by value across their types, other types never equal each other."""
    ca, cb = a.__class__, b.__class__
    if ca is list:
        if cb is not list or len(a) != len(b):
            return False
        charge(budget, _ELEMENT_STEPS * len(a))
        return all(eq_(budget, x, y) for x, y in zip(a, b, strict=True))
    if ca is dict:
        if cb is not dict or len(a) != len(b):
            return False
        charge(budget, _ELEMENT_STEPS * len(a))
        return all(key in b and eq_(budget, value, b[key]) for key, value in a.items())
    if ca is bool or cb is bool:
        return a is b
    if ca is cb or (ca in _NUMERIC and cb in _NUMERIC):
        return bool(a == b)
    return False


_NUMERIC = frozenset((int, Decimal, UInt))


def ne_(budget: Budget, a: Any, b: Any) -> bool:
    return not eq_(budget, a, b)


def in_(budget: Budget, a: Any, b: Any) -> bool:
    """Membership in a list, or of a key in a map. Comparing text costs an eighth of a step, anything else
    one."""
    cb = b.__class__
    if cb is list:
        if a.__class__ is str:
            charge(budget, len(b) >> 3)
            return a in b
        charge(budget, len(b))
        return any(eq_(budget, a, item) for item in b)
    if cb is dict:
        return find_key(b, a, "in") is not None
    raise no_overload("`in`", a, b)


def among_(a: Any, literals: frozenset[Any]) -> bool:
    """Membership in a literal list of texts only, or of numbers only (never both, so that `in` is exact)."""
    return (a.__class__ is str or a.__class__ in _NUMERIC) and a in literals


def find_key(mapping: dict[Any, Any], key: Any, what: str) -> tuple[Any] | None:
    """The value under `key` in a 1-tuple, or None. Python holds True and 1 for one key; CEL does not."""
    ck = key.__class__
    if ck is str:
        return (mapping[key],) if key in mapping else None
    if ck not in _NUMERIC and ck is not bool:
        raise no_overload(what, key, mapping)
    if key not in mapping:
        return None
    if ck is bool or key == 0 or key == 1:
        stored = next(k for k in mapping if k == key)
        if (stored.__class__ is bool) != (ck is bool):
            return None
    return (mapping[key],)
