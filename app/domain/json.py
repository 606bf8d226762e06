"""JSON with exact numbers: what has a fraction is read as a decimal and written back digit by digit."""

import json
import re
import secrets
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from app.domain.instants import format_instant


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


_decoder = json.JSONDecoder(parse_float=Decimal, parse_constant=_refuse_constant)


def loads(text: str | bytes) -> Any:
    """Read JSON; numbers with a fraction or exponent become Decimal, others int. Raises ValueError."""
    if isinstance(text, bytes):
        text = text.decode("utf-8")
    return _decoder.decode(text)


def dumps(value: Any) -> str:
    """Write compact JSON: decimals as numbers in plain notation, ids and instants as the API's texts."""
    return _Encoder().encode(value)


# Marks the places of decimals until their digits are put in; unguessable, so that no data can pose as one.
_MARK = secrets.token_hex(8)
_PLACE = re.compile(f'"{_MARK}([0-9.+-]+)"')


class _Encoder(json.JSONEncoder):
    """The standard encoder, with decimals put in as the digits they are."""

    def __init__(self) -> None:
        super().__init__(ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        self._met_decimal = False

    def encode(self, o: Any) -> str:
        text = super().encode(o)
        return _PLACE.sub(r"\1", text) if self._met_decimal else text

    def default(self, o: Any) -> Any:
        if isinstance(o, Decimal):
            self._met_decimal = True
            return f"{_MARK}{o:f}"
        if isinstance(o, UUID):
            return str(o)
        if isinstance(o, datetime):
            return format_instant(o)
        return super().default(o)
