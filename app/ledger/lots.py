"""Lots inside an operation: choosing them first in first out, consuming, moving, splitting, expiring them.

A split makes a child for the part that moves; it keeps the parent's dates, so its place in the queue and its
expiry do not change (decision E3).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

from app.domain.amounts import EXACT, ZERO
from app.domain.names import Bucket, EntryType
from app.ledger.accounts import Lot
from app.ledger.checks import refuse_short
from app.ledger.drafts import Draft, EntryDraft, OpenAccount
from app.ledger.entries import Announcement, Cause, MovementKind, Part


class Share(NamedTuple):
    """A lot and how much of it is taken."""

    lot: Lot
    amount: Decimal


@dataclass(frozen=True, slots=True)
class LotFilter:
    """Which lots a caller wants: by id, by when they were earned (both bounds included)."""

    lot_ids: frozenset[UUID] | None = None
    earned_from: datetime | None = None
    earned_to: datetime | None = None

    def given(self) -> list[str]:
        """Name the conditions that are set."""
        values = {"lot_ids": self.lot_ids, "earned_from": self.earned_from, "earned_to": self.earned_to}
        return [name for name, value in values.items() if value is not None]

    def admits(self, lot: Lot) -> bool:
        """Whether the lot fits every condition given."""
        return (
            (self.lot_ids is None or lot.id in self.lot_ids)
            and (self.earned_from is None or lot.created_at >= self.earned_from)
            and (self.earned_to is None or lot.created_at <= self.earned_to)
        )


def any_lot(lot: Lot) -> bool:
    """Admit every lot."""
    return True


def choose(
    account: OpenAccount, bucket: Bucket, amount: Decimal | None, admits: Callable[[Lot], bool] = any_lot
) -> list[Share]:
    """Take lots of a bucket in FIFO order up to `amount`, or all of them; may come to less than `amount`.

    Raises LotsNotLoaded where lots that were not loaded could matter.
    """
    shares: list[Share] = []
    missing = amount
    for lot in account.lots():
        if lot.bucket is not bucket or not admits(lot):
            continue
        if missing is None:
            shares.append(Share(lot, lot.remaining))
            continue
        part = min(missing, lot.remaining)
        shares.append(Share(lot, part))
        missing = EXACT.subtract(missing, part)
        if not missing:
            return shares
    account.need_all_lots()
    return shares


def choose_exactly(
    draft: Draft, account: OpenAccount, bucket: Bucket, amount: Decimal | None,
    admits: Callable[[Lot], bool] = any_lot,
) -> list[Share]:
    """Choose lots worth `amount`, or all there are; raises InsufficientFunds for less, and for nothing."""
    shares = choose(account, bucket, amount, admits)
    there = total(shares)
    if not there or (amount is not None and there < amount):
        raise refuse_short(draft.asset, f"{bucket.lower()} in matching lots", there, amount or ZERO)
    return shares


def total(shares: list[Share]) -> Decimal:
    """Sum up what is taken."""
    sum_ = ZERO
    for share in shares:
        sum_ = EXACT.add(sum_, share.amount)
    return sum_


def consume(entry: EntryDraft, account: OpenAccount, shares: list[Share]) -> list[Part]:
    """Take the shares out of their lots."""
    for lot, amount in shares:
        left = lot.with_remaining(EXACT.subtract(lot.remaining, amount))
        entry.move(account, left, MovementKind.CONSUMED, amount.copy_negate())
    return [Part(lot.id, amount) for lot, amount in shares]


def relocate(
    draft: Draft, entry: EntryDraft, account: OpenAccount, shares: list[Share], bucket: Bucket,
    reference_id: str | None,
) -> list[Lot]:
    """Move the shares to another bucket, splitting lots that are taken in part; return the lots as moved."""
    moved = []
    for lot, amount in shares:
        if amount == lot.remaining:
            whole = lot.moved(bucket, reference_id)
            entry.move(account, whole, MovementKind.MOVED, amount)
            moved.append(whole)
            continue
        entry.move(
            account, lot.with_remaining(EXACT.subtract(lot.remaining, amount)),
            MovementKind.SPLIT, amount.copy_negate(),
        )
        child = child_of(lot, draft.ids.next(), entry.id, amount).moved(bucket, reference_id)
        entry.move(account, child, MovementKind.SPLIT, amount)
        moved.append(child)
    return moved


def child_of(lot: Lot, lot_id: UUID, entry_id: UUID, amount: Decimal) -> Lot:
    """Return a lot split from another: the same owner and dates, an amount of its own."""
    return Lot(
        lot.organization_id, lot_id, lot.account_id, entry_id, lot.program_id, lot.id, lot.bucket, amount,
        amount, False, lot.provisional, lot.reference_id, lot.created_at, lot.expires_at, lot.matures_at,
    )


def repay(entry: EntryDraft, account: OpenAccount, lots: Sequence[Lot]) -> None:
    """Let lots that arrive in AVAILABLE pay back an overdraft, before their value is posted (decision E5)."""
    debt = account.available.copy_negate()
    for lot in lots:
        if debt <= 0:
            return
        part = min(debt, lot.remaining)
        left = lot.with_remaining(EXACT.subtract(lot.remaining, part))
        entry.move(account, left, MovementKind.REPAID, part.copy_negate())
        debt = EXACT.subtract(debt, part)


def expire_due(draft: Draft, account: OpenAccount, only: Callable[[Lot], bool] = any_lot) -> None:
    """Post the expiry of every loaded lot whose date has passed, an entry for each program (decision C14).

    Spending calls this first, so that it never uses an expired lot; no event or key is named as the cause.
    """
    post_expiry(draft, account, [lot for lot in account.lots() if lot.is_due(draft.now) and only(lot)])


def post_expiry(draft: Draft, account: OpenAccount, lots: Sequence[Lot]) -> None:
    """Post the expiry of these live lots, an entry for each program whose lots they are."""
    due: dict[UUID | None, list[Lot]] = {}
    for lot in lots:
        due.setdefault(lot.program_id, []).append(lot)
    for program_id, theirs in due.items():
        _expire(draft, account, program_id, theirs)


def _expire(draft: Draft, account: OpenAccount, program_id: UUID | None, lots: list[Lot]) -> None:
    entry = draft.start(EntryType.EXPIRATION, "Expired", cause=Cause(program_id))
    sums = dict.fromkeys((Bucket.AVAILABLE, Bucket.DEFERRED), ZERO)
    for lot in lots:
        sums[lot.bucket] = EXACT.add(sums[lot.bucket], lot.remaining)
        entry.move(
            account, lot.with_remaining(ZERO, expired=True), MovementKind.EXPIRED, lot.remaining.copy_negate()
        )
    for bucket, amount in sums.items():
        # A lot that expires on its release was no repayment: the overdraft shows again, it is not a new one.
        entry.post(account, bucket, amount.copy_negate(), may_overdraw=True)
    whole = EXACT.add(sums[Bucket.AVAILABLE], sums[Bucket.DEFERRED])
    entry.post_against(draft.asset.breakage_account, whole)
    announce(draft, account, entry, lots, whole, max(_expiry(lot) for lot in lots))


def _expiry(lot: Lot) -> datetime:
    assert lot.expires_at is not None
    return lot.expires_at


def announce(
    draft: Draft, account: OpenAccount, entry: EntryDraft, lots: list[Lot], amount: Decimal, due_at: datetime
) -> None:
    """Finish an entry that time brought, and keep what its SYSTEM event will say."""
    parts = tuple(Part(lot.id, lot.remaining) for lot in lots)
    draft.due.append(Announcement(draft.finish(entry), account.key, amount, parts, due_at))
