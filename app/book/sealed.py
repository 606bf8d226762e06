"""Reading entries with their postings in the form that seals cover, for sealing, verifying and exporting."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from app.ledger.chain import SealedEntry, SealedPosting

# The postings come as one JSON text each, so that an entry is one row; amounts stay exact as text.
POSTINGS = """(SELECT jsonb_agg(jsonb_build_array(p.line, p.account_id, a.owner_type, a.owner_id, p.bucket,
        p.amount::text) ORDER BY p.line)
    FROM postings p LEFT JOIN accounts a ON a.organization_id = p.organization_id AND a.id = p.account_id
    WHERE p.organization_id = e.organization_id AND p.entry_id = e.id) AS postings"""

COLUMNS = f"""e.organization_id, e.id, e.program_id, e.asset_id, e.action_type, e.event_seq, e.rule_id,
    e.api_key_id, e.created_at, e.text_hash, {POSTINGS}"""


def entries_of(rows: Iterable[dict[str, Any]]) -> list[SealedEntry]:
    """Return the entries that rows of COLUMNS tell of."""
    return [entry_of(row) for row in rows]


def entry_of(row: dict[str, Any]) -> SealedEntry:
    """Return the entry that a row of COLUMNS tells of."""
    return SealedEntry(
        row["organization_id"], row["id"], row["program_id"], row["asset_id"], row["action_type"],
        row["event_seq"], row["rule_id"], row["api_key_id"], row["created_at"],
        None if row["text_hash"] is None else bytes(row["text_hash"]),
        [_posting(*fields) for fields in row["postings"] or ()],
    )


def _posting(
    line: int, account_id: int, owner_type: str | None, owner_id: str | None, bucket: str, amount: str
) -> SealedPosting:
    # An account that is gone is shown as such: the seal then does not fit, and says where.
    return SealedPosting(line, account_id, owner_type or "-", owner_id or "-", bucket, Decimal(amount))
