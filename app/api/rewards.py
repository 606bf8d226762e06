"""The rewards catalogue over HTTP: create, list, read, change, quote."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from app.api.models import rewards as models
from app.api.pages import listing
from app.api.render import present
from app.api.routing import Reply, Request, route
from app.db import connection
from app.domain import errors
from app.domain.amounts import format_amount
from app.flows import manage_rewards
from app.flows.move_value import find_program
from app.flows.quote_reward import quote
from app.flows.redeem_reward import Choice
from app.store import rewards

_TAG = "Rewards"
_PATH = "/v1/programs/{id}/rewards"
_REFUSALS: list[type[errors.DomainError]] = [
    errors.NotFound, errors.ProgramArchived, errors.KeyExists, errors.InvalidAmount,
]
_EXAMPLE = {
    "name": "Gift Card", "redemption_type": "UNIT_BASED", "unit_cost": "500", "status": "ACTIVE",
    "asset_id": "c9f0f895-fb98-4b91-99b1-8a6a5ad1a1a1", "max_total": 1000, "max_per_participant": 2,
}


def reward_view(row: Mapping[str, Any]) -> dict[str, Any]:
    """Show a reward."""
    shown = present(
        row, optional=("description", "category", "eligibility", "metadata"),
        required=(
            "id", "program_id", "name", "redemption_type", "asset_id", "max_total", "max_per_participant",
            "status", "available_from", "available_until", "redeemed_count", "created_at", "updated_at",
        ),
    )
    return shown | {"unit_cost": format_amount(row["unit_cost"], row["scale"])}


@route(
    "POST", _PATH, summary="Create a reward", tag=_TAG, body=models.RewardCreate,
    responses={201: models.Reward}, example=_EXAMPLE,
    errors=[*_REFUSALS, errors.AssetNotLinked, errors.AssetArchived],
    description="Priced in an asset that is linked to the program. Names are unique in the program.",
)
def create_reward(request: Request) -> Reply:
    """Create a reward."""
    return Reply(201, reward_view(manage_rewards.create(
        request.organization_id, request.path["id"], request.body.model_dump()
    )))


@route("GET", _PATH, summary="List rewards", tag=_TAG, query=models.RewardsQuery,
       responses={200: models.RewardList}, errors=[errors.NotFound])
def list_rewards(request: Request) -> Reply:
    """List a program's rewards; archived ones only where `status` or `include_archived` asks for them."""
    query: models.RewardsQuery = request.query
    order = rewards.order(query.sort_by, descending=query.sort_dir == "desc")
    program_id: UUID = request.path["id"]
    with connection() as c:
        find_program(c, request.organization_id, program_id)
        return listing(request, order, lambda page: rewards.page(
            c, request.organization_id, program_id, order, page, status=query.status,
            include_archived=query.include_archived, search=query.search,
        ), reward_view)


@route("GET", _PATH + "/{reward_id}", summary="Get a reward", tag=_TAG, responses={200: models.Reward},
       errors=[errors.NotFound])
def get_reward(request: Request) -> Reply:
    """Return a reward."""
    with connection() as c:
        row = rewards.get(c, request.organization_id, request.path["reward_id"])
    return Reply(200, reward_view(manage_rewards.of_program(row, request.path["id"])))


@route(
    "PATCH", _PATH + "/{reward_id}", summary="Change a reward", tag=_TAG, body=models.RewardPatch,
    responses={200: models.Reward}, errors=[*_REFUSALS, errors.RewardUnavailable, errors.AssetNotLinked],
    example={"max_total": 2000},
    description=(
        "Type and asset stay. A reward whose stock is raised is offered again; an archived one cannot be "
        "changed. Redemptions keep the price at which they were made."
    ),
)
def update_reward(request: Request) -> Reply:
    """Change a reward."""
    return Reply(200, reward_view(manage_rewards.change(
        request.organization_id, request.path["id"], request.path["reward_id"],
        request.body.model_dump(exclude_unset=True),
    )))


@route(
    "POST", _PATH + "/{reward_id}/quote", summary="Ask whether a reward can be redeemed", tag=_TAG,
    body=models.RewardQuoteCreate, responses={200: models.RewardQuote},
    errors=[
        errors.NotFound, errors.InvalidAmount, errors.InvalidQuantity, errors.RewardProgramMismatch,
        errors.AssetNotLinked,
    ],
    example={"participant_id": "8f14e45f-ceea-467f-9a36-dedd4bea2543"},
    description="Every reason why a redemption would be refused now, and what is missing. Changes nothing.",
)
def quote_reward(request: Request) -> Reply:
    """Tell whether a participant can redeem a reward now."""
    body: models.RewardQuoteCreate = request.body
    return Reply(200, quote(request.organization_id, Choice(
        request.path["id"], body.participant_id, request.path["reward_id"], body.quantity, body.amount
    )))
