"""Assets over HTTP: create, list, read, change, and link to programs."""

from collections.abc import Mapping
from typing import Any

from app.api.models.assets import Asset, AssetCreate, AssetLink, AssetList, AssetPatch, AssetsQuery
from app.api.pages import Paged, listing
from app.api.render import present
from app.api.routing import Reply, Request, route
from app.db import connection
from app.domain.amounts import format_amount
from app.domain.errors import (
    AlreadyLinked,
    AssetArchived,
    AssetInUse,
    InvalidAmount,
    KeyExists,
    NotFound,
    ProgramArchived,
)
from app.flows import manage_assets
from app.store import assets, programs

_TAG = "Assets"
_EXAMPLE = {
    "program_id": "6f1c2f3e-0f57-4f3c-9a2e-0d8f3b7f2a11", "name": "Points", "symbol": "PTS",
    "inventory_mode": "SIMPLE", "issuance_policy": "UNLIMITED", "scale": 0,
}


def asset_view(row: Mapping[str, Any]) -> dict[str, Any]:
    """Show an asset."""
    shown = present(
        row, optional=("deleted_at",),
        required=("id", "name", "symbol", "inventory_mode", "issuance_policy", "scale", "program_ids",
                  "status", "created_at", "updated_at"),
    )
    limit = row["max_transaction_amount"]
    shown["max_transaction_amount"] = None if limit is None else format_amount(limit, row["scale"])
    return shown


@route(
    "POST", "/v1/assets", summary="Create an asset", tag=_TAG, body=AssetCreate, responses={201: Asset},
    errors=[KeyExists, ProgramArchived, InvalidAmount, NotFound], example=_EXAMPLE,
    description="Mode, policy, scale and symbol are fixed for good. The asset is linked to `program_id`.",
)
def create_asset(request: Request) -> Reply:
    """Create an asset."""
    body: AssetCreate = request.body
    return Reply(201, asset_view(manage_assets.create(
        request.organization_id, body.program_id, name=body.name, symbol=body.symbol,
        inventory_mode=body.inventory_mode, issuance_policy=body.issuance_policy, scale=body.scale,
        max_transaction_amount=body.max_transaction_amount,
    )))


@route("GET", "/v1/assets", summary="List assets", tag=_TAG, query=AssetsQuery, responses={200: AssetList})
def list_assets(request: Request) -> Reply:
    """List assets; `search` looks into name and symbol."""
    query: AssetsQuery = request.query
    order = assets.order(query.sort_by, descending=query.sort_dir == "desc")
    with connection() as c:
        return listing(request, order, lambda page: assets.page(
            c, request.organization_id, order, page, program_id=query.program_id, status=query.status,
            search=query.search,
        ), asset_view)


@route("GET", "/v1/assets/{id}", summary="Get an asset", tag=_TAG, responses={200: Asset})
def get_asset(request: Request) -> Reply:
    """Return an asset."""
    with connection() as c:
        row = assets.get(c, request.organization_id, request.path["id"])
    if row is None:
        raise NotFound("Asset not found")
    return Reply(200, asset_view(row))


@route(
    "PATCH", "/v1/assets/{id}", summary="Change an asset", tag=_TAG, body=AssetPatch,
    responses={200: Asset}, errors=[InvalidAmount], example={"max_transaction_amount": "500"},
    description=(
        "`status` takes only `ARCHIVED`, which is final: no new ledger entries, history stays. "
        "`max_transaction_amount`: a string sets it, null clears it."
    ),
)
def update_asset(request: Request) -> Reply:
    """Change an asset."""
    changes = request.body.model_dump(exclude_unset=True)
    return Reply(200, asset_view(manage_assets.change(request.organization_id, request.path["id"], changes)))


@route(
    "GET", "/v1/programs/{id}/assets", summary="List a program's assets", tag=_TAG, query=Paged,
    responses={200: AssetList},
)
def list_program_assets(request: Request) -> Reply:
    """List the assets that are linked to a program, newest first."""
    order = assets.order("created_at", descending=True)
    with connection() as c:
        if programs.get(c, request.organization_id, request.path["id"]) is None:
            raise NotFound("Program not found")
        return listing(request, order, lambda page: assets.page(
            c, request.organization_id, order, page, program_id=request.path["id"],
        ), asset_view)


@route(
    "POST", "/v1/programs/{id}/assets", summary="Link an asset to a program", tag=_TAG, body=AssetLink,
    responses={200: Asset}, errors=[AlreadyLinked, ProgramArchived, AssetArchived],
    example={"asset_id": "6f1c2f3e-0f57-4f3c-9a2e-0d8f3b7f2a11"},
)
def link_asset(request: Request) -> Reply:
    """Link an existing asset to a program."""
    return Reply(200, asset_view(manage_assets.link(
        request.organization_id, request.path["id"], request.body.asset_id
    )))


@route(
    "DELETE", "/v1/programs/{id}/assets/{asset_id}", summary="Unlink an asset", tag=_TAG,
    responses={204: None}, errors=[AssetInUse, ProgramArchived],
    description="Refused once the program has a ledger entry of the asset.",
)
def unlink_asset(request: Request) -> Reply:
    """Take an asset out of a program."""
    manage_assets.unlink(request.organization_id, request.path["id"], request.path["asset_id"])
    return Reply(204)
