"""Reading a batch whose items stand alone: what no store can keep in one item is that item's error.

The whole body is read at once by app/api/bodies; only where that refuses it, it is read again here with the
faults kept in their places. JSON that is no JSON stays an error of the request.
"""

import json
from collections.abc import Callable
from typing import Any

from app.api import bodies
from app.domain.errors import DomainError, InvalidRequest, ValidationError
from app.domain.texts import is_unstorable


class _Fault:
    """Stands where something could not be read."""

    def __init__(self, error: DomainError) -> None:
        self.error = error


def _kept(read: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def attempt(found: Any) -> Any:
        try:
            return read(found)
        except bodies.AbsurdNumber:
            return _Fault(ValidationError(bodies.ABSURD_NUMBER))
        except bodies.DuplicateName:
            return _Fault(InvalidRequest(bodies.DUPLICATE_NAME))

    return attempt


_decoder = json.JSONDecoder(
    parse_float=_kept(bodies.decimal), parse_int=_kept(bodies.integer), parse_constant=bodies.constant,
    object_pairs_hook=_kept(bodies.object_of),
)


def reader(field: str) -> Callable[[bytes], Any]:
    """Return what reads a body whose array `field` holds the items; a broken item becomes its error.

    The model of the items bounds their depth.
    """

    def parse(raw: bytes) -> Any:
        try:
            return bodies.parse(raw, check_depth=False)
        except DomainError as refusal:
            data = _decoded(raw, refusal)
            items = data.pop(field, None) if isinstance(data, dict) else None
            if not isinstance(items, list) or _fault_in(data) is not None:
                raise
            return {**data, field: [_fault_in(item) or item for item in items]}

    return parse


def _decoded(raw: bytes, refusal: DomainError) -> Any:
    try:
        return _decoder.decode(raw.decode())
    except (ValueError, RecursionError):
        raise refusal from None


def _fault_in(item: Any) -> DomainError | None:
    waiting: list[tuple[str, Any, int]] = [("", item, 0)]
    while waiting:
        path, each, depth = waiting.pop()
        if isinstance(each, _Fault):
            return each.error
        if depth > bodies.DEPTH_MAX:
            return bodies.too_deep()
        if isinstance(each, str) and is_unstorable(each):
            return ValidationError(details={path or "body": bodies.UNSTORABLE})
        if isinstance(each, dict):
            if any(map(is_unstorable, each)):
                return ValidationError(details={path or "body": bodies.UNSTORABLE_NAME})
            waiting.extend(
                (f"{path}.{key}" if path else key, inner, depth + 1) for key, inner in each.items()
            )
        elif isinstance(each, list):
            waiting.extend((f"{path}[{index}]", inner, depth + 1) for index, inner in enumerate(each))
    return None
