"""Text to tokens. One regular expression without ambiguity, so lexing is linear in the text; string
literals are read by hand in `literals`, because their escapes are what other CEL lexers choke on.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from app.engine.cel import limits
from app.engine.cel.errors import CelSyntaxError
from app.engine.cel.literals import read_string

_TOKEN = re.compile(
    r"""
    (?P<space>[\t\n\f\r ]+|//[^\n]*)
  | (?P<double>[0-9]+\.[0-9]+(?:[eE][+-]?[0-9]+)?|\.[0-9]+(?:[eE][+-]?[0-9]+)?|[0-9]+[eE][+-]?[0-9]+)
  | (?P<int>(?:0x[0-9a-fA-F]+|[0-9]+)[uU]?)
  | (?P<string>(?:[rR][bB]|[bB][rR]|[rRbB])?(?:\"\"\"|'''|"|'))
  | (?P<ident>[_a-zA-Z][_a-zA-Z0-9]*)
  | (?P<quoted>`[a-zA-Z0-9_.\-/\ ]+`)
  | (?P<op>&&|\|\||==|!=|<=|>=|[-+*/%!<>?:.,()\[\]{}])
    """,
    re.VERBOSE | re.ASCII,
)


class Token(NamedTuple):
    """`kind` is one of double, int, string, bytes, ident, quoted, op, end; `start` and `end` are offsets."""

    kind: str
    value: str | bytes
    start: int
    end: int


def lex(text: str) -> list[Token]:
    """All tokens of `text`, the last one of kind `end`. Raises CelSyntaxError."""
    if len(text) > limits.TEXT_CHARS_MAX:
        raise CelSyntaxError(f"the expression is longer than {limits.TEXT_CHARS_MAX} characters", text, 0)
    tokens: list[Token] = []
    at, size = 0, len(text)
    while at < size:
        token = next_token(text, at)
        at = token.end
        if token.kind != "space":
            tokens.append(token)
            if len(tokens) > limits.TOKENS_MAX:
                raise CelSyntaxError(f"the expression has more than {limits.TOKENS_MAX} tokens", text, at)
    tokens.append(Token("end", "", size, size))
    return tokens


def next_token(text: str, at: int) -> Token:
    """The token that begins at `at` (kind `space` for white space and comments)."""
    match = _TOKEN.match(text, at)
    if match is None:
        raise CelSyntaxError(_complaint(text[at]), text, at)
    kind, value, end = str(match.lastgroup), match.group(), match.end()
    if kind == "string":
        quote = value.lstrip("rRbB")
        prefix = value[: len(value) - len(quote)].lower()
        content, end = read_string(text, at, end, quote, "r" in prefix, "b" in prefix)
        return Token("string" if isinstance(content, str) else "bytes", content, at, end)
    if kind in ("double", "int") and end < len(text) and (text[end].isalnum() or text[end] == "_"):
        raise CelSyntaxError("a number must not run into a name", text, at)
    return Token(kind, value, at, end)


def _complaint(char: str) -> str:
    match char:
        case "=":
            return "a single `=` is not an operator; write `==` to compare"
        case "&" | "|":
            return f"a single `{char}` is not an operator; write `{char}{char}`"
        case "“" | "”" | "‘" | "’" | "„":
            return "typographic quotes do not delimit strings; write \" or '"
        case _:
            return f"unexpected character {char!a}"
