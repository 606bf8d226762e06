"""From what pydantic found to the contract's errors: a flat map of field path to message (decision A1)."""

from collections.abc import Sequence
from typing import Any

from pydantic import ValidationError as PydanticError
from pydantic_core import ErrorDetails

from app.api.fields import AMOUNT_FAULT, QUANTITY_FAULT, SCALE_FAULT, STRUCTURE_FAULT
from app.domain.errors import (
    DomainError,
    InvalidAmount,
    InvalidQuantity,
    InvalidRequest,
    InvalidScale,
    ValidationError,
)

DETAILS_MAX = 100  # A hostile body must not make its answer larger than itself.
FIELD_NAME_LENGTH_MAX = 120


def body_error(error: PydanticError, data: Any) -> DomainError:
    """Return the error for a body that does not fit its model."""
    found = error.errors(include_url=False, include_context=True, include_input=False)
    kinds = {each["type"] for each in found}
    details = _details(found, data)
    if kinds == {AMOUNT_FAULT}:
        return InvalidAmount(details=details)
    if kinds == {SCALE_FAULT}:
        return InvalidScale(details=details)
    if kinds == {QUANTITY_FAULT}:
        return InvalidQuantity(details=details)
    if STRUCTURE_FAULT in kinds:
        return InvalidRequest(details=details)
    return ValidationError(details=details)


def query_error(error: PydanticError, data: Any) -> DomainError:
    """Return the error for a query; an unknown parameter is a fault of structure."""
    found = error.errors(include_url=False, include_context=True, include_input=False)
    details = _details(found, data)
    if any(each["type"] == "extra_forbidden" for each in found):
        return InvalidRequest("Unknown query parameter", details)
    return ValidationError(details=details)


def _details(found: Sequence[ErrorDetails], data: Any) -> dict[str, str]:
    details: dict[str, str] = {}
    for each in found[:DETAILS_MAX]:
        location = each["loc"]
        field = each.get("ctx", {}).get("field")
        if field is not None:
            location = (*location, field)
        details.setdefault(path_of(location, data), _message(each))
    return details


def path_of(location: tuple[int | str, ...], data: Any) -> str:
    """Return a location as `actions[0].asset_id`, without the names of union members in it."""
    path = ""
    here = data
    for index, part in enumerate(location):
        if isinstance(part, int):
            path += f"[{part}]"
            here = here[part] if isinstance(here, list) and part < len(here) else None
            continue
        is_last = index == len(location) - 1
        if not is_last and not (isinstance(here, dict) and part in here):
            continue
        if is_last and isinstance(here, str | int | float | bool):
            continue
        here = here.get(part) if isinstance(here, dict) else None
        path += f".{part}" if path else part
    return path[:FIELD_NAME_LENGTH_MAX] or "body"


def _message(found: ErrorDetails) -> str:
    context = found.get("ctx", {})
    kind = found["type"]
    match kind:
        case "missing":
            return "is required"
        case "extra_forbidden":
            return "is not a known field"
        case "string_type":
            return "must be a string"
        case "bool_type" | "bool_parsing":
            return "must be a boolean"
        case "int_type" | "int_parsing" | "int_from_float":
            return "must be an integer"
        case "dict_type" | "model_type" | "model_attributes_type" | "mapping_type":
            return "must be an object"
        case "list_type" | "tuple_type" | "set_type":
            return "must be an array"
        case "string_too_short":
            return _count("must have at least", context["min_length"], "character")
        case "string_too_long":
            return _count("must have at most", context["max_length"], "character")
        case "too_short":
            return _count("must have at least", context["min_length"], "item")
        case "too_long":
            return _count("must have at most", context["max_length"], "item")
        case "literal_error" | "enum":
            return "must be one of " + str(context["expected"]).replace(" or ", ", ").replace("'", "")
        case "string_pattern_mismatch":
            return f"must match {context['pattern']}"
        case "union_tag_not_found":
            return f"must have the field {str(context['discriminator']).strip(chr(39))}"
        case "union_tag_invalid":
            return "must be one of " + str(context["expected_tags"]).replace("'", "")
        case "greater_than_equal":
            return f"must be at least {context['ge']}"
        case "less_than_equal":
            return f"must be at most {context['le']}"
        case "greater_than":
            return f"must be greater than {context['gt']}"
        case "value_error" | "assertion_error":
            return str(context["error"])
        case _:
            return found["msg"]


def _count(words: str, count: int, unit: str) -> str:
    return f"{words} {count} {unit}" + ("" if count == 1 else "s")
