"""JSON with exact numbers: what has a fraction is read as a decimal and written back digit by digit.

Writing is left to orjson, which takes a twentieth of the standard encoder's time (a batch of decisions is two
kilobytes an event). Reading is not: it knows no decimals.
"""

import json
import re
import secrets
from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any
from uuid import UUID

import orjson

from app.domain.instants import format_instant


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


_decoder = json.JSONDecoder(parse_float=Decimal, parse_constant=_refuse_constant)


def loads(text: str | bytes) -> Any:
    """Read JSON; numbers with a fraction or exponent become Decimal, others int. Raises ValueError."""
    if isinstance(text, bytes):
        text = text.decode("utf-8")
    try:
        return _decoder.decode(text)
    except InvalidOperation:
        raise ValueError("a number's exponent fits into no machine word") from None


def loads_all(texts: Iterable[str]) -> list[Any]:
    """Read many texts that are known to be JSON, as PostgreSQL's are, at a third of what one by one takes."""
    found: list[Any] = _decoder.decode(f"[{','.join(texts)}]")
    return found


_OPTIONS = orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_DATACLASS


def dumps(value: Any) -> str:
    """Write compact JSON: decimals as numbers in plain notation, ids and instants as the API's texts.

    Raises ValueError for a decimal that is no number, TypeError for what JSON has no form for.
    """
    try:
        return orjson.dumps(value, _other, _OPTIONS).decode()
    except orjson.JSONEncodeError as error:
        if isinstance(error.__cause__, ValueError):
            raise error.__cause__ from None
        # Whole numbers beyond 64 bits, and half characters, which are refused where they are used.
        return _Exact().encode(value)


def _other(value: Any) -> Any:
    """Give the encoder what it does not know as something that it does."""
    if isinstance(value, Decimal):
        return orjson.Fragment(_digits(value))
    if isinstance(value, datetime):
        return format_instant(value)
    if isinstance(value, tuple):
        return list(value)
    raise TypeError(f"{type(value).__name__} has no form in JSON")


def _digits(value: Decimal) -> str:
    if not value.is_finite():
        raise ValueError(f"{value} is not JSON")
    return f"{value:f}"


# Marks the places of decimals until their digits are put in; unguessable, so that no data can pose as one.
_MARK = secrets.token_hex(8)
_PLACE = re.compile(f'"{_MARK}([0-9.+-]+)"')


class _Exact(json.JSONEncoder):
    """The standard encoder, with decimals put in as the digits they are: slow, and without bounds."""

    def __init__(self) -> None:
        super().__init__(ensure_ascii=False, separators=(",", ":"), allow_nan=False)

    def encode(self, o: Any) -> str:
        return _PLACE.sub(r"\1", super().encode(o))

    def default(self, o: Any) -> Any:
        if isinstance(o, UUID):
            return str(o)
        return f"{_MARK}{_digits(o)}" if isinstance(o, Decimal) else _other(o)
