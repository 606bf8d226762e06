"""The hash chain of a journal: the exact bytes that a seal covers (docs/explanation/ledger.md shows them).

Everything here can be recomputed by anybody from an export, with SHA-256 and nothing else.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

from app.domain.amounts import format_plain

GENESIS = bytes(32)  # What stands before the first entry of an organization: 64 zeros in hexadecimal.
VERSION = "florin-journal-1"


class SealedPosting(NamedTuple):
    """A posting as the seal sees it: the owner is named, so that re-labelling an account breaks the chain."""

    line: int
    account_id: int
    owner_type: str
    owner_id: str
    bucket: str
    amount: Decimal


@dataclass(frozen=True, slots=True)
class SealedEntry:
    """An entry as the seal sees it; its texts are there as their salted hash only, so they can be erased."""

    organization_id: UUID
    id: UUID
    program_id: UUID | None
    asset_id: UUID
    action_type: str
    event_seq: int | None
    rule_id: UUID | None
    api_key_id: UUID | None
    created_at: datetime
    text_hash: bytes | None
    postings: Sequence[SealedPosting]


def entry_hash(previous: bytes, sequence_number: int, entry: SealedEntry) -> bytes:
    """Return the seal of an entry: SHA-256 over the canonical text that names the seal before it."""
    return hashlib.sha256(canonical(previous, sequence_number, entry)).digest()


def canonical(previous: bytes, sequence_number: int, entry: SealedEntry) -> bytes:
    """Return the bytes that are hashed: lines of UTF-8 ended by a line feed each, `-` for what is absent."""
    lines = [
        VERSION,
        previous.hex(),
        str(sequence_number),
        str(entry.organization_id),
        str(entry.id),
        _or_dash(entry.program_id),
        str(entry.asset_id),
        str(entry.action_type),
        _or_dash(entry.event_seq),
        _or_dash(entry.rule_id),
        _or_dash(entry.api_key_id),
        entry.created_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "-" if entry.text_hash is None else entry.text_hash.hex(),
    ]
    lines += [
        f"{p.line} {p.account_id} {p.owner_type} {p.owner_id} {p.bucket} {format_plain(p.amount)}"
        for p in sorted(entry.postings)
    ]
    return ("\n".join(lines) + "\n").encode()


def text_hash(salt: bytes, description: str | None, reference_id: str | None) -> bytes:
    """Return SHA-256 over the salt and both texts: each its length in bytes, a colon, the text; or `-`."""
    return hashlib.sha256(salt + _framed(description) + _framed(reference_id)).digest()


def _framed(text: str | None) -> bytes:
    if text is None:
        return b"-"
    encoded = text.encode()
    return b"%d:%b" % (len(encoded), encoded)


def _or_dash(value: object) -> str:
    return "-" if value is None else str(value)


@dataclass(frozen=True, slots=True)
class Link:
    """One place of the chain as it is stored; `entry` is None where the sealed entry is gone."""

    sequence_number: int
    entry_id: UUID
    entry_hash: bytes
    entry: SealedEntry | None


@dataclass(frozen=True, slots=True)
class Break:
    """Where the chain does not hold, and why."""

    sequence_number: int
    entry_id: UUID
    reason: str


def breaks(previous: bytes, sequence_number: int, links: Iterable[Link]) -> Iterator[Break]:
    """Verify links that follow the place `sequence_number` with the hash `previous`; yield what is broken.

    After a broken link the stored hash is taken as given, so that each fault is named once.
    """
    for link in links:
        if link.sequence_number != sequence_number + 1:
            yield Break(
                link.sequence_number, link.entry_id,
                f"follows place {sequence_number}: what stood between them is missing",
            )
        if link.entry is None:
            yield Break(link.sequence_number, link.entry_id, "the sealed entry is missing")
        elif entry_hash(previous, link.sequence_number, link.entry) != link.entry_hash:
            yield Break(link.sequence_number, link.entry_id, "the entry is not what was sealed here")
        previous, sequence_number = link.entry_hash, link.sequence_number
