"""Participants over HTTP: upsert one or many, list, read, change."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from app.api.models.participants import (
    Participant,
    ParticipantBatch,
    ParticipantBatchResult,
    ParticipantList,
    ParticipantPatch,
    ParticipantsQuery,
    ParticipantStatusBody,
    ParticipantUpsert,
)
from app.api.owners import balance_view, counters_view, tiers_view
from app.api.pages import listing
from app.api.render import present
from app.api.routing import Reply, Request, route
from app.book import owner_balances
from app.db import Connection, connection, read_clock
from app.domain.errors import (
    DomainError,
    KeyExists,
    LimitExceeded,
    NotFound,
    ParticipantInactive,
    ProgramArchived,
)
from app.domain.names import ParticipantStatus
from app.flows import manage_participants
from app.flows.manage_participants import Upsert
from app.store import participants, snapshot
from app.store.participants import PROFILE

_TAG = "Participants"
_EXAMPLE = {
    "external_id": "customer-42", "email": "ada@example.com", "first_name": "Ada",
    "attributes": {"birthday": "12-10"}, "tags": ["vip"],
}


def slim_view(row: Mapping[str, Any]) -> dict[str, Any]:
    """Show a participant as lists do."""
    return present(
        row, required=("id", "external_id", "status", "created_at", "updated_at"), optional=PROFILE
    )


def detail_view(c: Connection, organization_id: UUID, participant_id: UUID) -> dict[str, Any]:
    """Show a participant with state, balances and programs. Raises NotFound."""
    row = participants.full(c, organization_id, [participant_id]).get(participant_id)
    if row is None:
        raise NotFound("Participant not found")
    now = read_clock(c)
    balances = owner_balances.of_owner(c, organization_id, participant_id, now)
    tiers = snapshot.read_tiers(snapshot.start_tiers(c, organization_id, [participant_id]))
    return {
        **slim_view(row), "attributes": row["attributes"], "tags": row["tags"],
        "counters": counters_view(row["counters"], now), "tiers": tiers_view(tiers.get(participant_id, {})),
        "balances": [balance_view(balance) for balance in balances], "program_ids": row["program_ids"],
    }


def upsert_of(body: ParticipantUpsert) -> Upsert:
    """Return what a body asks for."""
    given = body.model_dump(include=set(PROFILE), exclude_none=True)
    status = None if body.status is None else ParticipantStatus(body.status)
    return Upsert(body.external_id, body.program_id, status, given, body.attributes, body.tags)


@route(
    "POST", "/v1/participants", summary="Create or update a participant", tag=_TAG, body=ParticipantUpsert,
    responses={201: Participant, 200: Participant},
    errors=[LimitExceeded, ParticipantInactive, ProgramArchived, NotFound],
    example=_EXAMPLE,
    description=(
        "Looks the participant up by `external_id`: 201 where it was created, 200 where it existed. Given "
        "fields overwrite, attributes are merged, tags are replaced, `program_id` enrolls."
    ),
)
def upsert_participant(request: Request) -> Reply:
    """Create or update a participant."""
    outcome = manage_participants.upsert(
        request.organization_id, request.api_key_id, [upsert_of(request.body)]
    )[0]
    if isinstance(outcome, DomainError):
        raise outcome
    with connection() as c:
        shown = detail_view(c, request.organization_id, outcome.id)
    return Reply(201 if outcome.created else 200, shown)


@route(
    "POST", "/v1/participants/batch", summary="Create or update up to 500 participants", tag=_TAG,
    body=ParticipantBatch, responses={200: ParticipantBatchResult}, example={"participants": [_EXAMPLE]},
    description=(
        "The answer lists the outcome of each in the order of the request. One that is refused does not "
        "affect the others; a malformed one refuses the request."
    ),
)
def upsert_participants(request: Request) -> Reply:
    """Create or update many participants in one transaction."""
    wanted = [upsert_of(body) for body in request.body.participants]
    outcomes = manage_participants.upsert(request.organization_id, request.api_key_id, wanted)
    data: list[dict[str, Any]] = []
    for each, outcome in zip(wanted, outcomes, strict=True):
        if isinstance(outcome, DomainError):
            shown: dict[str, Any] = {
                "status": "error", "external_id": each.external_id, "code": outcome.code,
                "message": outcome.message,
            }
            if outcome.details:
                shown["details"] = outcome.details
        else:
            shown = {
                "status": "created" if outcome.created else "updated", "external_id": each.external_id,
                "id": outcome.id,
            }
        data.append(shown)
    return Reply(200, {"data": data})


@route(
    "GET", "/v1/participants", summary="List participants", tag=_TAG, query=ParticipantsQuery,
    responses={200: ParticipantList},
    description="With `external_id` the list has at most one row: this is the look-up by external id.",
)
def list_participants(request: Request) -> Reply:
    """List participants."""
    query: ParticipantsQuery = request.query
    order = participants.order(query.sort_by, descending=query.sort_dir == "desc")
    with connection() as c:
        return listing(request, order, lambda page: participants.page(
            c, request.organization_id, order, page, external_id=query.external_id,
            program_id=query.program_id, status=query.status, search=query.search,
            window=(query.from_, query.to),
        ), slim_view)


@route("GET", "/v1/participants/{id}", summary="Get a participant", tag=_TAG, responses={200: Participant})
def get_participant(request: Request) -> Reply:
    """Return a participant with state, balances, tiers and programs."""
    with connection() as c:
        return Reply(200, detail_view(c, request.organization_id, request.path["id"]))


@route(
    "PATCH", "/v1/participants/{id}", summary="Change a participant", tag=_TAG, body=ParticipantPatch,
    responses={200: Participant}, errors=[KeyExists, LimitExceeded, ParticipantInactive],
    example={"first_name": "Ada", "attributes": {"city": "London"}},
    description=(
        "Only fields present in the body change. Attributes are merged, tags replaced; an empty string "
        "clears a profile field. The status has an endpoint of its own."
    ),
)
def update_participant(request: Request) -> Reply:
    """Change a participant."""
    body: ParticipantPatch = request.body
    profile = body.model_dump(exclude_unset=True, include={*PROFILE, "external_id"})
    manage_participants.change(
        request.organization_id, request.api_key_id, request.path["id"], profile=profile,
        attributes=body.attributes, tags=body.tags,
    )
    with connection() as c:
        return Reply(200, detail_view(c, request.organization_id, request.path["id"]))


@route(
    "PATCH", "/v1/participants/{id}/status", summary="Change a participant's status", tag=_TAG,
    body=ParticipantStatusBody, responses={200: Participant}, example={"status": "SUSPENDED"},
    errors=[ParticipantInactive],
    description=(
        "SUSPENDED and CLOSED block the movement of value; both can be undone. A participant who was erased "
        "stays CLOSED: 409 `participant_inactive`."
    ),
)
def update_participant_status(request: Request) -> Reply:
    """Change a participant's status."""
    manage_participants.change(
        request.organization_id, request.api_key_id, request.path["id"], profile={},
        status=ParticipantStatus(request.body.status),
    )
    with connection() as c:
        return Reply(200, detail_view(c, request.organization_id, request.path["id"]))
