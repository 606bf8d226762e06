"""Verifying an export of the journal: nothing but its lines is needed, no database and no network."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any
from uuid import UUID

from app.domain.amounts import EXACT, ZERO
from app.domain.instants import parse_instant
from app.ledger.chain import GENESIS, VERSION, Link, SealedEntry, SealedPosting, breaks, text_hash

FAULTS_MAX = 20


@dataclass(slots=True)
class Verdict:
    """What an export was found to be: how many entries, its head, and the first faults."""

    entries: int = 0
    head: str = GENESIS.hex()
    faults: int = 0
    examples: list[str] = field(default_factory=list)

    def blame(self, place: object, reason: str) -> None:
        """Note a fault."""
        self.faults += 1
        if len(self.examples) < FAULTS_MAX:
            self.examples.append(f"place {place}: {reason}")


def verify(lines: Iterable[dict[str, Any]]) -> Verdict:
    """Check chain, balance of each entry and of each asset, texts against their hashes, and completeness."""
    verdict = Verdict()
    sums: dict[str, Decimal] = {}
    rest = iter(lines)
    head = next(rest, None)
    if head is None or head.get("format") != VERSION:
        verdict.blame("head", f"this is not an export of the format {VERSION}")
        return verdict
    previous = GENESIS
    for line in rest:
        try:
            link = _link(line, UUID(head["organization_id"]))
        except (KeyError, ValueError, TypeError, InvalidOperation) as error:
            verdict.blame(line.get("sequence_number", "?"), f"cannot be read: {error!r}")
            continue
        for broken in breaks(previous, verdict.entries, [link]):
            verdict.blame(f"{broken.sequence_number}, entry {broken.entry_id}", broken.reason)
        _check_entry(verdict, link, line, sums)
        previous, verdict.entries = link.entry_hash, link.sequence_number
    verdict.head = previous.hex()
    if verdict.entries != head["entries"] or (head["head"] or GENESIS.hex()) != verdict.head:
        verdict.blame("end", f"the head says {head['entries']} entries up to {head['head']}")
    for asset, total in sums.items():
        if total:
            verdict.blame("end", f"the postings of asset {asset} sum to {total}")
    return verdict


def _link(line: dict[str, Any], organization_id: UUID) -> Link:
    entry = None
    if not line.get("missing"):
        entry = SealedEntry(
            organization_id, UUID(line["id"]), _uuid(line["program_id"]), UUID(line["asset_id"]),
            line["action_type"], line["event_seq"], _uuid(line["rule_id"]), _uuid(line["api_key_id"]),
            parse_instant(line["created_at"]),
            None if line["text_hash"] is None else bytes.fromhex(line["text_hash"]),
            [
                SealedPosting(
                    p["line"], p["account_id"], p["owner_type"], p["owner_id"], p["bucket"],
                    Decimal(p["amount"]),
                )
                for p in line["postings"]
            ],
        )
    return Link(line["sequence_number"], UUID(line["id"]), bytes.fromhex(line["entry_hash"]), entry)


def _check_entry(verdict: Verdict, link: Link, line: dict[str, Any], sums: dict[str, Decimal]) -> None:
    if link.entry is None:
        return
    total = ZERO
    for posting in link.entry.postings:
        total = EXACT.add(total, posting.amount)
    if total:
        verdict.blame(f"{link.sequence_number}, entry {link.entry_id}", f"its postings sum to {total}")
    asset = str(link.entry.asset_id)
    sums[asset] = EXACT.add(sums.get(asset, ZERO), total)
    description, reference_id = line["description"], line["reference_id"]
    if description is None and reference_id is None:
        return  # Without texts, or erased: the hash stays, there is nothing to compare it with.
    if text_hash(bytes.fromhex(line["salt"]), description, reference_id) != link.entry.text_hash:
        verdict.blame(f"{link.sequence_number}, entry {link.entry_id}", "its texts do not fit their hash")


def _uuid(text: str | None) -> UUID | None:
    return None if text is None else UUID(text)
