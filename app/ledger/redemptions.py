"""REDEMPTION and REDEMPTION_REVERSAL: value is spent on something, and given back where that is undone."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from app.domain.amounts import EXACT, ZERO
from app.domain.assets import Asset
from app.domain.ids import TimeOrdered
from app.domain.names import Bucket, EntryType
from app.ledger.accounts import Account, Lot
from app.ledger.checks import check_amount, check_asset, check_movement, refuse_short
from app.ledger.drafts import Draft, EntryDraft, OpenAccount
from app.ledger.entries import Cause, MovementKind, Part, Plan
from app.ledger.lots import child_of, choose_exactly, consume, expire_due, post_expiry, repay


def redeem(
    account: Account, target: int | Account, asset: Asset, amount: Decimal, *, description: str | None = None,
    cause: Cause, now: datetime, ids: TimeOrdered,
) -> Plan:
    """Spend AVAILABLE value. `target` is a system account's number or the account of a ledger entity."""
    check_movement(asset, amount)
    draft = Draft(asset, cause, now, ids)
    owner = draft.open(account)
    receiver = draft.open_counterparty(target)
    if owner.available < amount:
        raise refuse_short(asset, "available", owner.available, amount)
    parts: list[Part] = []
    if not owner.has_lots:
        entry = draft.start(EntryType.REDEMPTION, description)
    else:
        expire_due(draft, owner)
        shares = choose_exactly(draft, owner, Bucket.AVAILABLE, amount)
        entry = draft.start(EntryType.REDEMPTION, description)
        parts = consume(entry, owner, shares)
    entry.post(owner, Bucket.AVAILABLE, amount.copy_negate())
    entry.post_against(receiver, amount)
    draft.finish(entry)
    return draft.plan(amount, processed=parts)


def reverse(
    account: Account, target: int | Account, asset: Asset, amount: Decimal, *,
    consumed: Sequence[tuple[Lot, Decimal]] = (), reversed_before: Decimal = ZERO, grace: timedelta,
    description: str | None = None, cause: Cause, now: datetime, ids: TimeOrdered,
) -> Plan:
    """Give back `amount` of a redemption, from the target it went to (decision E7).

    `consumed` are the lots that the redemption consumed, in its order, as they stand today, with how much;
    `reversed_before` is what earlier reversals gave back. Last consumed is restored first; into a lot whose
    date has passed with a new date, `grace` from now. What arrives repays an overdraft.
    """
    check_amount(asset, amount)
    check_asset(asset)
    draft = Draft(asset, cause, now, ids)
    owner = draft.open(account)
    giver = draft.open_counterparty(target)
    if owner.has_lots:
        # What is past its date goes first, so that a lot is either live or empty when value returns to it.
        post_expiry(draft, owner, [lot for lot, _ in consumed if lot.remaining and lot.is_due(now)])
    entry = draft.start(EntryType.REDEMPTION_REVERSAL, description)
    parts: list[Part] = []
    if owner.has_lots:
        restored = []
        for lot, part in _last_first(consumed, reversed_before, amount):
            today = draft.changed_lots.get(lot.id, lot)
            restored.append(_restore(draft, entry, owner, today, part, now, now + grace))
            parts.append(Part(restored[-1].id, part))
        repay(entry, owner, restored)
    entry.post_against(giver, amount.copy_negate())
    entry.post(owner, Bucket.AVAILABLE, amount)
    draft.finish(entry)
    return draft.plan(amount, processed=parts)


def _last_first(
    consumed: Sequence[tuple[Lot, Decimal]], skip: Decimal, amount: Decimal
) -> list[tuple[Lot, Decimal]]:
    """Walk what was consumed backwards, past what was given back before; return what is to be restored."""
    shares = []
    for lot, taken in reversed(consumed):
        gone = min(skip, taken)
        skip = EXACT.subtract(skip, gone)
        part = min(EXACT.subtract(taken, gone), amount)
        if part:
            shares.append((lot, part))
            amount = EXACT.subtract(amount, part)
    assert not amount, "more is reversed than was consumed"
    return shares


def _restore(
    draft: Draft, entry: EntryDraft, owner: OpenAccount, lot: Lot, part: Decimal, now: datetime,
    grace_until: datetime,
) -> Lot:
    """Put value back into the lot it came from; beside it where the lot's rest is held meanwhile."""
    elsewhere = lot.remaining > 0 and lot.bucket is not Bucket.AVAILABLE
    whole = part if elsewhere else EXACT.add(lot.remaining, part)
    past = lot.expired or (lot.expires_at is not None and lot.expires_at <= now)
    if elsewhere:
        lot = child_of(lot, draft.ids.next(), entry.id, part)
    back = lot.moved(Bucket.AVAILABLE).restored(whole, grace_until if past else lot.expires_at)
    entry.move(owner, back, MovementKind.RESTORED, part)
    return back
