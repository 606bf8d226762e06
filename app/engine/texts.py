"""The texts of actions, compiled: constants, expressions, templates, spans of time, references, payloads.

What lives here: what each kind of text may be (decision C13), and the collector that notes every fault under
the path of its field. Which field is of which kind stands in app/engine/compiled.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, TypeAlias, TypeVar
from uuid import UUID

from app.domain import actions as a
from app.domain.amounts import COUNTER_DIGITS_MAX, EXACT, AmountError, check_size, parse_decimal
from app.domain.durations import DurationError, parse_duration
from app.domain.instants import InstantError, parse_instant
from app.domain.texts import ATTRIBUTE_BYTES_MAX, KEY_LENGTH_MAX, read_uuid
from app.engine import cel
from app.engine.cel import CelError, Kind, Program, Reads, Template

Amount: TypeAlias = Decimal | Program
Text: TypeAlias = str | Template
Moment: TypeAlias = timedelta | datetime | Template

REFERENCE = re.compile(r"[A-Za-z0-9._:@-]{1,255}", re.ASCII)  # Decision A8.
_ANY_SPAN = timedelta(hours=1)  # Stands in for a duration that is at fault.
T = TypeVar("T")
Inspect: TypeAlias = Callable[[str], list[str]]  # What else is wrong with an expression that compiles.


class TextFault(ValueError):
    """A text is none of what its field may hold."""


@dataclass(frozen=True, slots=True)
class CompiledTarget:
    """Whom an action concerns; at most one of the ids is set."""

    type: a.TargetType
    id: UUID | Template | None = None
    external_id: Program | None = None
    participant_id: Program | None = None
    group_id: Program | None = None


class Texts:
    """Reads texts; notes the faults under their paths, and what the good ones read."""

    def __init__(self, inspect: Inspect | None = None) -> None:
        self.faults: dict[str, str] = {}
        self.no_amounts: set[str] = set()  # Paths of numbers that no asset can have as an amount.
        self.reads: list[Reads] = []
        self._inspect = inspect

    def read(self, path: str, make: Callable[[], T]) -> T | None:
        """Return what `make` makes of a text, or None once its fault is noted."""
        try:
            made = make()
        except (CelError, AmountError, DurationError, InstantError, TextFault) as error:
            self.faults[path] = str(error)
            if isinstance(error, AmountError):
                self.no_amounts.add(path)
            return None
        if isinstance(made, Program | Template):
            self.reads.append(made.reads)
            if self._inspect is not None:
                self._note_complaints(path, made, self._inspect)
        return made

    def _note_complaints(self, path: str, made: Program | Template, inspect: Inspect) -> None:
        for part in (made,) if isinstance(made, Program) else made.parts:
            complaints = inspect(part.text) if isinstance(part, Program) else []
            if complaints:
                self.faults[path] = complaints[0]

    def amount(self, path: str, text: str, *, signed: bool = False) -> Amount:
        """A number in plain notation becomes a constant, which costs nothing to evaluate."""
        return self.read(path, lambda: _amount(text, signed=signed)) or Decimal(0)

    def expression(self, path: str, text: str | None) -> Program | None:
        """An expression that yields an id: a text, or a number that stands for one."""
        return None if text is None else self.read(path, lambda: _identifier(text))

    def text(self, path: str, text: str) -> Text:
        """A literal, with `{{ }}` parts or without."""
        return self.read(path, lambda: _literal(text)) or ""

    def tag(self, path: str, text: str) -> Text:
        """A tag in lower case, or a template whose text becomes so; some letters are longer then."""
        return self.read(path, lambda: _tag(text)) or ""

    def attribute(self, path: str, text: str) -> Text:
        """An attribute's text; a literal is as long as it will be."""
        return self.read(path, lambda: _attribute(text)) or ""

    def optional(self, path: str, text: str | None) -> Text | None:
        """A literal that may be absent."""
        return None if text is None else self.text(path, text)

    def moment(self, path: str, text: str | None) -> Moment | None:
        """A duration, an instant, or a template that yields one of them."""
        return None if text is None else self.read(path, lambda: _moment(text))

    def duration(self, path: str, text: str) -> timedelta:
        """A Go duration."""
        return self.read(path, lambda: parse_duration(text)) or _ANY_SPAN

    def reference(self, path: str, text: str | None) -> Text | Program | None:
        """A reference: an expression over known variables, else a literal (decision C13)."""
        return None if text is None else self.read(path, lambda: _reference(text))

    def target(self, path: str, target: a.Target) -> CompiledTarget:
        """Whom an action concerns."""
        return CompiledTarget(
            target.type,
            None if target.id is None else self.read(f"{path}.id", lambda: _static_id(target.id or "")),
            self.expression(f"{path}.external_id", target.external_id),
            self.expression(f"{path}.participant_id", target.participant_id),
            self.expression(f"{path}.group_id", target.group_id),
        )

    def payload(self, path: str, payload: Mapping[str, Any]) -> Mapping[str, Any]:
        """The payload with its texts compiled; the very same one where none of them is a template."""
        made = self._leaf(path, payload)
        assert isinstance(made, dict)
        return made if any(isinstance(leaf, Template | Program) for leaf in _leaves(made)) else payload

    def _leaf(self, path: str, value: Any) -> Any:
        if isinstance(value, str):
            return self.read(path, lambda: _typed_literal(value))
        if isinstance(value, Mapping):
            return {key: self._leaf(f"{path}.{key}", item) for key, item in value.items()}
        if isinstance(value, list):
            return [self._leaf(f"{path}[{index}]", item) for index, item in enumerate(value)]
        return value


