"""HOLD, RELEASE, FORFEIT and VOID_HOLD: reserving value, giving it back, taking it away, cancelling it."""

from datetime import datetime
from decimal import Decimal

from app.domain.amounts import ZERO
from app.domain.assets import Asset
from app.domain.errors import InvalidRequest
from app.domain.ids import TimeOrdered
from app.domain.names import Bucket, EntryType
from app.ledger.accounts import Account, Lot
from app.ledger.checks import check_amount, check_asset, check_lot_asset, refuse_short
from app.ledger.drafts import Draft, EntryDraft, OpenAccount
from app.ledger.entries import Cause, Part, Plan
from app.ledger.lots import (
    LotFilter,
    any_lot,
    choose,
    choose_exactly,
    consume,
    expire_due,
    relocate,
    repay,
    total,
)
from app.ledger.settles import provisional_under


def hold(
    account: Account, asset: Asset, amount: Decimal | None, *, filters: LotFilter | None = None,
    reference_id: str | None = None, description: str | None = None, cause: Cause, now: datetime,
    ids: TimeOrdered,
) -> Plan:
    """Reserve AVAILABLE value: `amount`, or everything that matches. Held lots carry the reference.

    Raises InsufficientFunds where there is less, or nothing; LotAssetRequired for lot fields on SIMPLE.
    """
    _check(asset, amount, filters, reference_id)
    draft = Draft(asset, cause, now, ids)
    owner = draft.open(account)
    if not owner.has_lots:
        whole = _balance(asset, owner, Bucket.AVAILABLE, amount)
        entry = draft.start(EntryType.HOLD, description)
        parts: list[Part] = []
    else:
        expire_due(draft, owner)
        admits = any_lot if filters is None else filters.admits
        shares = choose_exactly(draft, owner, Bucket.AVAILABLE, amount, admits)
        whole = total(shares)
        entry = draft.start(EntryType.HOLD, description, reference_id)
        held = relocate(draft, entry, owner, shares, Bucket.HELD, reference_id)
        parts = [Part(lot.id, lot.remaining) for lot in held]
    entry.post(owner, Bucket.AVAILABLE, whole.copy_negate())
    entry.post(owner, Bucket.HELD, whole)
    draft.finish(entry)
    return draft.plan(whole, processed=parts)


def release(
    account: Account, asset: Asset, amount: Decimal | None, *, filters: LotFilter | None = None,
    reference_id: str | None = None, description: str | None = None, cause: Cause, now: datetime,
    ids: TimeOrdered,
) -> Plan:
    """Give held value back: `amount`, or everything held that matches; provisional credits are left alone.

    Of lots, up to `amount`: what matches may come to less, as long as it is something. What comes back
    repays an overdraft; a lot whose date has passed expires at once (decision E4).
    """
    _check(asset, amount, filters, reference_id)
    draft = Draft(asset, cause, now, ids)
    owner = draft.open(account)
    if not owner.has_lots:
        whole = _balance(asset, owner, Bucket.HELD, amount)
        entry = draft.start(EntryType.RELEASE, description)
        _give_back(entry, owner, whole)
        draft.finish(entry)
        return draft.plan(whole)
    chosen = filters or LotFilter()

    def admits(lot: Lot) -> bool:
        return (
            not lot.provisional and chosen.admits(lot)
            and (reference_id is None or lot.reference_id == reference_id)
        )

    shares = choose(owner, Bucket.HELD, amount, admits)
    whole = total(shares)
    if not whole:
        raise refuse_short(asset, "held in matching lots", whole, amount or ZERO)
    entry = draft.start(EntryType.RELEASE, description, reference_id)
    lots = relocate(draft, entry, owner, shares, Bucket.AVAILABLE, None)
    repay(entry, owner, [lot for lot in lots if not lot.is_due(now)])
    _give_back(entry, owner, whole)
    draft.finish(entry)
    moved = {lot.id for lot in lots}
    expire_due(draft, owner, only=lambda lot: lot.id in moved)
    return draft.plan(whole, processed=[Part(lot.id, lot.remaining) for lot in lots])


def forfeit(
    account: Account, asset: Asset, amount: Decimal | None, bucket: Bucket, *,
    filters: LotFilter | None = None, reference_id: str | None = None, description: str | None = None,
    cause: Cause, now: datetime, ids: TimeOrdered,
) -> Plan:
    """Take AVAILABLE or HELD value away for good, to breakage: `amount`, or everything that matches.

    A `reference_id` restricts it to lots held under that reference.
    """
    _check(asset, amount, filters, reference_id)
    assert bucket is not Bucket.DEFERRED, "deferred value cannot be forfeited"
    draft = Draft(asset, cause, now, ids)
    owner = draft.open(account)
    if not owner.has_lots:
        whole = _balance(asset, owner, bucket, amount)
        entry = draft.start(EntryType.FORFEIT, description)
        parts: list[Part] = []
    else:
        expire_due(draft, owner)
        chosen = filters or LotFilter()

        def admits(lot: Lot) -> bool:
            return chosen.admits(lot) and (reference_id is None or lot.reference_id == reference_id)

        shares = choose_exactly(draft, owner, bucket, amount, admits)
        whole = total(shares)
        entry = draft.start(EntryType.FORFEIT, description, reference_id)
        parts = consume(entry, owner, shares)
    entry.post(owner, bucket, whole.copy_negate())
    entry.post_against(asset.breakage_account, whole)
    draft.finish(entry)
    return draft.plan(whole, processed=parts)


def void_hold(
    account: Account, source: int | Account, asset: Asset, *, reference_id: str,
    description: str | None = None, cause: Cause, now: datetime, ids: TimeOrdered,
) -> Plan:
    """Cancel everything that this program credited provisionally under the reference; back to its source.

    What a HOLD moved into HELD is not touched. Raises InsufficientFunds where nothing is left to void.
    """
    check_lot_asset(asset, "asset_id")
    check_asset(asset)
    draft = Draft(asset, cause, now, ids)
    owner = draft.open(account)
    origin = draft.open_counterparty(source)
    shares = choose_exactly(draft, owner, Bucket.HELD, None, provisional_under(reference_id, cause))
    whole = total(shares)
    entry = draft.start(EntryType.VOID_HOLD, description, reference_id)
    parts = consume(entry, owner, shares)
    entry.post(owner, Bucket.HELD, whole.copy_negate())
    entry.post_against(origin, whole)
    draft.finish(entry)
    return draft.plan(whole, processed=parts)


def _check(
    asset: Asset, amount: Decimal | None, filters: LotFilter | None, reference_id: str | None
) -> None:
    if amount is not None:
        check_amount(asset, amount)
    if reference_id is not None:
        check_lot_asset(asset, "reference_id")
    if filters is not None:
        for field in filters.given():
            check_lot_asset(asset, field)
        if filters.earned_from and filters.earned_to and filters.earned_to < filters.earned_from:
            raise InvalidRequest("earned_to lies before earned_from", {"earned_to": "before earned_from"})
    check_asset(asset)


def _balance(asset: Asset, owner: OpenAccount, bucket: Bucket, amount: Decimal | None) -> Decimal:
    """Return what a SIMPLE account is to give; raises InsufficientFunds for less, and for nothing."""
    there = owner.balance(bucket)
    whole = there if amount is None else amount
    if there <= 0 or there < whole:
        raise refuse_short(asset, bucket.lower(), there, amount or ZERO)
    return whole


def _give_back(entry: EntryDraft, owner: OpenAccount, whole: Decimal) -> None:
    entry.post(owner, Bucket.HELD, whole.copy_negate())
    entry.post(owner, Bucket.AVAILABLE, whole)
