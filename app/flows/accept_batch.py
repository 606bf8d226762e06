"""Accepting a batch: the short way for the common case, where nobody has to be created, enrolled or refused.

The request's own text travels to the database as one parameter, so that no event's data is written again;
one statement looks up and inserts everything. If anything in the batch is not plain (a replay, somebody new,
a recipient), nothing is kept of it and the whole batch takes the long way, so that its order stands.
"""

from dataclasses import dataclass
from uuid import UUID

import psycopg

from app import db
from app.domain.errors import DomainError
from app.domain.events import Accepted, Submission
from app.domain.ids import event_id
from app.domain.names import EventStatus
from app.flows import backlog, ingest
from app.queue import ringer
from app.store import events


@dataclass(frozen=True, slots=True)
class Source:
    """The JSON text that the submissions were read from: an object whose `events` holds them at `places`."""

    text: str
    places: list[int]


class _NotPlain(Exception):
    """Some event of the batch needs the long way."""


def accept_batch(
    organization_id: UUID, submissions: list[Submission], source: Source
) -> list[Accepted | DomainError]:
    """Accept events durably, in order, as app/flows/ingest does and with the same answers."""
    backlog.refuse_when_full()
    ids = [event_id(one.program_id, one.idempotency_key) for one in submissions]
    if len(set(ids)) == len(ids) and not any(map(_has_recipient, submissions)):
        try:
            return _insert(organization_id, submissions, ids, source)
        except (_NotPlain, psycopg.Error):
            # Whatever it is, the long way finds out, and tells apart whose event is at fault.
            pass
    return ingest.accept(organization_id, submissions)


def _has_recipient(one: Submission) -> bool:
    return one.recipient_id is not None or one.recipient_external_id is not None


def _insert(
    organization_id: UUID, submissions: list[Submission], ids: list[UUID], source: Source
) -> list[Accepted | DomainError]:
    with db.pipelined() as c:
        stored = events.insert_batch(c, organization_id, source.text, [
            {"n": place, "i": known.hex, "t": one.event_timestamp.isoformat()}
            for place, known, one in zip(source.places, ids, submissions, strict=True)
        ])
        if len(stored) != len(ids):
            raise _NotPlain
    ringer.ring({row["partition"] for row in stored.values()})
    return [
        Accepted(
            known, one.program_id, stored[known]["participant_id"], one.external_id, one.idempotency_key,
            one.event_timestamp, EventStatus.RECEIVED, replayed=False,
        )
        for known, one in zip(ids, submissions, strict=True)
    ]
