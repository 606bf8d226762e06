"""Reading balances over HTTP: balances now and as of an instant, lots, history and statement."""

from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from app.api.models import balances as models
from app.api.owners import balance_view
from app.api.pages import listing
from app.api.render import present
from app.api.routing import Reply, Request, route
from app.api.statements import statement
from app.book import assets, history, owner_balances
from app.book.history import Span
from app.book.owner_balances import Balance
from app.db import Connection, connection, read_clock
from app.domain.amounts import EXACT, ZERO, format_amount
from app.domain.errors import LotAssetRequired, NotFound, ValidationError
from app.domain.ids import highest_id
from app.domain.names import Bucket, OwnerType
from app.flows.move_value import find_owner
from app.store.pages import Column, Order, Page, Slice, cut

_TAG = "Balances"
_BY_ASSET = Order((Column("asset_id", "asset_id", "uuid"),), descending=False)
LOT_ORDER = Order((Column("created_at", "created_at", "timestamptz"), Column("id", "id", "uuid")))
HISTORY_ORDER = Order((
    Column("entry_id", "journal_entry_id", "uuid"), Column("line", "line", "smallint"),
))


def refuse_future(c: Connection, as_of: datetime) -> None:
    """Raise ValidationError for an instant that has not come (decision E11)."""
    if as_of > read_clock(c):
        raise ValidationError(details={"as_of": "must not lie in the future"})


def balances_of(
    c: Connection, organization_id: UUID, owner_id: UUID, asset_id: UUID | None, as_of: datetime | None
) -> list[Balance]:
    """Return an owner's balances by asset, now or as they were at an instant."""
    if as_of is None:
        found = owner_balances.of_owner(c, organization_id, owner_id, read_clock(c))
        return [each for each in found if asset_id is None or each.asset_id == asset_id]
    refuse_future(c, as_of)
    accounts = history.owner_accounts(c, organization_id, owner_id, asset_id)
    numbers = [account["id"] for account in accounts]
    sums = history.sums_through(c, organization_id, numbers, highest_id(as_of))
    due = history.due_then(c, organization_id, numbers, as_of)
    return [
        Balance(
            account["asset_id"], account["symbol"], account["scale"],
            *(EXACT.subtract(
                sums[account["id"]].get(bucket, ZERO), due.get(account["id"], {}).get(bucket, ZERO)
            ) for bucket in Bucket),
        )
        for account in accounts if account["id"] in sums
    ]


def total(balance: Balance) -> Decimal:
    """Return the sum over the buckets."""
    return EXACT.add(EXACT.add(balance.available, balance.held), balance.deferred)


def history_view(row: Mapping[str, Any]) -> dict[str, Any]:
    """Show one posting."""
    shown = present(
        row, required=("journal_entry_id", "action_type", "asset_id", "bucket", "created_at"),
        optional=("event_id", "event_timestamp", "created_by_api_key_id"),
    )
    return {
        **shown, "amount": format_amount(row["amount"], row["scale"]),
        "description": row["description"] or "",
    }


def lot_view(row: Mapping[str, Any]) -> dict[str, Any]:
    """Show a lot."""
    shown = present(
        row, required=("id", "asset_id", "status", "created_at"),
        optional=("reference_id", "expires_at", "matures_at", "parent_lot_id"),
    )
    return {
        **shown, "amount": format_amount(row["amount"], row["scale"]),
        "remaining": format_amount(row["remaining"], row["scale"]),
    }


def answer_balances(
    request: Request, found: list[Balance], view: Callable[[Balance], dict[str, Any]]
) -> Reply:
    """Answer one page of balances, by asset."""
    rows = [{"asset_id": each.asset_id, "balance": each} for each in found]

    def fetch(page: Page) -> Slice:
        after = None if page.after is None else page.after[0]
        return cut([row for row in rows if after is None or row["asset_id"] > after], _BY_ASSET, page.limit)

    return listing(request, _BY_ASSET, fetch, lambda row: view(row["balance"]))


def answer_history(c: Connection, request: Request, owner_id: UUID) -> Reply:
    """Answer one page of an owner's postings, newest first."""
    query: models.HistoryQuery = request.query
    accounts = [
        account["id"]
        for account in history.owner_accounts(c, request.organization_id, owner_id, query.asset_id)
    ]
    span = Span(query.bucket, query.from_, query.to, query.event_from, query.event_to)

    def fetch(page: Page) -> Slice:
        rows = history.page(c, request.organization_id, accounts, span, page.after, page.limit + 1)
        return cut(rows, HISTORY_ORDER, page.limit)

    return listing(request, HISTORY_ORDER, fetch, history_view)


