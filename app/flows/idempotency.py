"""Doing an operation once under its idempotency key, and answering repetitions with the first answer.

Events do not pass here: their id is made from their key (app/flows/ingest.py).

    request_hash = hash_of("hold", [participant_id], body.model_dump(exclude={"idempotency_key"}))
    with pipelined() as c:
        turn = take_turn(c, organization_id, program_id, "hold", key, request_hash, participant_id)
        …
        outcome = once(turn, perform)

`take_turn` comes first in the transaction, before any other lock. `perform` does the work and returns the
answer as it will be sent; only its success occupies the key.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

from app.db import Connection
from app.domain.amounts import format_plain
from app.domain.errors import IdempotencyConflict
from app.domain.instants import format_instant
from app.domain.json import dumps
from app.store import idempotency


@dataclass(frozen=True, slots=True)
class Outcome:
    """An answer, and whether it is the repetition of an earlier one."""

    response: dict[str, Any]
    replayed: bool


def hash_of(operation: str, path_ids: Iterable[UUID], body: Mapping[str, Any]) -> bytes:
    """Return the SHA-256 of what a request means: the order of fields, the spelling of instants and of
    decimals, and the key itself make no difference. Absent fields and nulls are the same."""
    meaning = {name: value for name, value in body.items() if name != "idempotency_key" and value is not None}
    text = dumps([operation, [str(each) for each in path_ids], normalised(meaning)])
    return hashlib.sha256(text.encode()).digest()


def normalised(value: Any) -> Any:
    """Return a value in the one spelling of its meaning."""
    match value:
        case bool() | None:
            return value
        case Enum():
            return value.value
        case Mapping():
            return {name: normalised(value[name]) for name in sorted(value)}
        case list() | tuple() | set() | frozenset():
            return [normalised(each) for each in value]
        case Decimal() | int():
            return {"number": format_plain(Decimal(value))}
        case datetime():
            return format_instant(value)
        case UUID():
            return str(value)
        case _:
            return value


@dataclass(frozen=True, slots=True)
class Turn:
    """The place of a request among those under its key; without a key, one of its own."""

    c: Connection
    name: idempotency.Name | None
    request_hash: bytes
    participant_id: UUID | None
    known: Any


def take_turn(
    c: Connection, organization_id: UUID, program_id: UUID, operation: str, key: str | None,
    request_hash: bytes, participant_id: UUID | None = None,
) -> Turn:
    """Wait for others under the key, and start looking for its answer; the first statements of a pipeline."""
    if key is None:
        return Turn(c, None, request_hash, participant_id, None)
    name = idempotency.Name(organization_id, program_id, operation, key)
    idempotency.wait_turn(c, _number(name))
    return Turn(c, name, request_hash, participant_id, idempotency.start(c, name))


def once(turn: Turn, perform: Callable[[], dict[str, Any]]) -> Outcome:
    """Perform an operation, or return the answer that its key already has.

    Raises IdempotencyConflict where the key was used for something else, and whatever `perform` raises.
    """
    if turn.name is None:
        return Outcome(perform(), replayed=False)
    known = idempotency.read(turn.known)
    if known is not None:
        first_hash, response = known
        if first_hash != turn.request_hash:
            raise IdempotencyConflict()
        return Outcome(response, replayed=True)
    response = perform()
    idempotency.insert(turn.c, turn.name, turn.request_hash, response, turn.participant_id)
    return Outcome(response, replayed=False)


def _number(name: idempotency.Name) -> int:
    text = "\x00".join(map(str, name.parameters().values()))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