def _amount(text: str, *, signed: bool) -> Amount:
    try:
        value = parse_decimal(text.strip())
    except AmountError:
        return cel.compile(text, Kind.AMOUNT)
    if signed:
        if len(value.normalize(EXACT).as_tuple().digits) > COUNTER_DIGITS_MAX:
            raise TextFault(f"must not have more than {COUNTER_DIGITS_MAX} significant digits")
        return value
    if value < 0:
        raise AmountError("must not be negative")
    check_size(value)
    return value


def constant_amount(text: str | None) -> Decimal | None:
    """Return the number that an amount is, whatever the data; None where it is an expression or nothing."""
    try:
        return None if text is None else parse_decimal(text.strip())
    except AmountError:
        return None


def fixed_moment(text: str | None) -> timedelta | datetime | None:
    """Return the span or instant that a moment is, whatever the data; None where it is a template."""
    try:
        moment = None if text is None else _moment(text)
    except (CelError, DurationError, InstantError, TextFault):
        return None
    return None if isinstance(moment, Template) else moment


def _identifier(text: str) -> Program:
    """Compile an expression for an id; refuse what can yield neither a text nor a number."""
    program = cel.compile(text, Kind.VALUE)
    try:
        cel.compile(text, Kind.STRING)
    except CelError as error:
        try:
            cel.compile(text, Kind.AMOUNT)
        except CelError:
            raise error from None
    return program


def _literal(text: str) -> Text:
    return cel.compile_template(text) if "{{" in text else text


def _tag(text: str) -> Text:
    tag = _literal(text)
    if isinstance(tag, str) and len(tag := tag.lower()) > KEY_LENGTH_MAX:
        raise TextFault(f"must have at most {KEY_LENGTH_MAX} characters in lower case")
    return tag


def _attribute(text: str) -> Text:
    value = _literal(text)
    if isinstance(value, str) and len(value.encode()) > ATTRIBUTE_BYTES_MAX:
        raise TextFault(f"must not be longer than {ATTRIBUTE_BYTES_MAX} bytes")
    return value


def _typed_literal(text: str) -> Text | Program:
    """In a payload, a text that is one `{{ }}` part alone becomes the value itself, with its type."""
    if "{{" not in text:
        return text
    template = cel.compile_template(text)
    alone = template.parts[0] if len(template.parts) == 1 else None
    return alone if isinstance(alone, Program) else template


def _moment(text: str) -> Moment:
    if "{{" in text:
        return cel.compile_template(text)
    try:
        return parse_duration(text)
    except DurationError as not_a_duration:
        try:
            return parse_instant(text)
        except InstantError as not_an_instant:
            if text[:4].isdecimal() and "-" in text:
                raise not_an_instant from None
            if text[:1].isdecimal():
                raise not_a_duration from None
    raise TextFault('must be a duration such as "8760h" or an RFC 3339 date-time')


def _reference(text: str) -> Text | Program:
    try:
        return _identifier(text)
    except CelError as error:
        if REFERENCE.fullmatch(text):
            return text
        if "{{" in text:
            return cel.compile_template(text)
        raise error


def _static_id(text: str) -> UUID | Template:
    if "{{" in text:
        return cel.compile_template(text)
    found = read_uuid(text)
    if found is None:
        raise TextFault("must be a UUID, or hold an expression in {{ }}")
    return found


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, Mapping):
        for item in value.values():
            yield from _leaves(item)
    elif isinstance(value, list):
        for item in value:
            yield from _leaves(item)
    else:
        yield value
