"""What a plan consists of: journal entries with their postings, the lots' movements, and the new balances."""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

from app.domain.names import Bucket, EntryType
from app.domain.values import value
from app.ledger.accounts import Account, AccountKey, Lot

LINES_MAX = 255  # The last byte of a posting's id counts the lines of its entry.


class Posting(NamedTuple):
    """One line of an entry: positive credits the account, negative debits it."""

    account_id: int
    bucket: Bucket
    amount: Decimal


class MovementKind(StrEnum):
    """What happened to a lot. All but MOVED change its remainder by the signed amount."""

    CREATED = "CREATED"
    CONSUMED = "CONSUMED"
    RESTORED = "RESTORED"
    MOVED = "MOVED"
    EXPIRED = "EXPIRED"
    SPLIT = "SPLIT"
    REPAID = "REPAID"


class Movement(NamedTuple):
    """Which lot took part in which entry, with how much: the lineage that reversals follow backwards."""

    organization_id: UUID
    entry_id: UUID
    line: int
    lot_id: UUID
    kind: MovementKind
    amount: Decimal


class Cause(NamedTuple):
    """Why entries are written: the program, and the event and rule, or the API key, behind them."""

    program_id: UUID | None
    event_seq: int | None = None
    rule_id: UUID | None = None
    api_key_id: UUID | None = None


@value
class Entry:
    """A journal entry; its postings sum to zero."""

    id: UUID
    organization_id: UUID
    program_id: UUID | None
    asset_id: UUID
    action_type: EntryType
    postings: tuple[Posting, ...]
    event_seq: int | None
    rule_id: UUID | None
    api_key_id: UUID | None
    description: str | None
    reference_id: str | None
    created_at: datetime


class Part(NamedTuple):
    """A lot and how much of it an operation processed."""

    lot_id: UUID
    amount: Decimal


@value
class Settlement:
    """What a settle resolved: the value held before, and the settled amount less it (decision E6)."""

    held_amount: Decimal
    delta: Decimal


@value
class Announcement:
    """Lots that expired or matured in one entry, for the SYSTEM event and the webhook (decision C14)."""

    entry: Entry
    account: AccountKey
    amount: Decimal
    lots: tuple[Part, ...]
    due_at: datetime


@value
class Plan:
    """The outcome of one operation: rows to write, and what to tell.

    `entries` are in order of posting: the operation's own, and expiries that it met or caused.
    `accounts` replace the ones planned from; the first is the owner's whose operation it is.
    """

    entries: tuple[Entry, ...]
    accounts: tuple[Account, ...]
    amount: Decimal
    lots: tuple[Lot, ...] = ()
    movements: tuple[Movement, ...] = ()
    lots_processed: tuple[Part, ...] = ()
    settle: Settlement | None = None
    due: tuple[Announcement, ...] = ()

    @property
    def entry(self) -> Entry:
        """The operation's own entry; expiries that it met stand before it, one that it caused after it."""
        for entry in reversed(self.entries):
            if entry.action_type is not EntryType.EXPIRATION:
                return entry
        return self.entries[-1]
