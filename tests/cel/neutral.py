"""The values of the conformance cases: `["int", 1]`, `["list", [["string", "a"]]]` … to and from Python."""

from __future__ import annotations

import base64
import datetime as dt
from decimal import Decimal
from typing import Any

from app.engine.cel.numbers import UInt
from app.engine.cel.values import TypeValue

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def to_python(value: list[Any]) -> Any:
    match value:
        case ["null"]:
            return None
        case ["bool" | "int" | "string", plain]:
            return plain
        case ["uint", whole]:
            return UInt(whole)
        case ["double", text]:
            return Decimal(text)
        case ["bytes", text]:
            return base64.b64decode(text)
        case ["list", items]:
            return [to_python(item) for item in items]
        case ["map", entries]:
            return {to_python(key): to_python(item) for key, item in entries}
        case ["timestamp", seconds, nanos]:
            return _EPOCH + dt.timedelta(seconds=seconds, microseconds=nanos // 1000)
        case ["duration", seconds, nanos]:
            return dt.timedelta(seconds=seconds, microseconds=nanos // 1000)
        case ["type", name]:
            return TypeValue(name)
        case _:
            raise ValueError(f"no such kind of value: {value[0]}")


def same(got: Any, wanted: list[Any]) -> bool:
    """Whether `got` is the wanted value, type included. Doubles are compared as binary floating point,
    which is how the cases write them."""
    match wanted:
        case ["double", text]:
            return got.__class__ is Decimal and float(got) == float(text)
        case ["list", items]:
            return got.__class__ is list and len(got) == len(items) and all(map(same, got, items))
        case ["map", entries]:
            return (
                got.__class__ is dict
                and len(got) == len(entries)
                and all(any(same(k, key) and same(v, item) for k, v in got.items()) for key, item in entries)
            )
        case _:
            expected = to_python(wanted)
            return got.__class__ is expected.__class__ and bool(got == expected)
