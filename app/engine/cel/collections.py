"""The functions of lists and maps: `size`, `get`, and the `sets` extension."""

from __future__ import annotations

from typing import Any

from app.engine.cel.values import Budget, charge, eq_, find_key, no_overload

_SIZED: frozenset[Any] = frozenset((str, bytes, list, dict))


def size(value: Any) -> int:
    if value.__class__ in _SIZED:
        return len(value)
    raise no_overload("size()", value)


def get(mapping: Any, key: Any, default: Any) -> Any:
    """The value under `key`, or `default` when the map (or the key in it) is not there."""
    if mapping.__class__ is dict:
        if key.__class__ is str:
            return mapping.get(key, default)
        found = find_key(mapping, key, "get()")
        return default if found is None else found[0]
    if mapping is None:
        return default
    raise no_overload("get()", mapping)


def _lists(what: str, a: Any, b: Any) -> None:
    if a.__class__ is not list or b.__class__ is not list:
        raise no_overload(f"sets.{what}()", a, b)


def _as_texts(budget: Budget, items: list[Any]) -> set[str] | None:
    """The items as a set when all are texts: the usual case, linear instead of quadratic."""
    charge(budget, len(items))
    texts = {item for item in items if item.__class__ is str}
    return texts if all(item.__class__ is str for item in items) else None


def _has_all(budget: Budget, whole: list[Any], part: list[Any]) -> bool:
    for item in part:
        charge(budget, len(whole))
        if not any(eq_(budget, item, other) for other in whole):
            return False
    return True


def sets_contains(budget: Budget, whole: Any, part: Any) -> bool:
    """Whether every item of `part` is in `whole`."""
    _lists("contains", whole, part)
    a, b = _as_texts(budget, whole), _as_texts(budget, part)
    return b <= a if a is not None and b is not None else _has_all(budget, whole, part)


def sets_equivalent(budget: Budget, a: Any, b: Any) -> bool:
    """Whether both have the same items, in any order and number."""
    _lists("equivalent", a, b)
    left, right = _as_texts(budget, a), _as_texts(budget, b)
    if left is not None and right is not None:
        return left == right
    return _has_all(budget, a, b) and _has_all(budget, b, a)


def sets_intersects(budget: Budget, a: Any, b: Any) -> bool:
    """Whether some item is in both."""
    _lists("intersects", a, b)
    left, right = _as_texts(budget, a), _as_texts(budget, b)
    if left is not None and right is not None:
        return not left.isdisjoint(right)
    for item in a:
        charge(budget, len(b))
        if any(eq_(budget, item, other) for other in b):
            return True
    return False
