"""The journal over HTTP: a list with every filter, and single entries."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from app.api.models import journal as models
from app.api.pages import listing
from app.api.render import present
from app.api.routing import Reply, Request, route
from app.book import journal
from app.book.journal import JournalFilter
from app.db import Connection, connection
from app.domain.amounts import format_amount
from app.domain.errors import NotFound
from app.domain.ids import posting_id
from app.domain.names import OwnerType
from app.store import participants
from app.store.pages import Column, Order, Page, Slice

_TAG = "Journal"
_ORDER = Order((Column("e.id", "id", "uuid"),))
_OWNER_FIELDS = {
    OwnerType.PARTICIPANT: "participant_id", OwnerType.GROUP: "group_id", OwnerType.PROGRAM: "program_id",
    OwnerType.LEDGER_ENTITY: "ledger_entity_id",
}


def entry_view(row: Mapping[str, Any]) -> dict[str, Any]:
    """Show an entry with its postings."""
    shown = present(row, required=(
        "id", "program_id", "program_name", "asset_id", "action_type", "event_id", "rule_id",
        "created_by_api_key_id", "reference_id", "sequence_number", "created_at",
    ))
    seal = row["entry_hash"]
    return {
        **shown, "description": row["description"] or "",
        "entry_hash": None if seal is None else bytes(seal).hex(),
        "postings": [_posting_view(row, posting) for posting in row["postings"]],
    }


def _posting_view(entry: Mapping[str, Any], posting: Mapping[str, Any]) -> dict[str, Any]:
    shown = {
        "id": posting_id(entry["id"], posting["line"]), "entity_type": posting["owner_type"],
        "asset_symbol": entry["asset_symbol"], "bucket": posting["bucket"],
        "amount": format_amount(posting["amount"], entry["scale"]), "created_at": entry["created_at"],
    }
    field = _OWNER_FIELDS.get(posting["owner_type"])
    if field is not None:
        shown[field] = posting["owner_id"]
    return shown


@route(
    "GET", "/v1/journal-entries", summary="List journal entries", tag=_TAG, query=models.JournalQuery,
    responses={200: models.JournalEntryList},
    description=(
        "Newest first. A page that is filtered by program, rule, asset, action type, bucket or amount alone "
        "looks at 100,000 entries at most: where these are rare it may be short, even empty, while "
        "`has_more` says that there is more to look at."
    ),
)
def list_journal_entries(request: Request) -> Reply:
    """List entries with their postings, newest first."""
    query: models.JournalQuery = request.query
    with connection() as c:
        owner_id = _owner(c, request.organization_id, query)
        unknown = query.external_id is not None and owner_id is None
        wanted = JournalFilter(
            program_id=query.program_id, event_id=query.event_id, rule_id=query.rule_id,
            asset_id=query.asset_id, owner_id=owner_id, bucket=query.bucket, start=query.from_,
            end=query.to, min_amount=query.min_amount, max_amount=query.max_amount,
            action_type=query.action_type, reference_id=query.reference_id,
        )

        def fetch(page: Page) -> Slice:
            if unknown:
                return Slice([], None)
            after = None if page.after is None else page.after[0]
            rows, last = journal.page(c, request.organization_id, wanted, after, page.limit)
            return Slice(rows, None if last is None else (last,))

        return listing(request, _ORDER, fetch, entry_view)


@route(
    "GET", "/v1/journal-entries/{id}", summary="Get a journal entry", tag=_TAG,
    responses={200: models.JournalEntry}, errors=[NotFound],
)
def get_journal_entry(request: Request) -> Reply:
    """Return one entry with all its postings."""
    with connection() as c:
        row = journal.get(c, request.organization_id, request.path["id"])
    if row is None:
        raise NotFound("Journal entry not found")
    return Reply(200, entry_view(row))


def _owner(c: Connection, organization_id: UUID, query: models.JournalQuery) -> UUID | None:
    if query.external_id is not None:
        return participants.ids_of(c, organization_id, [query.external_id]).get(query.external_id)
    return query.participant_id or query.group_id
