"""Explaining a balance over HTTP: one line for each credit that is not spent yet."""

from collections.abc import Mapping
from typing import Any

from app.api.fields import AmountText, Answer, InstantText, Uuid, UuidText
from app.api.models.balances import Bucket
from app.api.pages import Paged, Pagination, envelope, page_of
from app.api.render import present
from app.api.routing import Reply, Request, route
from app.book import assets, balance_sources, owner_balances
from app.db import read_clock, transaction
from app.domain.amounts import EXACT, ZERO, format_amount
from app.domain.errors import NotFound
from app.domain.names import OwnerType
from app.flows.move_value import find_owner
from app.store.pages import Column, Order, Slice, cut

_ORDER = Order((
    Column("earned_at", "earned_at", "timestamptz"), Column("source_id", "source_id", "uuid"),
))


class BalanceExplainQuery(Paged):
    """Which asset's balance."""

    asset_id: Uuid


class BalanceSource(Answer):
    """A credit of which something is left; of a LOT asset a lot, with its bucket and dates."""

    journal_entry_id: UuidText
    action_type: str
    amount: AmountText
    remaining: AmountText
    earned_at: InstantText
    description: str | None = None
    program_id: UuidText | None = None
    event_id: UuidText | None = None
    event_timestamp: InstantText | None = None
    rule_id: UuidText | None = None
    rule_name: str | None = None
    lot_id: UuidText | None = None
    bucket: Bucket | None = None
    expires_at: InstantText | None = None
    matures_at: InstantText | None = None


class BalanceExplained(Answer):
    """A balance over all buckets, and the credits that it is left of, newest first."""

    asset_id: UuidText
    balance: AmountText
    data: list[BalanceSource]
    pagination: Pagination


_OPTIONAL = (
    "description", "program_id", "event_id", "event_timestamp", "rule_id", "rule_name", "lot_id", "bucket",
    "expires_at", "matures_at",
)


@route(
    "GET", "/v1/participants/{id}/balances/explain", summary="Explain a participant's balance",
    tag="Balances", query=BalanceExplainQuery, responses={200: BalanceExplained}, errors=[NotFound],
    description=(
        "One line a source: the entry, event and rule that credited it, how much that was, what is left "
        "of it and when it expires. What is left in all lines adds up to the balance, overdrafts aside. A "
        "SIMPLE asset keeps no lots: what came first counts as spent first."
    ),
)
def explain_participant_balance(request: Request) -> Reply:
    """Explain a participant's balance of one asset."""
    organization_id, owner_id = request.organization_id, request.path["id"]
    asset_id = request.query.asset_id
    with transaction() as c:
        c.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        find_owner(c, organization_id, OwnerType.PARTICIPANT, owner_id)
        asset = assets.get(c, organization_id, asset_id)
        if asset is None:
            raise NotFound("Asset not found")
        now = read_clock(c)
        account = balance_sources.account_of(c, organization_id, owner_id, asset_id)
        found = Slice([], None)
        if account is not None:
            page = page_of(request, _ORDER)
            found = cut(balance_sources.sources(
                c, asset, account, now, page.after, page.limit + 1
            ), _ORDER, page.limit)
        balance = ZERO
        for each in owner_balances.of_owner(c, organization_id, owner_id, now):
            if each.asset_id == asset_id:
                balance = EXACT.add(EXACT.add(each.available, each.held), each.deferred)
    scale = asset.scale
    return envelope(
        request, _ORDER, [_source(row, scale) for row in found.rows], found.next,
        asset_id=asset_id, balance=format_amount(balance, scale),
    )


def _source(row: Mapping[str, Any], scale: int) -> dict[str, Any]:
    return {
        "journal_entry_id": row["entry_id"],
        **present(row, required=("action_type", "earned_at"), optional=_OPTIONAL),
        "amount": format_amount(row["amount"], scale), "remaining": format_amount(row["remaining"], scale),
    }
