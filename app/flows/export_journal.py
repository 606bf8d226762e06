"""Writing the sealed journal of an organization as lines of JSON that anybody can verify offline."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

from app.book import chain, texts
from app.db import transaction
from app.domain.amounts import format_plain
from app.domain.instants import format_instant
from app.ledger.chain import VERSION, Link

LINES_PER_PAGE = 1000


def lines(organization_id: UUID) -> Iterator[dict[str, Any]]:
    """Yield the head of the file, then one object for each sealed entry, in the order of the chain.

    The whole export is one snapshot: what is sealed meanwhile is not in it.
    """
    with transaction() as c:
        c.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        c.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
        head = chain.head(c, organization_id)
        last = 0 if head is None else head.sequence_number
        yield {
            "format": VERSION, "organization_id": str(organization_id), "entries": last,
            "head": None if head is None else head.entry_hash.hex(),
        }
        for after in range(0, last, LINES_PER_PAGE):
            page = list(chain.links(c, organization_id, after, min(after + LINES_PER_PAGE, last)))
            found = texts.of_entries(c, organization_id, [link.entry_id for link in page])
            for link in page:
                yield _line(link, found.get(link.entry_id))


def _line(link: Link, text: texts.Text | None) -> dict[str, Any]:
    entry = link.entry
    if entry is None:
        return {
            "sequence_number": link.sequence_number, "entry_hash": link.entry_hash.hex(),
            "id": str(link.entry_id), "missing": True,
        }
    return {
        "sequence_number": link.sequence_number, "entry_hash": link.entry_hash.hex(), "id": str(entry.id),
        "program_id": _text(entry.program_id), "asset_id": str(entry.asset_id),
        "action_type": entry.action_type, "event_seq": entry.event_seq, "rule_id": _text(entry.rule_id),
        "api_key_id": _text(entry.api_key_id), "created_at": format_instant(entry.created_at),
        "text_hash": None if entry.text_hash is None else entry.text_hash.hex(),
        "salt": None if text is None else text.salt.hex(),
        "description": None if text is None else text.description,
        "reference_id": None if text is None else text.reference_id,
        "postings": [
            {"line": p.line, "account_id": p.account_id, "owner_type": p.owner_type, "owner_id": p.owner_id,
             "bucket": p.bucket, "amount": format_plain(p.amount)}
            for p in entry.postings
        ],
    }


def _text(value: UUID | None) -> str | None:
    return None if value is None else str(value)
