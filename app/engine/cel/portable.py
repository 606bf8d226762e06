"""The second parse, when a rule is saved: a stored rule is valid for the `cel-python` library too.

That library never sees the text of a rule. Its lexer takes exponential time on some strings (`r'\\' ==
"\\\\\\\\…"`), so it is given the tokens that our own lexer has accepted, with every string literal replaced
by a harmless one; what its grammar does to string literals is checked here. It is imported when first
needed (100 ms, 18 MiB), and used under a lock, because its parser is one object for the whole process.
"""

from __future__ import annotations

import re
from itertools import pairwise
from threading import Lock

from app.engine.cel.lexer import Token, lex
from app.engine.cel.parser import parse

_lock = Lock()
_OTHER_ESCAPE = re.compile(r"\\(?:\\|([?`X]))")
_TRAILING = frozenset(("]", "}", ")"))


def check_portable(text: str) -> list[str]:
    """What keeps `text` from being valid for cel-python, as sentences; empty when nothing does.

    Raises CelSyntaxError when it is not valid for us in the first place."""
    parse(text)
    tokens = lex(text)
    found = [message for token in tokens for message in _literal_complaints(text, token)]
    found += _structure_complaints(text, tokens)
    return found or _parse_complaints(text, tokens)


def _literal_complaints(text: str, token: Token) -> list[str]:
    if token.kind not in ("string", "bytes"):
        return []
    spelling = text[token.start : token.end]
    where = _where(text, token.start)
    prefix = re.match(r"[rRbB]*", spelling)
    assert prefix is not None
    if prefix[0].lower() == "rb":
        return [f'{where}: cel-python writes raw bytes as br"…", not rb"…"']
    if "r" in prefix[0].lower():
        return []
    escape = next((match for match in _OTHER_ESCAPE.finditer(spelling) if match[1]), None)
    if escape is not None:
        return [f"{where}: cel-python has no escape `{escape[0]}`; write the character or \\xHH"]
    return []


def _structure_complaints(text: str, tokens: list[Token]) -> list[str]:
    found: list[str] = []
    for token, following in pairwise(tokens):
        if token.kind == "quoted":
            name = str(token.value)[1:-1]
            found.append(f'{_where(text, token.start)}: cel-python has no `.`…` fields; write ["{name}"]')
        elif token.kind == "op" and token.value == "," and following.value in _TRAILING:
            found.append(
                f"{_where(text, token.start)}: cel-python refuses a comma before `{following.value!s}`"
            )
    return found


def _parse_complaints(text: str, tokens: list[Token]) -> list[str]:
    from celpy.celparser import CELParseError, CELParser

    harmless, origins = _harmless(text, tokens)
    with _lock:
        try:
            CELParser().parse(harmless)
        except CELParseError as error:
            column = error.column if isinstance(error.column, int) else 1
            start = next((at for begin, at in reversed(origins) if begin < column), 0)
            return [f"{_where(text, start)}: cel-python cannot parse this here"]
    return []


def _harmless(text: str, tokens: list[Token]) -> tuple[str, list[tuple[int, int]]]:
    """The tokens on one line, strings replaced, and where each began: (place in the line, offset in the
    text)."""
    parts: list[str] = []
    origins: list[tuple[int, int]] = []
    place = 0
    for token in tokens[:-1]:
        spelling = {"string": '"s"', "bytes": 'b"s"'}.get(token.kind, text[token.start : token.end])
        origins.append((place, token.start))
        parts.append(spelling)
        place += len(spelling) + 1
    return " ".join(parts), origins


def _where(text: str, offset: int) -> str:
    line = text.count("\n", 0, offset) + 1
    return f"line {line}, column {offset - (text.rfind(chr(10), 0, offset) + 1) + 1}"
