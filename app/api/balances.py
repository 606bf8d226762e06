"""Moving value of participants and groups over HTTP: adjust, hold, release, forfeit, void a hold."""

from uuid import UUID

from app.api.models import balances as models
from app.api.routing import Reply, Request, route
from app.domain import errors
from app.domain.errors import DomainError
from app.domain.names import Bucket, OwnerType
from app.flows import adjust, hold
from app.flows.hold import Handling, Operation
from app.flows.idempotency import Outcome, hash_of
from app.flows.move_value import Call
from app.ledger.lots import LotFilter

_TAG = "Balances"
_PROGRAM = "8f14e45f-ceea-467f-9a36-dedd4bea2543"
_ASSET = "c9f0f895-fb98-4b91-99b1-8a6a5ad1a1a1"
_NAMED = {"program_id": _PROGRAM, "asset_id": _ASSET}
_ADJUST = {**_NAMED, "type": "CREDIT", "amount": "100.00", "description": "Goodwill"}
_HOLD = {**_NAMED, "amount": "100.00", "description": "Reserved for a booking"}
_FORFEIT = {**_HOLD, "bucket": "AVAILABLE", "description": "Account closed"}
_COMMON: list[type[DomainError]] = [
    errors.NotFound, errors.AssetNotLinked, errors.AssetArchived, errors.ProgramSuspended,
    errors.ProgramArchived, errors.InvalidAmount, errors.InsufficientFunds,
]
_ADJUSTING = [*_COMMON, errors.InvalidScale, errors.TransactionLimitExceeded]
_HOLDING = [*_COMMON, errors.LotAssetRequired]


def _adjust(request: Request, kind: OwnerType) -> Reply:
    body: models.Adjust = request.body
    owner_id: UUID = request.path["id"]
    wanted = adjust.Adjustment(
        kind, owner_id, body.type, body.amount, Bucket(body.bucket), body.description, body.allow_negative
    )
    call = Call(request.organization_id, request.api_key_id, body.program_id, body.asset_id)
    hashed = hash_of("adjust", [owner_id], body.model_dump())
    return _reply(adjust.adjust(call, wanted, body.idempotency_key, hashed))


def _handle(request: Request, kind: OwnerType, operation: Operation) -> Reply:
    body: models.Hold = request.body
    owner_id: UUID = request.path["id"]
    filters = LotFilter(
        None if body.lot_ids is None else frozenset(body.lot_ids), body.earned_from, body.earned_to
    )
    wanted = Handling(
        operation, kind, owner_id, body.amount, body.description,
        Bucket(body.bucket or Bucket.AVAILABLE), filters if filters.given() else None, body.reference_id,
    )
    call = Call(request.organization_id, request.api_key_id, body.program_id, body.asset_id)
    hashed = hash_of(operation.lower(), [owner_id], body.model_dump())
    return _reply(hold.handle(call, wanted, body.idempotency_key, hashed))


def _reply(outcome: Outcome) -> Reply:
    return Reply(200, outcome.response, replayed=outcome.replayed)


@route(
    "POST", "/v1/participants/{id}/balances/adjust", summary="Adjust a participant's balance", tag=_TAG,
    body=models.Adjust, responses={200: models.Adjusted}, example=_ADJUST,
    errors=[*_ADJUSTING, errors.ParticipantInactive],
    description="A manual credit or debit. An amount with too many decimals is refused, never rounded.",
)
def adjust_participant_balance(request: Request) -> Reply:
    """Adjust a participant's balance."""
    return _adjust(request, OwnerType.PARTICIPANT)


@route(
    "POST", "/v1/participants/{id}/balances/hold", summary="Hold a participant's value", tag=_TAG,
    body=models.Hold, responses={200: models.Handled}, example=_HOLD,
    errors=[*_HOLDING, errors.ParticipantInactive],
    description=(
        "Moves AVAILABLE to HELD. Without `amount` all that matches. Lots keep their dates; one that is held "
        "in part is split."
    ),
)
def hold_participant_balance(request: Request) -> Reply:
    """Reserve a participant's value."""
    return _handle(request, OwnerType.PARTICIPANT, Operation.HOLD)


