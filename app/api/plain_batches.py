"""Reading a batch the short way: what has the usual shape is neither modelled nor read number by number.

The model (app/api/models/events.py) and app/api/bodies say what is taken and what is wrong with the rest.
Here only what both surely take is recognised, at a third of their cost; of anything else nothing is said,
and app/api/batches reads it anew. tests/events/test_plain_batches.py compares the two.
"""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson

from app.api import bodies
from app.api.models.events import EventIngest
from app.api.routing import Fitting
from app.domain.errors import DomainError
from app.domain.events import (
    BATCH_EVENTS_MAX,
    EVENT_DATA_BYTES_MAX,
    EVENT_DATA_DEPTH_MAX,
    is_deeper,
    is_large,
)
from app.domain.ids import SYSTEM_KEY_PREFIX, event_id_text
from app.domain.instants import InstantError, reprint_instant
from app.domain.names import EventStatus
from app.domain.texts import KEY_LENGTH_MAX, NUMBER_LENGTH_MAX, has_control, read_uuid
from app.flows.accept_batch import PlainBatch

_RECEIVED = EventStatus.RECEIVED.value
_NAMES = EventIngest.model_fields.keys()
_NAMES_NEEDED = 5  # The four that each event has, and one for the participant.
# Numbers beyond these are looked at digit by digit; so is 0.0, which may have been too small for a float.
_FLOAT_MIN, _FLOAT_MAX = 1e-90, 1e90
# All that a number can be written with, as zeros: so long a run of them may be a number that is too long.
_DIGITS = bytes.maketrans(b"123456789.+-eE", b"00000000000000")
_LONG_RUN = b"0" * (NUMBER_LENGTH_MAX + 1)
_SPACES = b" \t\n\r"


@dataclass(frozen=True, slots=True)
class Plain(Fitting):
    """A batch as it is accepted, and the answer to each event, which lacks the participant's id."""

    batch: PlainBatch
    answers: list[dict[str, Any]]


class _Unusual(Exception):
    """Something has another shape."""


@dataclass(slots=True)
class _Seen:
    """What was met on the way: how many names, each program by its text, whether a number needs a look."""

    names: int
    programs: dict[str, UUID]
    doubtful: bool = False


def read(raw: bytes) -> Plain | None:
    """Read a batch; None where it is not plain, or not sure to be."""
    try:
        body = orjson.loads(raw)
        if type(body) is not dict or body.keys() != {"events"}:
            return None
        items = body["events"]
        if type(items) is not list or not 0 < len(items) <= BATCH_EVENTS_MAX:
            return None
        seen = _Seen(1, {})
        answers = [_answer_to(item, seen) for item in items]
    except (orjson.JSONDecodeError, KeyError, TypeError, InstantError, _Unusual):
        return None
    if not _is_sure(raw, seen):
        return None
    batch = PlainBatch(
        raw.decode(), [each["id"] for each in answers], [each["event_timestamp"] for each in answers],
        seen.programs.values(),
    )
    return Plain(batch, answers)


def _answer_to(item: Any, seen: _Seen) -> dict[str, Any]:
    """Return the answer to an event. Raises one of the errors that `read` catches where it is not plain."""
    if type(item) is not dict:
        raise _Unusual
    seen.names += len(item)
    if len(item) != _NAMES_NEEDED:
        item = _without_nulls(item)
    program = item["program_id"]
    program_id = seen.programs.get(program)
    if program_id is None:
        program_id = seen.programs[program] = _id_of(program)
    key, data, person = item["idempotency_key"], item["event_data"], item.get("external_id")
    if type(data) is not dict or not _is_name(key) or key.startswith(SYSTEM_KEY_PREFIX):
        raise _Unusual
    _look_over(data, seen)
    answer = {
        "id": event_id_text(program_id, key), "program_id": program_id, "participant_id": None,
        "external_id": person, "idempotency_key": key,
        "event_timestamp": reprint_instant(item["event_timestamp"]), "status": _RECEIVED,
    }
    if person is None:
        _id_of(item["participant_id"])
        del answer["external_id"]
    elif not _is_name(person):
        raise _Unusual
    return answer


def _without_nulls(item: dict[str, Any]) -> dict[str, Any]:
    """Return an event without the fields that are null, which say no more than absent ones."""
    given = {name: value for name, value in item.items() if value is not None}
    if len(given) != _NAMES_NEEDED or not item.keys() <= _NAMES:
        raise _Unusual
    return given


def _id_of(text: str) -> UUID:
    found = read_uuid(text)
    if found is None:
        raise _Unusual
    return found


def _is_name(text: Any) -> bool:
    return type(text) is str and 0 < len(text) <= KEY_LENGTH_MAX and not has_control(text)


def _look_over(data: dict[str, Any], seen: _Seen) -> None:
    """Count the names of an event's data and look at its numbers. Raises _Unusual where it is too deep."""
    waiting: list[Any] = [data]
    for each in waiting:
        values = each
        if type(each) is dict:
            seen.names += len(each)
            values = each.values()
        for value in values:
            kind = type(value)
            if kind is float:
                if not _FLOAT_MIN < abs(value) < _FLOAT_MAX:
                    seen.doubtful = True
            elif kind is dict or kind is list:
                waiting.append(value)
    if len(waiting) > EVENT_DATA_DEPTH_MAX and is_deeper(data, EVENT_DATA_DEPTH_MAX):
        raise _Unusual


def _is_sure(raw: bytes, seen: _Seen) -> bool:
    """Say whether the body holds nothing that is refused and that the quick reader let through.

    A name that occurs twice was counted once: then more quotes stand before a colon than names were met.
    What cannot be told so, the exact reader is asked.
    """
    large = len(raw) > EVENT_DATA_BYTES_MAX
    digits = raw.translate(_DIGITS, _SPACES)
    if (
        not large and not seen.doubtful and digits.count(b'":') == seen.names
        and _LONG_RUN not in digits and bodies.SUSPICIOUS.search(raw) is None
    ):
        return True
    try:
        exact = bodies.parse(raw, check_depth=False)
    except DomainError:
        return False
    return not large or not any(is_large(item["event_data"]) for item in exact["events"])
