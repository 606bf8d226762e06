"""The functions of texts: those of the CEL standard library and of its strings extension. Positions count
characters (code points). Anything that looks at a whole text charges a step for every 64 characters or
fewer.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

import re2

from app.engine.cel import limits
from app.engine.cel.errors import CelEvaluationError, ErrorKind
from app.engine.cel.numbers import to_whole
from app.engine.cel.values import Budget, charge, no_overload

_WHITE = (
    "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)
_LOWER = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz")
_UPPER = str.maketrans("abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ")
_QUOTED = str.maketrans(
    {
        "\a": "\\a",
        "\b": "\\b",
        "\f": "\\f",
        "\n": "\\n",
        "\r": "\\r",
        "\t": "\\t",
        "\v": "\\v",
        "\\": "\\\\",
        '"': '\\"',
    }
)
_SURROGATE = re.compile("[\ud800-\udfff]")


def _texts(what: str, *values: Any) -> None:
    for value in values:
        if value.__class__ is not str:
            raise no_overload(f"{what}()", *values)


def _sized(size: int) -> None:
    if size > limits.STRING_CHARS_MAX:
        raise CelEvaluationError(ErrorKind.LIMIT, "the text is too long")


def starts_with(text: Any, prefix: Any) -> bool:
    _texts("startsWith", text, prefix)
    return text.startswith(prefix)


def ends_with(text: Any, suffix: Any) -> bool:
    _texts("endsWith", text, suffix)
    return text.endswith(suffix)


def contains(budget: Budget, text: Any, part: Any) -> bool:
    _texts("contains", text, part)
    charge(budget, len(text) >> 6)
    return part in text


@lru_cache(maxsize=512)
def pattern(text: str) -> Any:
    """The compiled pattern. RE2, never `re`: linear in the text, whatever the pattern."""
    if len(text) > limits.REGEX_CHARS_MAX:
        raise CelEvaluationError(ErrorKind.LIMIT, "the regular expression is too long")
    options = re2.Options()
    options.max_mem = limits.REGEX_MEMORY_BYTES_MAX
    options.log_errors = False
    try:
        return re2.compile(text, options)
    except (re2.error, UnicodeEncodeError):
        raise CelEvaluationError(ErrorKind.VALUE, "not a regular expression that RE2 knows") from None


def search(budget: Budget, text: Any, compiled: Any) -> bool:
    """Whether a compiled pattern is found in the text."""
    if text.__class__ is not str:
        raise no_overload("matches()", text)
    charge(budget, 16 + (len(text) >> 3))
    try:
        return compiled.search(text) is not None
    except UnicodeEncodeError:
        raise CelEvaluationError(ErrorKind.VALUE, "matches(): the text is not Unicode") from None


def matches(budget: Budget, text: Any, expression: Any) -> bool:
    """`matches` with a pattern that is not a literal: compiling it is charged too. A class such as `\\pL` can
    take 100 µs, and a pattern that is refused is compiled anew each time."""
    _texts("matches", text, expression)
    charge(budget, 500 + 150 * len(expression))
    return search(budget, text, pattern(expression))


def char_at(text: Any, index: Any) -> str:
    _texts("charAt", text)
    place = to_whole(index, "an index")
    if not 0 <= place <= len(text):
        raise _outside()
    return text[place : place + 1]


def index_of(budget: Budget, text: Any, part: Any, start: Any = 0) -> int:
    _texts("indexOf", text, part)
    place = to_whole(start, "an index")
    if not 0 <= place <= len(text):
        raise _outside()
    charge(budget, len(text) >> 6)
    return text.find(part, place)


def last_index_of(budget: Budget, text: Any, part: Any, last: Any = None) -> int:
    _texts("lastIndexOf", text, part)
    place = len(text) if last is None else to_whole(last, "an index")
    if last is not None and not 0 <= place < len(text):
        raise _outside()
    # Every position before the end may be compared in full, so this is charged for both lengths.
    charge(budget, (len(text) >> 6) + (len(text) >> 8) * (len(part) >> 8))
    return text.rfind(part, 0, place + len(part))


def substring(budget: Budget, text: Any, begin: Any, end: Any = None) -> str:
    _texts("substring", text)
    left = to_whole(begin, "an index")
    right = len(text) if end is None else to_whole(end, "an index")
    if not 0 <= left <= right <= len(text):
        raise _outside()
    charge(budget, (right - left) >> 6)
    return text[left:right]


def replace(budget: Budget, text: Any, old: Any, new: Any, count: Any = -1) -> str:
    _texts("replace", text, old, new)
    most = to_whole(count, "a limit")
    found = text.count(old)
    found = found if most < 0 else min(found, most)
    _sized(len(text) + found * (len(new) - len(old)))
    charge(budget, (len(text) >> 4) + found)
    return text.replace(old, new, found)


def split(budget: Budget, text: Any, separator: Any, limit: Any = -1) -> list[str]:
    _texts("split", text, separator)
    most = to_whole(limit, "a limit")
    if most == 0:
        return []
    charge(budget, len(text) >> 6)
    parts = (text.count(separator) + 1) if separator else len(text)
    parts = parts if most < 0 else min(parts, most)
    if parts > limits.LIST_ITEMS_MAX:
        raise CelEvaluationError(ErrorKind.LIMIT, "the list is too long")
    charge(budget, parts)
    if separator:
        return text.split(separator, parts - 1)
    return [*text[: parts - 1], text[parts - 1 :]] if text else []


def join(budget: Budget, items: Any, separator: Any = "") -> str:
    if items.__class__ is not list or separator.__class__ is not str:
        raise no_overload("join()", items)
    charge(budget, len(items))
    for item in items:
        if item.__class__ is not str:
            raise no_overload("join()", item)
    size = sum(map(len, items)) + len(separator) * len(items)
    _sized(size)
    charge(budget, size >> 4)
    return separator.join(items)


def lower_ascii(budget: Budget, text: Any) -> str:
    _texts("lowerAscii", text)
    charge(budget, len(text) >> 3)
    return text.translate(_LOWER)


def upper_ascii(budget: Budget, text: Any) -> str:
    _texts("upperAscii", text)
    charge(budget, len(text) >> 3)
    return text.translate(_UPPER)


def trim(budget: Budget, text: Any) -> str:
    _texts("trim", text)
    charge(budget, len(text) >> 4)
    return text.strip(_WHITE)


def reverse(budget: Budget, text: Any) -> Any:
    """A text, or a list, from its end to its begin."""
    if text.__class__ is not str and text.__class__ is not list:
        raise no_overload("reverse()", text)
    charge(budget, len(text) >> (4 if text.__class__ is str else 0))
    return text[::-1]


def quote(budget: Budget, text: Any) -> str:
    """The text as a CEL string literal."""
    _texts("strings.quote", text)
    charge(budget, len(text) >> 3)
    result = _SURROGATE.sub("\ufffd", text).translate(_QUOTED)
    _sized(len(result) + 2)
    return f'"{result}"'


def _outside() -> CelEvaluationError:
    return CelEvaluationError(ErrorKind.RANGE, "the index is outside of the text")
