"""Accepting one event: the short way for the common case, where nobody has to be created or enrolled.

Requests that arrive together share one statement and one commit: whichever thread gets the lock writes for
all that wait, so the fuller the machine, the cheaper a request. The statement looks up program and
participant and inserts event and place in the inbox. What it leaves out is a replay, refused, or needs more:
app/flows/ingest decides about each of those on its own.
"""

import threading
from collections import deque
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

TOGETHER_MAX = 64  # More requests than a process answers at once.


def accept_one(organization_id: UUID, submission: Submission) -> Accepted:
    """Accept an event durably. Raises what refuses it, and TooManyRequests when the queue is full."""
    if submission.recipient_id is None and submission.recipient_external_id is None:
        backlog.refuse_when_full()
        known = event_id(submission.program_id, submission.idempotency_key)
        stored = _together.insert(_Waiting(organization_id, known, submission))
        if stored is not None:
            return Accepted(
                known, submission.program_id, stored["participant_id"], submission.external_id,
                submission.idempotency_key, submission.event_timestamp, EventStatus.RECEIVED, replayed=False,
            )
    outcome, = ingest.accept(organization_id, [submission])
    if isinstance(outcome, DomainError):
        raise outcome
    return outcome


class _Waiting:
    """One request's event, and what became of it once it is done."""

    __slots__ = ("done", "event_id", "organization_id", "stored", "submission")

    def __init__(self, organization_id: UUID, known: UUID, submission: Submission) -> None:
        self.organization_id = organization_id
        self.event_id = known
        self.submission = submission
        self.done = False
        self.stored: events.Inserted | None = None


class _Together:
    """The requests of a process that wait for their insert."""

    def __init__(self) -> None:
        self._waiting: deque[_Waiting] = deque()
        self._lock = threading.Lock()

    def insert(self, mine: _Waiting) -> "events.Inserted | None":
        """Insert one event, and the others that wait; return the row, None where it needs the long way."""
        self._waiting.append(mine)
        while not mine.done:
            with self._lock:
                if mine.done:
                    break  # type: ignore[unreachable]  # Another thread may have set it since the line above.
                batch = [self._waiting.popleft() for _ in range(min(len(self._waiting), TOGETHER_MAX))]
                try:
                    self._write(batch)
                finally:
                    for each in batch:
                        each.done = True
        return mine.stored

    def _write(self, batch: list[_Waiting]) -> None:
        try:
            with db.connection() as c:
                stored = events.insert_plain(
                    c, [(each.organization_id, each.event_id, each.submission) for each in batch]
                )
        except psycopg.Error:
            # Whatever it is, it meets only whose event it belongs to when each takes the long way alone.
            return
        for each in batch:
            each.stored = stored.get((each.organization_id, each.event_id))
        ringer.ring({row["partition"] for row in stored.values()})


_together = _Together()
