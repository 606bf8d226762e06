"""Accounts and lots as values: who owns how much of an asset, in which bucket, in which parcels.

What happens to them is written in the modules named for the operations; SQL knows them through app/book.
"""

from datetime import datetime
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

from app.domain.amounts import EXACT, ZERO
from app.domain.names import Bucket, OwnerType
from app.domain.values import value


class AccountKey(NamedTuple):
    """What names an account outside of the ledger: an owner and an asset."""

    organization_id: UUID
    owner_id: UUID
    asset_id: UUID


class LotsNotLoaded(Exception):
    """The plan needs lots of this account that the caller has not loaded: load all of them and plan again."""

    def __init__(self, key: AccountKey) -> None:
        """Name the account."""
        self.key = key
        super().__init__(f"lots of account {key} are not loaded")


@value
class Lot:
    """A parcel of value of a LOT asset; one credit makes one lot."""

    organization_id: UUID
    id: UUID
    account_id: int
    entry_id: UUID
    program_id: UUID | None
    parent_lot_id: UUID | None
    bucket: Bucket
    amount: Decimal
    remaining: Decimal
    expired: bool
    provisional: bool
    reference_id: str | None
    created_at: datetime
    expires_at: datetime | None
    matures_at: datetime | None

    def is_due(self, now: datetime) -> bool:
        """Whether its date has passed; a lot in HELD does not expire while it is held."""
        return self.expires_at is not None and self.expires_at <= now and self.bucket is not Bucket.HELD

    def with_remaining(self, remaining: Decimal, *, expired: bool = False) -> "Lot":
        """Return the lot with another remainder."""
        return Lot(
            self.organization_id, self.id, self.account_id, self.entry_id, self.program_id,
            self.parent_lot_id, self.bucket, self.amount, remaining, expired, self.provisional,
            self.reference_id, self.created_at, self.expires_at, self.matures_at,
        )

    def restored(self, remaining: Decimal, expires_at: datetime | None) -> "Lot":
        """Return the lot with value put back, and the date at which that expires."""
        return Lot(
            self.organization_id, self.id, self.account_id, self.entry_id, self.program_id,
            self.parent_lot_id, self.bucket, self.amount, remaining, False, self.provisional,
            self.reference_id, self.created_at, expires_at, self.matures_at,
        )

    def moved(self, bucket: Bucket, reference_id: str | None = None) -> "Lot":
        """Return the lot in another bucket, stamped with the reference of the operation that moved it."""
        return Lot(
            self.organization_id, self.id, self.account_id, self.entry_id, self.program_id,
            self.parent_lot_id, bucket, self.amount, self.remaining, self.expired, False, reference_id,
            self.created_at, self.expires_at, self.matures_at,
        )


def fifo(lot: Lot) -> tuple[datetime, UUID]:
    """The order in which lots are spent (decision E3)."""
    return lot.created_at, lot.id


@value
class Account:
    """One owner's balance of one asset.

    `lots` are the live lots in FIFO order, or None where nobody loaded them; `lots_complete` says whether
    these are all of them or only the first ones. `overdrawn` is set while an operation that was allowed to
    overdraw has left the balance below zero.
    """

    organization_id: UUID
    id: int
    owner_type: OwnerType
    owner_id: UUID
    asset_id: UUID
    available: Decimal = ZERO
    held: Decimal = ZERO
    deferred: Decimal = ZERO
    overdrawn: bool = False
    lots: tuple[Lot, ...] | None = None
    lots_complete: bool = False

    @property
    def key(self) -> AccountKey:
        """The owner and the asset."""
        return AccountKey(self.organization_id, self.owner_id, self.asset_id)

    @property
    def keeps_lots(self) -> bool:
        """Whether value of a LOT asset stands here in lots: wallets and ledger entities keep sums only."""
        return self.owner_type is OwnerType.PARTICIPANT or self.owner_type is OwnerType.GROUP

    def balance(self, bucket: Bucket) -> Decimal:
        """Return one bucket's balance."""
        match bucket:
            case Bucket.AVAILABLE:
                return self.available
            case Bucket.HELD:
                return self.held
            case Bucket.DEFERRED:
                return self.deferred

    def due(self, now: datetime) -> dict[Bucket, Decimal]:
        """Return what stands in lots past their date, by bucket; all lots must be loaded."""
        assert self.lots_complete, "lots that nobody loaded may be due"
        sums: dict[Bucket, Decimal] = {}
        for lot in self.lots or ():
            if lot.is_due(now):
                sums[lot.bucket] = EXACT.add(sums.get(lot.bucket, ZERO), lot.remaining)
        return sums

    def with_available(self, delta: Decimal) -> "Account":
        """Return the account with `delta` more AVAILABLE; the cheap way for operations without lots."""
        available = EXACT.add(self.available, delta)
        return Account(
            self.organization_id, self.id, self.owner_type, self.owner_id, self.asset_id,
            available, self.held, self.deferred, self.overdrawn and available < 0,
            self.lots, self.lots_complete,
        )


def new_account(key: AccountKey, account_id: int, owner_type: OwnerType) -> Account:
    """Return an empty account that no row stands for yet; all its lots are known: there are none."""
    return Account(
        key.organization_id, account_id, owner_type, key.owner_id, key.asset_id, lots=(), lots_complete=True
    )
