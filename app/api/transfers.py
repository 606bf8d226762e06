"""Transfers over HTTP."""

from uuid import UUID

from app.api.models import rewards as models
from app.api.routing import Reply, Request, route
from app.domain import errors
from app.domain.errors import InvalidRequest
from app.domain.names import OwnerType
from app.flows.idempotency import hash_of
from app.flows.move_value import Call
from app.flows.transfer import Party, Transfer, transfer


def _party(
    external_id: str | None, participant_id: UUID | None, group_id: UUID | None, names: tuple[str, str, str]
) -> Party:
    given = [value for value in (external_id, participant_id, group_id) if value is not None]
    if len(given) != 1:
        raise InvalidRequest(
            "Exactly one id is needed",
            {names[0]: f"give exactly one of {', '.join(name.rpartition('.')[2] for name in names)}"},
        )
    if group_id is not None:
        return Party(OwnerType.GROUP, group_id)
    return Party(OwnerType.PARTICIPANT, participant_id, external_id)


@route(
    "POST", "/v1/transfers", summary="Transfer value", tag="Transfers", body=models.TransferCreate,
    responses={201: models.TransferDone, 200: models.TransferDone},
    errors=[
        errors.NotFound, errors.SelfTransfer, errors.RecipientNotFound, errors.ParticipantInactive,
        errors.GroupArchived, errors.ProgramSuspended, errors.ProgramArchived, errors.InvalidAmount,
        errors.InsufficientFunds, errors.AssetNotLinked, errors.AssetArchived,
        errors.TransactionLimitExceeded, errors.IdempotencyConflict,
    ],
    example={
        "program_id": "8f14e45f-ceea-467f-9a36-dedd4bea2543",
        "asset_id": "c9f0f895-fb98-4b91-99b1-8a6a5ad1a1a1", "description": "A gift",
        "source_external_id": "alice", "recipients": [{"external_id": "bob", "amount": "10.00"}],
    },
    description=(
        "One journal entry, all or nothing. Recipients of a LOT asset get new lots with no dates."
    ),
)
def create_transfer(request: Request) -> Reply:
    """Move value from a participant or group to others."""
    body: models.TransferCreate = request.body
    source = _party(
        body.source_external_id, body.source_participant_id, body.source_group_id,
        ("source_external_id", "source_participant_id", "source_group_id"),
    )
    recipients = tuple(
        (_party(each.external_id, each.participant_id, each.group_id, (
            f"recipients[{index}].external_id", f"recipients[{index}].participant_id",
            f"recipients[{index}].group_id",
        )), each.amount)
        for index, each in enumerate(body.recipients)
    )
    call = Call(request.organization_id, request.api_key_id, body.program_id, body.asset_id)
    outcome = transfer(
        call, Transfer(source, recipients, body.description), body.idempotency_key,
        hash_of("transfer", [], body.model_dump()),
    )
    return Reply(200 if outcome.replayed else 201, outcome.response, replayed=outcome.replayed)
