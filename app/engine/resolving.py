"""Compiled texts on the data of one event: amounts, texts, identifiers, moments, payloads.

Constants cost nothing. Whatever has no sensible value on this data raises CelError (CelEvaluationError or
CelBudgetError), which fails the action. Messages hold no data.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from app.domain import actions as a
from app.domain.amounts import format_plain
from app.domain.durations import DurationError, parse_duration
from app.domain.events import EVENT_DATA_BYTES_MAX
from app.domain.instants import InstantError, parse_instant
from app.domain.texts import KEY_LENGTH_MAX, NUMBER_EXPONENT_MAX, has_control, read_uuid
from app.engine.cel import CelEvaluationError, ErrorKind, Program, Template
from app.engine.texts import REFERENCE, Amount, Moment, Text

Activation = Mapping[str, object]
# As tuples: a union is made anew each time that one is asked about.
_NUMBERS = (int, Decimal)
_SCALARS = (str, bool, int, Decimal)


def amount_of(amount: Amount, activation: Activation) -> Decimal:
    """Return the number an amount or a counter's value comes to."""
    if isinstance(amount, Decimal):
        return amount
    value: Decimal = amount.evaluate(activation)
    return value


def text_of(text: Text, activation: Activation, longest: int = a.TEXT_LENGTH_MAX) -> str:
    """Return a text with its `{{ }}` parts filled in, at most `longest` characters."""
    if isinstance(text, str):
        return text
    shown = text.render(activation)
    if len(shown) > longest:
        raise _invalid(f"the text has more than {longest} characters")
    if "\x00" in shown:
        raise _invalid("the text holds the character NUL")
    return shown


def name_of(text: Text, activation: Activation, what: str) -> str:
    """Return a tag, a key or an event name: 1 to 255 characters, none of them a control character."""
    if isinstance(text, str):
        return text
    shown = text_of(text, activation, KEY_LENGTH_MAX)
    if not shown or has_control(shown):
        raise _invalid(f"the {what} is empty or holds control characters")
    return shown


def identifier_of(program: Program, activation: Activation) -> str:
    """Return the id that an expression yields; a number stands for its plain notation, null for no id."""
    value = program.evaluate(activation)
    if isinstance(value, str):
        return value
    if isinstance(value, _NUMBERS) and not isinstance(value, bool):
        return format_plain(Decimal(value))
    raise CelEvaluationError(ErrorKind.TYPE, f"`{program.text[:100]}` must yield a text or a number")


def uuid_of(found: UUID | Template | Program, activation: Activation) -> UUID:
    """Return the participant or group id that a target names."""
    if isinstance(found, UUID):
        return found
    text = found.render(activation) if isinstance(found, Template) else identifier_of(found, activation)
    target_id = read_uuid(text)
    if target_id is None:
        raise _invalid("the target's id is not a UUID")
    return target_id


def reference_of(reference: Text | Program, activation: Activation) -> str:
    """Return a reference: 1 to 255 of letters, digits and `. _ : @ -`."""
    if isinstance(reference, str):
        return reference
    if isinstance(reference, Template):
        text = reference.render(activation)
    else:
        text = identifier_of(reference, activation)
    if not REFERENCE.fullmatch(text):
        raise _invalid("the reference_id must have 1 to 255 letters, digits or . _ : @ -")
    return text


def moment_of(moment: Moment, activation: Activation, start: datetime) -> datetime:
    """Return the instant a moment stands for; durations count from `start`."""
    match moment:
        case timedelta():
            return start + moment
        case datetime():
            return moment
        case Template():
            text = moment.render(activation)
            try:
                return start + parse_duration(text)
            except DurationError:
                pass
            try:
                return parse_instant(text)
            except InstantError:
                raise _invalid("the time is neither a duration nor an RFC 3339 date-time") from None


class PayloadError(ValueError):
    """The payload comes to more than the data of an event may be."""


def payload_of(payload: Mapping[str, Any], activation: Activation) -> dict[str, Any]:
    """Return a payload with its templates filled in; a lone `{{ }}` part keeps the type of its value.

    Raises PayloadError as soon as it is too large: a few thousand parts that are each as large as the whole
    event must not be put together first.
    """
    room = _Room(EVENT_DATA_BYTES_MAX)
    return {key: _filled(item, activation, room) for key, item in payload.items()}


class _Room:
    """What a payload may still grow by: a character of a text, or a value of any kind, takes one at least."""

    __slots__ = ("_left",)

    def __init__(self, left: int) -> None:
        self._left = left

    def take(self, much: int) -> None:
        self._left -= much
        if self._left < 0:
            raise PayloadError(f"the payload comes to more than {EVENT_DATA_BYTES_MAX} bytes")


def _filled(value: Any, activation: Activation, room: _Room) -> Any:
    match value:
        case Template():
            text = text_of(value, activation)
            room.take(len(text))
            return text
        case Program():
            return _json(value.evaluate(activation), room)
        case Mapping():
            return {key: _filled(item, activation, room) for key, item in value.items()}
        case list():
            return [_filled(item, activation, room) for item in value]
        case _:
            return value


def _json(value: Any, room: _Room) -> Any:
    """Return a value of the expression language as JSON has it."""
    room.take(len(value) if isinstance(value, str) else 1)
    beyond = isinstance(value, Decimal) and not -NUMBER_EXPONENT_MAX <= value.adjusted() < NUMBER_EXPONENT_MAX
    if beyond and value:
        raise PayloadError(f"the payload holds a number beyond ±1e{NUMBER_EXPONENT_MAX}")
    if value is None or isinstance(value, _SCALARS):
        return value
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        room.take(sum(map(len, value)))
        return {key: _json(item, room) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_json(item, room) for item in value]
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    raise CelEvaluationError(ErrorKind.TYPE, "the payload holds a value that JSON does not know")


def _invalid(message: str) -> CelEvaluationError:
    return CelEvaluationError(ErrorKind.VALUE, message)
