"""Static types: what is known about a sub-expression before it runs. Partial on purpose: everything that
comes from data is `DYN`. `INT` means that the expression itself makes it an int (a literal, `size()`,
`int()`): only these have integer division and 64-bit overflow. `DOUBLE` is a number in decimal arithmetic,
held as int or Decimal.
"""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Static:
    """`soft` marks what went through `dyn()`: known, but never a reason to refuse the expression."""

    name: str
    element: Static | None = None
    soft: bool = False


DYN = Static("dyn")
BOOL = Static("bool")
INT = Static("int")
UINT = Static("uint")
DOUBLE = Static("double")
STRING = Static("string")
BYTES = Static("bytes")
NULL = Static("null_type")
TIMESTAMP = Static("timestamp")
DURATION = Static("duration")
TYPE = Static("type")
MAP = Static("map")

NUMERIC = frozenset(("int", "uint", "double"))
ORDERED = frozenset(("bool", "string", "bytes", "timestamp", "duration"))
_ARTICLE = {"int": "an int", "uint": "a uint", "null_type": "null", "double": "a number", "string": "a text",
            "bool": "true or false"}  # fmt: skip


def list_of(element: Static) -> Static:
    return Static("list", None if element.name == "dyn" else element)


def element_of(static: Static) -> Static:
    """The type of each element that a loop over `static` sees: list items, or keys of a map."""
    return static.element if static.name == "list" and static.element is not None else DYN


def softened(static: Static) -> Static:
    return static if static.name == "dyn" else replace(static, soft=True)


def is_int(static: Static) -> bool:
    return static.name == "int"


def joined(types: list[Static]) -> Static:
    """The type of a value that is one of several: theirs when they agree, a number for mixed numbers, else
    DYN."""
    if not types or any(t.name == "dyn" for t in types):
        return DYN
    if all(t == types[0] for t in types):
        return types[0]
    names = {t.name for t in types}
    if len(names) == 1:
        name = types[0].name
        element = types[0].element if all(t.element == types[0].element for t in types) else None
        return Static(name, element, any(t.soft for t in types))
    return DOUBLE if names == {"int", "double"} else DYN


def described(static: Static) -> str:
    """For messages: "a text", "a timestamp" …"""
    return _ARTICLE.get(static.name, f"a {static.name}")


def arithmetic(op: str, a: Static, b: Static) -> Static | None:
    """The type of `a op b`, DYN when it cannot be known, None when no such operation exists."""
    names = (a.name, b.name)
    if "dyn" in names:
        other = b if a.name == "dyn" else a
        if op != "%" and other.name in ("int", "double"):
            return DOUBLE
        if op == "%" and other.name in ("int", "double"):
            return DYN
        return other if op == "+" and other.name in ("string", "bytes") else DYN
    if names in (("int", "int"), ("uint", "uint")):
        return a
    if set(names) <= {"int", "double"}:
        return DOUBLE
    if op == "+" and a.name == b.name and a.name in ("string", "bytes"):
        return Static(a.name)
    if op == "+" and names == ("list", "list"):
        return Static("list", a.element if a.element == b.element else None)
    if op in "+-":
        return _moments(op, names)
    return None


def _moments(op: str, names: tuple[str, str]) -> Static | None:
    if names == ("duration", "duration"):
        return DURATION
    if names == ("timestamp", "timestamp"):
        return DURATION if op == "-" else None
    if names == ("timestamp", "duration"):
        return TIMESTAMP
    return TIMESTAMP if names == ("duration", "timestamp") and op == "+" else None


def comparable(a: Static, b: Static) -> bool:
    """Whether `<` may have a value for these types."""
    if a.name == "dyn" or b.name == "dyn":
        return True
    return (a.name in NUMERIC and b.name in NUMERIC) or (a.name == b.name and a.name in ORDERED)
