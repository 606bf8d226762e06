"""The running-balance statement of one owner and one asset. Its cursor carries the balance it stopped at."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from app.api.models.balances import StatementQuery
from app.api.pages import envelope, page_of
from app.api.render import present
from app.api.routing import Reply, Request
from app.book import assets, history
from app.book.history import Span
from app.db import Connection, transaction
from app.domain.amounts import EXACT, ZERO, format_amount
from app.domain.errors import NotFound
from app.domain.ids import MICROSECOND, highest_id, posting_id
from app.domain.instants import format_instant
from app.domain.names import OwnerType
from app.flows.move_value import find_owner, find_program
from app.store.pages import Column, Order

ORDER = Order((
    Column("entry_id", "journal_entry_id", "uuid"), Column("line", "line", "smallint"),
), descending=False)
_END_OF_TIME = highest_id(datetime.fromisoformat("2999-12-31T23:59:59+00:00"))


def statement(request: Request, kind: OwnerType) -> Reply:
    """Answer one page of a statement. Everything is read from one snapshot, so that it adds up."""
    query: StatementQuery = request.query
    organization_id, owner_id = request.organization_id, request.path["id"]
    with transaction() as c:
        c.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        if kind is OwnerType.PROGRAM:
            find_program(c, organization_id, owner_id)
        else:
            find_owner(c, organization_id, kind, owner_id)
        asset = assets.get(c, organization_id, query.asset_id)
        if asset is None:
            raise NotFound("Asset not found")
        accounts = [row["id"] for row in history.owner_accounts(c, organization_id, owner_id, asset.id)]
        opening = ZERO
        if query.from_ is not None:
            opening = _balance(c, organization_id, accounts, highest_id(query.from_ - MICROSECOND), query)
        closing = _balance(
            c, organization_id, accounts,
            _END_OF_TIME if query.to is None else highest_id(query.to), query,
        )
        page = page_of(request, ORDER)
        rows = history.page(
            c, organization_id, accounts, Span(query.bucket, query.from_, query.to), page.after,
            page.limit + 1, oldest_first=True,
        )
    running = opening if page.after is None else Decimal(page.after[2])
    data: list[Mapping[str, Any]] = []
    for row in rows[: page.limit]:
        running = EXACT.add(running, row["amount"])
        data.append(_line(row, running, asset.scale))
    following = None
    if len(rows) > page.limit:
        last = rows[page.limit - 1]
        following = (last["journal_entry_id"], last["line"], str(running))
    head: dict[str, Any] = {"asset_id": asset.id}
    optional = {
        "bucket": query.bucket, "from": query.from_ and format_instant(query.from_),
        "to": query.to and format_instant(query.to),
    }
    head |= {name: value for name, value in optional.items() if value is not None}
    return envelope(
        request, ORDER, data, following, **head,
        opening_balance="0" if query.from_ is None else format_amount(opening, asset.scale),
        closing_balance=format_amount(closing, asset.scale),
    )


def _balance(
    c: Connection, organization_id: UUID, accounts: list[int], last: UUID, query: StatementQuery
) -> Decimal:
    """Return the balance of the bucket asked for, or of all, by all postings through an entry id."""
    total = ZERO
    for sums in history.sums_through(c, organization_id, accounts, last).values():
        for bucket, amount in sums.items():
            if query.bucket in (None, bucket):
                total = EXACT.add(total, amount)
    return total


def _line(row: Mapping[str, Any], running: Decimal, scale: int) -> dict[str, Any]:
    shown = present(
        row, required=("journal_entry_id", "action_type", "bucket", "created_at"),
        optional=("event_id", "event_timestamp", "created_by_api_key_id"),
    )
    return {
        **shown, "posting_id": posting_id(row["journal_entry_id"], row["line"]),
        "amount": format_amount(row["amount"], scale), "running_balance": format_amount(running, scale),
        "description": row["description"] or "",
    }
