"""Accepting one event: the short way for the common case, where nobody has to be created or enrolled.

One statement looks up program and participant and inserts the event with its place in the inbox; it commits
by itself. Where it inserts nothing, the event is a replay, refused, or needs more: app/flows/ingest decides.
"""

from uuid import UUID

from app import db
from app.domain.errors import DomainError
from app.domain.events import Accepted, Submission
from app.domain.ids import event_id
from app.domain.names import EventStatus
from app.flows import backlog, ingest
from app.queue import ringer
from app.store import events


def accept_one(organization_id: UUID, submission: Submission) -> Accepted:
    """Accept an event durably. Raises what refuses it, and TooManyRequests when the queue is full."""
    if submission.recipient_id is None and submission.recipient_external_id is None:
        backlog.refuse_when_full()
        known = event_id(submission.program_id, submission.idempotency_key)
        with db.connection() as c:
            stored = events.insert_plain(c, organization_id, known, submission)
        if stored is not None:
            person, partition = stored
            ringer.ring((partition,))
            return Accepted(
                known, submission.program_id, person, submission.external_id, submission.idempotency_key,
                submission.event_timestamp, EventStatus.RECEIVED, replayed=False,
            )
    outcome, = ingest.accept(organization_id, [submission])
    if isinstance(outcome, DomainError):
        raise outcome
    return outcome
