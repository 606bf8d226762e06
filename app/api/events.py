"""Events over HTTP: accept one or many, read one or a list, try a failed one again."""

from typing import Any
from uuid import UUID

from app.api import batches, plain_batches
from app.api.errors import body_of
from app.api.event_views import evaluation_views, event_view
from app.api.models.events import (
    AcceptedEvent,
    BatchAccepted,
    Event,
    EventBatch,
    EventByKeyQuery,
    EventIngest,
    EventList,
    EventQuery,
    EventRetry,
    EventsQuery,
    ParticipantEventsQuery,
)
from app.api.pages import listing
from app.api.routing import Reply, Request, route
from app.db import Connection, connection
from app.domain import errors
from app.domain.errors import DomainError
from app.domain.events import EVENT_DATA_BYTES_MAX, Accepted, Submission, is_large
from app.domain.ids import id_of_key
from app.domain.instants import format_instant
from app.domain.names import EventStatus, EventType
from app.flows import ingest, retry_event
from app.flows.accept_batch import accept_batch
from app.flows.accept_event import accept_one
from app.store import event_lists, events, participants, rulesets

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


_read_each = batches.reader("events")


def _read_batch(raw: bytes) -> Any:
    return plain_batches.read(raw) or _read_each(raw)


@route(
    "POST", "/v1/events/batch", summary="Accept up to 100 events", tag=_TAG, body=EventBatch,
    responses={202: BatchAccepted}, body_bytes_max=BATCH_BYTES_MAX, log_bodies=False,
    errors=[errors.PayloadTooLarge], parse=_read_batch,
    description=(
        "Each item stands alone: a refused one has an error at its place, the others are accepted. All "
        "accepted ones are stored in one transaction; those of one participant run in the order of the array."
    ),
    example={"events": [_EXAMPLE]},
)
def ingest_batch(request: Request) -> Reply:
    """Accept events, each on its own."""
    given = request.body
    if isinstance(given, plain_batches.Plain):
        people = accept_batch(request.organization_id, given.batch)
        if people is not None:
            return _all_accepted(given.answers, people)
        given = EventBatch.model_validate(_read_each(request.raw))
    large = len(request.raw) > EVENT_DATA_BYTES_MAX
    outcomes: list[Accepted | DomainError | None] = []
    submissions: list[Submission] = []
    for item in given.events:
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


@route(
    "GET", "/v1/events/by-key", summary="Get an event by its key", tag=_TAG, query=EventByKeyQuery,
    responses={200: Event}, errors=[errors.NotFound],
)
def get_event_by_key(request: Request) -> Reply:
    """Return the event of a program under the key that it shows, the system's own events too."""
    query: EventByKeyQuery = request.query
    return _one(request, id_of_key(query.program_id, query.idempotency_key), query.include_skipped)


@route(
    "GET", "/v1/events/{id}", summary="Get an event", tag=_TAG, query=EventQuery, responses={200: Event},
    errors=[errors.NotFound],
)
def get_event(request: Request) -> Reply:
    """Return an event with what became of the rules."""
    return _one(request, request.path["id"], request.query.include_skipped)


@route(
    "GET", "/v1/events", summary="List events", tag=_TAG, query=EventsQuery, responses={200: EventList},
    description=(
        "To read what is new, ask with `from`: it looks at when events were received, and late ones keep "
        "appearing there. A rule matched where it ran, or where its budget was exceeded. Among very many "
        "events a page of a rare filter may hold fewer rows than `limit`, or none: go on while `has_more` is."
    ),
)
def list_events(request: Request) -> Reply:
    """List events."""
    query: EventsQuery = request.query
    with connection() as c:
        participant_id = query.participant_id
        if query.external_id is not None:
            found = participants.ids_of(c, request.organization_id, [query.external_id])
            named = found.get(query.external_id, _NOBODY)
            participant_id = named if participant_id in (None, named) else _NOBODY
        return _list(c, request, participant_id)


@route(
    "GET", "/v1/participants/{id}/activity/events", summary="List a participant's events", tag="Participants",
    query=ParticipantEventsQuery, responses={200: EventList}, errors=[errors.NotFound],
)
def list_participant_events(request: Request) -> Reply:
    """List the events of one participant."""
    with connection() as c:
        if not participants.exists(c, request.organization_id, request.path["id"]):
            raise errors.NotFound("Participant not found")
        return _list(c, request, request.path["id"])


@route(
    "POST", "/v1/events/{id}/retry", summary="Retry a failed event", tag=_TAG, responses={200: EventRetry},
    errors=[errors.NotFound, errors.EventNotFailed],
    description=(
        "The event takes a new place at the tail of the queue, with five fresh attempts. The rules are those "
        "of now, `now` in expressions is still the event's own time."
    ),
)
def retry_failed_event(request: Request) -> Reply:
    """Run a failed event once more."""
    row = retry_event.retry_event(request.organization_id, request.path["id"])
    return Reply(200, {
        "event_id": row["id"], "status": EventStatus.PENDING, "previous_status": EventStatus.FAILED,
        "previous_error": row["decision_error"], "message": "Event queued for retry",
    })


_NOBODY = UUID(int=0)  # No participant has it.


def _one(request: Request, found_id: UUID, include_skipped: bool) -> Reply:
    with connection() as c:
        row = events.get(c, request.organization_id, found_id)
        if row is None:
            raise errors.NotFound("Event not found")
        rules, symbols = rulesets.names(c, request.organization_id, row["program_id"], row["ruleset_version"])
    shown = event_view(row)
    shown["rule_evaluations"] = evaluation_views(row, rules, symbols, include_skipped=include_skipped)
    return Reply(200, shown)


def _list(c: Connection, request: Request, participant_id: UUID | None) -> Reply:
    query: ParticipantEventsQuery = request.query
    order = event_lists.order(query.sort_by, descending=query.sort_dir == "desc")
    wanted = event_lists.Filter(
        program_id=query.program_id, status=EventStatus(query.status) if query.status else None,
        event_type=EventType(query.event_type) if query.event_type else None, participant_id=participant_id,
        rule_id=query.rule_id, created_from=query.from_, created_to=query.to,
        happened_from=query.event_from, happened_to=query.event_to,
    )
    return listing(
        request, order, lambda page: event_lists.page(c, request.organization_id, order, page, wanted),
        event_view,
    )


def _submission(given: EventIngest) -> Submission:
    return Submission(
        given.program_id, given.idempotency_key, given.event_timestamp, given.event_data, given.external_id,
        given.participant_id, given.recipient_id, given.recipient_external_id,
    )


def _refuse_large(submission: Submission) -> None:
    if is_large(submission.event_data):
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


def _all_accepted(events: list[dict[str, Any]], people: list[str]) -> Reply:
    for event, participant_id in zip(events, people, strict=True):
        event["participant_id"] = participant_id
    results = [{"index": index, "status": "accepted", "event": event} for index, event in enumerate(events)]
    return Reply(202, {
        "total": len(results), "success_count": len(results), "error_count": 0, "results": results,
    }, events=len(results))


def _result(index: int, outcome: Accepted | DomainError, request_id: str) -> dict[str, Any]:
    if isinstance(outcome, Accepted):
        return {"index": index, "status": "accepted", "event": _accepted(outcome)}
    told = body_of(outcome, request_id)
    del told["request_id"]
    fields = "; ".join(f"{path} {text}" for path, text in outcome.details.items())
    return {"index": index, "status": "error", "error": fields or outcome.message, **told}
