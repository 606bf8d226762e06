"""Ledger entities over HTTP: accounts that redemptions may go to."""

from collections.abc import Mapping
from typing import Any

from app.api.fields import Answer, Body, InstantText, Name, UuidText
from app.api.models.participants import OwnerBalance
from app.api.owners import balance_view
from app.api.pages import Paged, list_of, listing
from app.api.render import present
from app.api.routing import Reply, Request, route
from app.book import owner_balances
from app.db import connection, read_clock
from app.domain.errors import NotFound
from app.flows import manage_ledger_entities
from app.store import ledger_entities

_TAG = "Ledger entities"


class LedgerEntityCreate(Body):
    """A new ledger entity."""

    name: Name


class LedgerEntity(Answer):
    """A ledger entity: an account holder that is no participant, such as a partner or a cost center."""

    id: UuidText
    name: str
    created_at: InstantText
    updated_at: InstantText


class LedgerEntityDetail(LedgerEntity):
    """A ledger entity with its balances."""

    balances: list[OwnerBalance]


def entity_view(row: Mapping[str, Any]) -> dict[str, Any]:
    """Show a ledger entity."""
    return present(row, required=("id", "name", "created_at", "updated_at"))


@route(
    "POST", "/v1/ledger-entities", summary="Create a ledger entity", tag=_TAG, body=LedgerEntityCreate,
    responses={201: LedgerEntity}, example={"name": "Partner airline"},
)
def create_ledger_entity(request: Request) -> Reply:
    """Create a ledger entity, to be named as a program's `redemption_target_entity_id`."""
    return Reply(201, entity_view(manage_ledger_entities.create(request.organization_id, request.body.name)))


@route(
    "GET", "/v1/ledger-entities", summary="List ledger entities", tag=_TAG, query=Paged,
    responses={200: list_of(LedgerEntity, "LedgerEntityList")},
)
def list_ledger_entities(request: Request) -> Reply:
    """List ledger entities, newest first."""
    with connection() as c:
        return listing(
            request, ledger_entities.ORDER,
            lambda page: ledger_entities.page(c, request.organization_id, page), entity_view,
        )


@route(
    "GET", "/v1/ledger-entities/{id}", summary="Get a ledger entity", tag=_TAG,
    responses={200: LedgerEntityDetail},
)
def get_ledger_entity(request: Request) -> Reply:
    """Return a ledger entity with its balances."""
    with connection() as c:
        row = ledger_entities.get(c, request.organization_id, request.path["id"])
        if row is None:
            raise NotFound("Ledger entity not found")
        found = owner_balances.of_owner(c, request.organization_id, row["id"], read_clock(c))
    return Reply(200, {**entity_view(row), "balances": [balance_view(each) for each in found]})
