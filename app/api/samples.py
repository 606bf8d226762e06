"""Example values made from JSON schemas, so that every operation of the document has one."""

import re
from collections.abc import Mapping
from typing import Any

DEPTH_MAX = 8
_FORMATS = {
    "uuid": "6f1c2f3e-0f57-4f3c-9a2e-0d8f3b7f2a11", "date-time": "2026-01-15T10:30:00Z",
    "email": "ada@example.com",
}
_WORDS = ("text", "100.00", "1", "POINTS", "#336699", "0" * 64)  # One of them fits most patterns.


def sample(schema: Mapping[str, Any], definitions: Mapping[str, Any], depth: int = 0) -> Any:
    """Return a value that the schema allows; optional fields that may be null are left out."""
    if depth > DEPTH_MAX:
        return None
    if "$ref" in schema:
        return sample(definitions[schema["$ref"].rsplit("/", 1)[-1]], definitions, depth)
    for word in ("examples", "enum"):
        if schema.get(word):
            return schema[word][0]
    if "const" in schema:
        return schema["const"]
    if "default" in schema and schema["default"] is not None:
        return schema["default"]
    if "properties" in schema:
        schema = _with_shape(schema)
    for word in ("anyOf", "oneOf", "allOf"):
        if word in schema:
            return sample(schema[word][0], definitions, depth + 1)
    return _of_type(schema, definitions, depth)


def _with_shape(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return the schema of an object with the first of its shapes taken into its own fields."""
    whole = dict(schema)
    shapes = [*whole.pop("allOf", ()), *whole.pop("anyOf", ())[:1], *whole.pop("oneOf", ())[:1]]
    for shape in map(_with_shape, shapes):
        whole["properties"] = {**whole.get("properties", {}), **shape.get("properties", {})}
        whole["required"] = [*whole.get("required", ()), *shape.get("required", ())]
    return whole


def _of_type(schema: Mapping[str, Any], definitions: Mapping[str, Any], depth: int) -> Any:
    match schema.get("type"):
        case "object":
            required = schema.get("required", ())
            return {
                name: sample(inner, definitions, depth + 1)
                for name, inner in schema.get("properties", {}).items() if name in required
            }
        case "array":
            return [sample(schema["items"], definitions, depth + 1)] if "items" in schema else []
        case "integer":
            return schema.get("minimum", 1)
        case "number":
            return schema.get("maximum", 1.5)
        case "boolean":
            return False
        case "string" if schema.get("format") in _FORMATS:
            return _FORMATS[schema["format"]]
        case "string" if "pattern" in schema:
            return next((word for word in _WORDS if re.search(schema["pattern"], word)), "text")
        case "string":
            return "text"
        case _:
            return None
