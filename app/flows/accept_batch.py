"""Accepting a batch: the short way for the common case, where nobody has to be created, enrolled or refused.

The request's own text travels to the database as one parameter, so that no event's data is written again;
one statement looks up, inserts and commits everything. If anything in the batch is not plain (somebody new,
a program that is not active), nothing is kept of it and the whole batch takes the long way, app/flows/ingest,
so that its order stands. A batch of which some events exist takes it too, and finds its new ones as replays.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

import psycopg

from app import db
from app.flows import backlog
from app.queue import ringer
from app.store import events


@dataclass(frozen=True, slots=True)
class PlainBatch:
    """A JSON text, an object whose `events` are to be accepted, and what does not stand in it as it is kept.

    The ids and instants of the events, in order, and the programs that occur. Nobody has a recipient.
    """

    text: str
    ids: list[str]
    instants: list[str]
    programs: Iterable[UUID]


def accept_batch(organization_id: UUID, batch: PlainBatch) -> list[str] | None:
    """Accept events durably, in order; return the ids of their participants, None where that was not all.

    Then the long way has to accept the batch: nothing was kept, or what was new among events that existed.
    Raises TooManyRequests when the queue is full. The answer holds after return: everything is committed.
    """
    backlog.refuse_when_full()
    if len(set(batch.ids)) < len(batch.ids):
        return None
    try:
        with db.connection() as c:
            people, partitions = events.insert_batch(
                c, organization_id, batch.text, batch.ids, batch.instants, batch.programs
            )
    except psycopg.Error:
        # Whatever it is, the long way finds out, and tells apart whose event is at fault.
        return None
    ringer.ring(partitions)
    return people if len(people) == len(batch.ids) else None
