"""Events over HTTP: accept one or many, read one or a list, try a failed one again."""

from typing import Any

from app.api import batches
from app.api.errors import body_of
from app.api.models.events import (
    AcceptedEvent,
    BatchAccepted,
    EventBatch,
    EventIngest,
)
from app.api.routing import Reply, Request, route
from app.domain import errors
from app.domain.errors import DomainError
from app.domain.events import EVENT_DATA_BYTES_MAX, Accepted, Submission
from app.domain.instants import format_instant
from app.domain.json import dumps
from app.flows import ingest
from app.flows.accept_event import accept_one

_TAG = "Events"
BATCH_BYTES_MAX = 8 << 20  # Decision A8.
_EXAMPLE = {
    "program_id": "8f14e45f-ceea-467f-9a36-dedd4bea2543", "external_id": "customer-42",
    "idempotency_key": "order-12345-completed", "event_timestamp": "2026-03-01T12:00:00Z",
    "event_data": {"type": "purchase", "amount": 49.99, "mcc": "5812"},
}
_REFUSALS: list[type[DomainError]] = [
    errors.NotFound, errors.ProgramInactive, errors.ParticipantNotFound, errors.RecipientNotFound,
    errors.IdempotencyConflict,
]


@route(
    "POST", "/v1/events", summary="Accept an event", tag=_TAG, body=EventIngest,
    responses={202: AcceptedEvent}, errors=[*_REFUSALS, errors.PayloadTooLarge],
    description=(
        "Answered once the event is stored durably; a worker evaluates the rules right after. The id follows "
        "from program and key: the same submission again is answered with the event as it stands now, the "
        "same key with another payload is a conflict."
    ),
    example=_EXAMPLE,
)
def ingest_event(request: Request) -> Reply:
    """Accept one event."""
    submission = _submission(request.body)
    if len(request.raw) > EVENT_DATA_BYTES_MAX:
        _refuse_large(submission)
    outcome = accept_one(request.organization_id, submission)
    return Reply(202, _accepted(outcome), outcome.replayed, 0 if outcome.replayed else 1)


@route(
    "POST", "/v1/events/batch", summary="Accept up to 100 events", tag=_TAG, body=EventBatch,
    responses={202: BatchAccepted}, body_bytes_max=BATCH_BYTES_MAX, log_bodies=False,
    errors=[errors.PayloadTooLarge], parse=batches.reader("events"),
    description=(
        "Each item stands alone: a refused one has an error at its place, the others are accepted. All "
        "accepted ones are stored in one transaction; those of one participant run in the order of the array."
    ),
    example={"events": [_EXAMPLE]},
)
def ingest_batch(request: Request) -> Reply:
    """Accept events, each on its own."""
    items: list[EventIngest | DomainError] = request.body.events
    large = len(request.raw) > EVENT_DATA_BYTES_MAX
    outcomes: list[Accepted | DomainError | None] = []
    submissions = []
    for item in items:
        try:
            if isinstance(item, DomainError):
                raise item
            submission = _submission(item)
            if large:
                _refuse_large(submission)
        except DomainError as error:
            outcomes.append(error)
        else:
            submissions.append(submission)
            outcomes.append(None)
    answers = iter(ingest.accept(request.organization_id, submissions) if submissions else ())
    results = [
        _result(index, next(answers) if outcome is None else outcome, request.request_id)
        for index, outcome in enumerate(outcomes)
    ]
    refused = sum(result["status"] == "error" for result in results)
    new = len(results) - refused
    return Reply(202, {
        "total": len(results), "success_count": new, "error_count": refused, "results": results,
    }, events=new)


def _submission(given: EventIngest) -> Submission:
    return Submission(
        given.program_id, given.idempotency_key, given.event_timestamp, given.event_data, given.external_id,
        given.participant_id, given.recipient_id, given.recipient_external_id,
    )


def _refuse_large(submission: Submission) -> None:
    if len(dumps(submission.event_data).encode()) > EVENT_DATA_BYTES_MAX:
        raise errors.ValidationError(details={
            "event_data": f"must not be larger than {EVENT_DATA_BYTES_MAX} bytes as compact JSON"
        })


def _accepted(event: Accepted) -> dict[str, Any]:
    shown = {
        "id": event.id, "program_id": event.program_id, "participant_id": event.participant_id,
        "external_id": event.external_id, "idempotency_key": event.idempotency_key,
        "event_timestamp": format_instant(event.event_timestamp), "status": event.status,
    }
    if event.external_id is None:
        del shown["external_id"]
    return shown


def _result(index: int, outcome: Accepted | DomainError, request_id: str) -> dict[str, Any]:
    if isinstance(outcome, Accepted):
        return {"index": index, "status": "accepted", "event": _accepted(outcome)}
    told = body_of(outcome, request_id)
    del told["request_id"]
    return {"index": index, "status": "error", "error": outcome.message, **told}