@route(
    "POST", "/v1/participants/{id}/balances/release", summary="Release a participant's held value",
    tag=_TAG, body=models.Hold, responses={200: models.Handled}, example=_HOLD,
    errors=[*_HOLDING, errors.ParticipantInactive],
    description=(
        "Moves HELD back to AVAILABLE. Of a LOT asset up to `amount`: see `amount_processed`. Credits made "
        "provisionally are settled or voided instead."
    ),
)
def release_participant_balance(request: Request) -> Reply:
    """Give a participant's held value back."""
    return _handle(request, OwnerType.PARTICIPANT, Operation.RELEASE)


@route(
    "POST", "/v1/participants/{id}/balances/forfeit", summary="Forfeit a participant's value", tag=_TAG,
    body=models.Forfeit, responses={200: models.Handled}, example=_FORFEIT, errors=_HOLDING,
    description="Takes value away for good. Allowed for suspended and closed participants.",
)
def forfeit_participant_balance(request: Request) -> Reply:
    """Take a participant's value away."""
    return _handle(request, OwnerType.PARTICIPANT, Operation.FORFEIT)


@route(
    "POST", "/v1/participants/{id}/balances/void-hold", summary="Void a participant's provisional credits",
    tag=_TAG, body=models.VoidHold, responses={200: models.Handled}, errors=_HOLDING,
    example={**_NAMED, "reference_id": "auth-7731", "description": "Purchase cancelled"},
    description=(
        "Returns everything that the program credited into HELD under the reference to where it came from. "
        "What a hold moved into HELD is released instead."
    ),
)
def void_participant_hold(request: Request) -> Reply:
    """Cancel a participant's provisional credits."""
    return _handle(request, OwnerType.PARTICIPANT, Operation.VOID_HOLD)


@route(
    "POST", "/v1/groups/{id}/balances/adjust", summary="Adjust a group's balance", tag=_TAG,
    body=models.Adjust, responses={200: models.GroupAdjusted}, example=_ADJUST,
    errors=[*_ADJUSTING, errors.GroupArchived],
)
def adjust_group_balance(request: Request) -> Reply:
    """A manual credit or debit of a group."""
    return _adjust(request, OwnerType.GROUP)


@route(
    "POST", "/v1/groups/{id}/balances/hold", summary="Hold a group's value", tag=_TAG, body=models.Hold,
    responses={200: models.Handled}, example=_HOLD, errors=[*_HOLDING, errors.GroupArchived],
)
def hold_group_balance(request: Request) -> Reply:
    """Reserve a group's value."""
    return _handle(request, OwnerType.GROUP, Operation.HOLD)


@route(
    "POST", "/v1/groups/{id}/balances/release", summary="Release a group's held value", tag=_TAG,
    body=models.Hold, responses={200: models.Handled}, example=_HOLD,
    errors=[*_HOLDING, errors.GroupArchived],
)
def release_group_balance(request: Request) -> Reply:
    """Give a group's held value back."""
    return _handle(request, OwnerType.GROUP, Operation.RELEASE)


@route(
    "POST", "/v1/groups/{id}/balances/forfeit", summary="Forfeit a group's value", tag=_TAG,
    body=models.Forfeit, responses={200: models.Handled}, example=_FORFEIT,
    errors=[*_HOLDING, errors.GroupArchived],
)
def forfeit_group_balance(request: Request) -> Reply:
    """Take a group's value away."""
    return _handle(request, OwnerType.GROUP, Operation.FORFEIT)


@route(
    "POST", "/v1/groups/{id}/balances/void-hold", summary="Void a group's provisional credits", tag=_TAG,
    body=models.VoidHold, responses={200: models.Handled},
    errors=[*_HOLDING, errors.GroupArchived],
    example={**_NAMED, "reference_id": "auth-7731", "description": "Purchase cancelled"},
)
def void_group_hold(request: Request) -> Reply:
    """Cancel a group's provisional credits."""
    return _handle(request, OwnerType.GROUP, Operation.VOID_HOLD)