@route(
    "GET", "/v1/participants/{id}/balances", summary="List a participant's balances", tag=_TAG,
    query=models.BalancesQuery, responses={200: models.BalanceList}, errors=[NotFound],
    description="Value that is past its date is left out, also before its expiry is posted.",
)
def list_participant_balances(request: Request) -> Reply:
    """List a participant's balances by asset, now or as of an instant."""
    with connection() as c:
        find_owner(c, request.organization_id, OwnerType.PARTICIPANT, request.path["id"])
        found = balances_of(
            c, request.organization_id, request.path["id"], request.query.asset_id, request.query.as_of
        )
    return answer_balances(request, found, balance_view)


@route(
    "GET", "/v1/participants/{id}/balances/lots", summary="List a participant's lots", tag=_TAG,
    query=models.LotsQuery, responses={200: models.LotList}, errors=[NotFound, LotAssetRequired],
)
def list_participant_lots(request: Request) -> Reply:
    """List the lots of one LOT asset, newest first."""
    return _lots(request, OwnerType.PARTICIPANT)


@route(
    "GET", "/v1/groups/{id}/balances/lots", summary="List a group's lots", tag=_TAG,
    query=models.LotsQuery, responses={200: models.LotList}, errors=[NotFound, LotAssetRequired],
)
def list_group_lots(request: Request) -> Reply:
    """List the lots of one LOT asset, newest first."""
    return _lots(request, OwnerType.GROUP)


def _lots(request: Request, kind: OwnerType) -> Reply:
    query: models.LotsQuery = request.query
    with connection() as c:
        find_owner(c, request.organization_id, kind, request.path["id"])
        asset = assets.get(c, request.organization_id, query.asset_id)
        if asset is None:
            raise NotFound("Asset not found")
        if not asset.has_lots:
            raise LotAssetRequired(details={"asset_id": "needs inventory_mode LOT"})
        accounts = history.owner_accounts(c, request.organization_id, request.path["id"], asset.id)
        now = read_clock(c)

        def fetch(page: Page) -> Slice:
            if not accounts:
                return Slice([], None)
            return cut(history.lots_page(
                c, request.organization_id, accounts[0]["id"], now, page.after, page.limit + 1,
                program_id=query.program_id, status=query.status, expires_before=query.expires_before,
                expires_after=query.expires_after, reference_id=query.reference_id,
            ), LOT_ORDER, page.limit)

        return listing(request, LOT_ORDER, fetch, lot_view)


@route(
    "GET", "/v1/participants/{id}/activity/history", summary="List a participant's movements of value",
    tag=_TAG, query=models.HistoryQuery, responses={200: models.HistoryList}, errors=[NotFound],
)
def list_participant_history(request: Request) -> Reply:
    """List the postings on a participant's accounts, newest first."""
    with connection() as c:
        find_owner(c, request.organization_id, OwnerType.PARTICIPANT, request.path["id"])
        return answer_history(c, request, request.path["id"])


@route(
    "GET", "/v1/groups/{id}/activity/history", summary="List a group's movements of value", tag=_TAG,
    query=models.HistoryQuery, responses={200: models.HistoryList}, errors=[NotFound],
)
def list_group_history(request: Request) -> Reply:
    """List the postings on a group's accounts, newest first."""
    with connection() as c:
        find_owner(c, request.organization_id, OwnerType.GROUP, request.path["id"])
        return answer_history(c, request, request.path["id"])


@route(
    "GET", "/v1/participants/{id}/statement", summary="A participant's statement", tag=_TAG,
    query=models.StatementQuery, responses={200: models.Statement}, errors=[NotFound],
    description="Oldest first, with the balance after each row. The window chooses rows, never balances.",
)
def get_participant_statement(request: Request) -> Reply:
    """Show a running-balance statement of one asset."""
    return statement(request, OwnerType.PARTICIPANT)


@route(
    "GET", "/v1/groups/{id}/statement", summary="A group's statement", tag=_TAG,
    query=models.StatementQuery, responses={200: models.Statement}, errors=[NotFound],
)
def get_group_statement(request: Request) -> Reply:
    """Show a running-balance statement of one asset."""
    return statement(request, OwnerType.GROUP)


@route(
    "GET", "/v1/groups/{id}/balances", summary="List a group's balances", tag=_TAG,
    query=models.GroupBalancesQuery, responses={200: models.GroupBalanceList}, errors=[NotFound],
)
def list_group_balances(request: Request) -> Reply:
    """List a group's totals by asset, over all buckets."""
    query: models.GroupBalancesQuery = request.query
    with connection() as c:
        find_owner(c, request.organization_id, OwnerType.GROUP, request.path["id"])
        found = balances_of(c, request.organization_id, request.path["id"], query.asset_id, query.as_of)
        if query.program_id is not None:
            linked = assets.linked_to(c, request.organization_id, query.program_id)
            found = [each for each in found if each.asset_id in linked]
    return answer_balances(request, found, lambda each: {
        "asset_id": each.asset_id, "balance": format_amount(total(each), each.scale),
    })
