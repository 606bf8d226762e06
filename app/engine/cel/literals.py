"""The content of string, bytes and number literals: escapes, raw strings, ranges. The lexer finds where
they begin.
"""

from __future__ import annotations

import re
from decimal import Decimal

from app.engine.cel.errors import CelSyntaxError
from app.engine.cel.numbers import CONTEXT, INT_MAX, INT_MIN, UINT_MAX, UInt

_SIMPLE = {
    "a": 7, "b": 8, "f": 12, "n": 10, "r": 13, "t": 9, "v": 11,
    "\\": 92, "?": 63, '"': 34, "'": 39, "`": 96,
}  # fmt: skip
_WIDTH = {"x": 2, "X": 2, "u": 4, "U": 8}
_HEX = re.compile(r"[0-9a-fA-F]+", re.ASCII)
_OCTAL = re.compile(r"[0-3][0-7][0-7]", re.ASCII)
_CODE_POINT_MAX = 0x10FFFF


def read_string(
    text: str, start: int, at: int, quote: str, raw: bool, is_bytes: bool
) -> tuple[str | bytes, int]:
    """The literal that began at `start` and whose content begins at `at`: its value and the offset after
    it."""
    parts: list[str] = []
    octets = bytearray()
    triple, size = len(quote) == 3, len(text)
    while True:
        if at >= size:
            raise CelSyntaxError("this string is never closed", text, start)
        if text.startswith(quote, at):
            return (bytes(octets) if is_bytes else "".join(parts)), at + len(quote)
        char = text[at]
        if char in "\r\n" and not triple:
            raise CelSyntaxError(
                "a string ends on its line; use triple quotes for several lines", text, start
            )
        if char != "\\" or raw:
            at += 1
            if not is_bytes:
                parts.append(char)
            elif "\ud800" <= char <= "\udfff":
                raise CelSyntaxError("not a character that bytes can hold", text, at - 1)
            else:
                octets.extend(char.encode())
            continue
        code, at = _escape(text, at, is_bytes)
        if not is_bytes:
            if code > _CODE_POINT_MAX or 0xD800 <= code <= 0xDFFF:
                raise CelSyntaxError("this escape is not a character", text, at - 1)
            parts.append(chr(code))
        else:
            octets.append(code)


def _escape(text: str, at: int, is_bytes: bool) -> tuple[int, int]:
    """The escape at `at` (its backslash): its code point and the offset after it."""
    letter = text[at + 1 : at + 2]
    if letter in _SIMPLE:
        return _SIMPLE[letter], at + 2
    if letter in _WIDTH and not (is_bytes and letter in "uU"):
        end = at + 2 + _WIDTH[letter]
        digits = text[at + 2 : end]
        if len(digits) == _WIDTH[letter] and _HEX.fullmatch(digits):
            return int(digits, 16), end
    elif _OCTAL.fullmatch(text[at + 1 : at + 4]):
        return int(text[at + 1 : at + 4], 8), at + 4
    raise CelSyntaxError(
        'unknown escape; known are \\n \\t \\r \\\\ \\" \\\' \\xHH \\uHHHH \\UHHHHHHHH \\ooo (or use r"…")',
        text,
        at,
    )


def read_int(text: str, literal: str, negative: bool, at: int) -> int:
    """An int or uint literal, range-checked as 64 bits. `negative` when a minus belongs to it."""
    unsigned = literal[-1] in "uU"
    digits = literal[:-1] if unsigned else literal
    if len(digits.lstrip("0x")) > 20:
        raise CelSyntaxError("integer literal out of range (64 bits)", text, at)
    value = int(digits, 16) if digits[:2] == "0x" else int(digits)
    value = -value if negative else value
    if unsigned and 0 <= value <= UINT_MAX:
        return UInt(value)
    if unsigned or not INT_MIN <= value <= INT_MAX:
        raise CelSyntaxError("integer literal out of range (64 bits)", text, at)
    return value


def read_double(text: str, literal: str, negative: bool, at: int) -> Decimal:
    """A number with a point or an exponent: exactly the decimal that is written, to 34 digits."""
    try:
        value = CONTEXT.create_decimal(literal)
    except ArithmeticError:
        raise CelSyntaxError("number literal out of range", text, at) from None
    return value.copy_negate() if negative else value
