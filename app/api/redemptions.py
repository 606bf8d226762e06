"""Redemptions and reversals over HTTP."""

from collections.abc import Mapping
from typing import Any

from app.api.models import rewards as models
from app.api.pages import listing
from app.api.routing import Reply, Request, route
from app.db import connection
from app.domain import errors
from app.domain.errors import DomainError
from app.domain.names import OwnerType
from app.flows import redeem, redeem_reward, reverse
from app.flows.idempotency import Outcome, hash_of
from app.flows.move_value import Call, find_owner
from app.flows.redeem_reward import Choice
from app.flows.reverse import Reversal, reversal_view
from app.store import redemptions

_TAG = "Redemptions"
_PROGRAM = "8f14e45f-ceea-467f-9a36-dedd4bea2543"
_REFUSALS: list[type[DomainError]] = [
    errors.NotFound, errors.ParticipantInactive, errors.ProgramSuspended, errors.ProgramArchived,
    errors.InvalidAmount, errors.InsufficientFunds, errors.AssetNotLinked, errors.AssetArchived,
    errors.TransactionLimitExceeded, errors.IdempotencyConflict,
]


def _reply(outcome: Outcome) -> Reply:
    return Reply(200 if outcome.replayed else 201, outcome.response, replayed=outcome.replayed)


@route(
    "POST", "/v1/participants/{id}/redemptions", summary="Redeem an amount", tag=_TAG,
    body=models.RedemptionCreate, responses={201: models.Redemption, 200: models.Redemption},
    errors=_REFUSALS, example={
        "program_id": _PROGRAM, "asset_id": "c9f0f895-fb98-4b91-99b1-8a6a5ad1a1a1", "amount": "25.00",
        "description": "Checkout discount",
    },
    description="Takes AVAILABLE value; there is no overdraft. 200 repeats the answer of the same key.",
)
def redeem_amount(request: Request) -> Reply:
    """Redeem an amount."""
    body: models.RedemptionCreate = request.body
    participant_id = request.path["id"]
    call = Call(request.organization_id, request.api_key_id, body.program_id, body.asset_id)
    wanted = redeem.Wanted(participant_id, body.amount, body.description)
    hashed = hash_of("redeem", [participant_id], body.model_dump())
    return _reply(redeem.redeem(call, wanted, body.idempotency_key, hashed))


@route(
    "POST", "/v1/participants/{id}/redemptions/items", summary="Redeem a reward", tag=_TAG,
    body=models.ItemRedemptionCreate, responses={201: models.Redemption, 200: models.Redemption},
    errors=[
        *_REFUSALS, errors.RewardProgramMismatch, errors.InvalidQuantity, errors.MaxTotalExceeded,
        errors.MaxPerParticipantExceeded, errors.RewardUnavailable, errors.NotEligible,
    ],
    example={
        "program_id": _PROGRAM, "reward_id": "45c48cce-2e2d-4fbd-8a4f-2c1a5c3f1a11", "quantity": 1,
    },
    description=(
        "Units at the reward's price, or for an AMOUNT_BASED reward an amount. Stock and limits are exact, "
        "however many redeem at once."
    ),
)
def redeem_item(request: Request) -> Reply:
    """Redeem a reward of the catalogue."""
    body: models.ItemRedemptionCreate = request.body
    participant_id = request.path["id"]
    choice = Choice(
        body.program_id, participant_id, body.reward_id, body.quantity, body.amount, body.description
    )
    hashed = hash_of("redeem_reward", [participant_id], body.model_dump())
    return _reply(redeem_reward.redeem_reward(
        request.organization_id, request.api_key_id, choice, body.idempotency_key, hashed
    ))


@route(
    "GET", "/v1/participants/{id}/redemptions", summary="List a participant's redemptions", tag=_TAG,
    query=models.RedemptionsQuery, responses={200: models.RedemptionList}, errors=[errors.NotFound],
)
def list_redemptions(request: Request) -> Reply:
    """List redemptions of both kinds, newest first."""
    query: models.RedemptionsQuery = request.query
    participant_id = request.path["id"]
    with connection() as c:
        find_owner(c, request.organization_id, OwnerType.PARTICIPANT, participant_id)
        return listing(request, redemptions.ORDER, lambda page: redemptions.page(
            c, request.organization_id, participant_id, page, status=query.status,
            reward_id=query.reward_catalog_item_id, window=(query.from_, query.to),
        ), redeem.view)


@route("GET", "/v1/redemptions/{id}", summary="Get a redemption", tag=_TAG,
       responses={200: models.Redemption}, errors=[errors.NotFound])
def get_redemption(request: Request) -> Reply:
    """Return a redemption."""
    with connection() as c:
        return Reply(200, redeem.view(_found(c, request)))


def _found(c: Any, request: Request) -> Mapping[str, Any]:
    row = redemptions.get(c, request.organization_id, request.path["id"])
    if row is None:
        raise errors.NotFound("Redemption not found")
    return row


@route(
    "POST", "/v1/redemptions/{id}/reverse", summary="Reverse a redemption", tag=_TAG,
    body=models.ReversalCreate, responses={201: models.Reversal, 200: models.Reversal},
    errors=[
        errors.NotFound, errors.ParticipantInactive, errors.ProgramSuspended, errors.ProgramArchived,
        errors.AlreadyReversed, errors.AmountExceedsRemaining, errors.QuantityExceedsRemaining,
        errors.InvalidAmount, errors.InvalidQuantity, errors.AssetArchived, errors.IdempotencyConflict,
    ],
    example={"reason": "Order cancelled", "quantity": 1},
    description=(
        "In the redemption's own unit; with neither, all that is left. Lots are restored, last consumed "
        "first; one that has expired meanwhile is good for the program's `reversal_grace` again."
    ),
)
def reverse_redemption(request: Request) -> Reply:
    """Give redeemed value back."""
    body: models.ReversalCreate = request.body
    redemption_id = request.path["id"]
    hashed = hash_of("reverse", [redemption_id], body.model_dump())
    return _reply(reverse.reverse(
        request.organization_id, request.api_key_id, redemption_id,
        Reversal(body.reason, body.amount, body.quantity), body.idempotency_key, hashed,
    ))


@route("GET", "/v1/redemptions/{id}/reversals", summary="List a redemption's reversals", tag=_TAG,
       query=models.ReversalsQuery, responses={200: models.ReversalList}, errors=[errors.NotFound])
def list_reversals(request: Request) -> Reply:
    """List reversals, oldest first."""
    with connection() as c:
        scale = _found(c, request)["scale"]
        return listing(request, redemptions.REVERSAL_ORDER, lambda page: redemptions.reversals_page(
            c, request.organization_id, request.path["id"], page
        ), lambda row: reversal_view(row, scale))
