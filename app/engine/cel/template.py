"""Texts with expressions in them: `Hello {{ participant.id }}`. What is outside of `{{ … }}` is literal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce

from app.engine.cel import limits
from app.engine.cel.conversions import to_string
from app.engine.cel.environment import RULE, Environment
from app.engine.cel.errors import CelEvaluationError, CelSourceError, CelSyntaxError, ErrorKind
from app.engine.cel.lexer import next_token
from app.engine.cel.program import Kind, Program, compile_in
from app.engine.cel.reads import NOTHING, Reads
from app.engine.cel.values import friendly


@dataclass(frozen=True, slots=True)
class Template:
    """`parts` are literal texts and programs, in order."""

    text: str
    parts: tuple[str | Program, ...]
    reads: Reads

    def render(self, activation: Mapping[str, object]) -> str:
        """The text on this data. Raises CelEvaluationError or CelBudgetError.

        Numbers in shortest plain notation, true and false, timestamps in RFC 3339; null, lists and maps are
        errors."""
        if not self.parts:
            return ""
        shown = "".join(part if isinstance(part, str) else _shown(part, activation) for part in self.parts)
        if len(shown) > limits.STRING_CHARS_MAX:
            raise CelEvaluationError(ErrorKind.LIMIT, "the text is too long")
        return shown


def compile_template(text: str, environment: Environment = RULE) -> Template:
    """The template of a text. A text without `{{` is a constant. Raises CelSyntaxError or CelCompileError,
    with the position inside of the whole text."""
    parts: list[str | Program] = []
    at = count = 0
    while (begin := text.find("{{", at)) >= 0:
        end = _closing(text, begin + 2)
        if begin > at:
            parts.append(text[at:begin])
        parts.append(_compile_part(text, begin + 2, end, environment))
        at = end + 2
        count += 1
        if count > limits.TEMPLATE_PARTS_MAX:
            raise CelSyntaxError(f"more than {limits.TEMPLATE_PARTS_MAX} {{{{ }}}} parts", text, begin)
    if at < len(text):
        parts.append(text[at:])
    reads = reduce(Reads.__or__, (part.reads for part in parts if isinstance(part, Program)), NOTHING)
    return Template(text, tuple(parts), reads)


def _compile_part(text: str, begin: int, end: int, environment: Environment) -> Program:
    try:
        return compile_in(text[begin:end].strip(), Kind.VALUE, environment)
    except CelSourceError as error:
        blank = end - begin - len(text[begin:end].lstrip())
        raise type(error)(error.message, text, begin + blank + error.offset) from None


def _closing(text: str, at: int) -> int:
    """Where the `}}` of a part stands: tokens are read, so that strings and maps in the expression may hold
    braces."""
    begin, depth = at, 0
    while at < len(text):
        if depth == 0 and text.startswith("}}", at):
            return at
        token = next_token(text, at)
        if token.kind == "op" and token.value in ("{", "}"):
            depth += 1 if token.value == "{" else -1
            if depth < 0:
                break
        at = token.end
    raise CelSyntaxError("`{{` without its `}}`", text, begin - 2)


def _shown(program: Program, activation: Mapping[str, object]) -> str:
    value = program.evaluate(activation)
    if value is None or isinstance(value, list | dict | bytes):
        raise CelEvaluationError(ErrorKind.TYPE, f"a text cannot show a {friendly(value)}")
    return to_string(value)
