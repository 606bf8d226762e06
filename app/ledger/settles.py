"""SETTLE: what was credited provisionally under a reference is resolved against the final amount."""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal

from app.domain.amounts import EXACT, ZERO
from app.domain.assets import Asset
from app.domain.ids import TimeOrdered
from app.domain.names import Bucket, EntryType
from app.ledger.accounts import Account, Lot
from app.ledger.arrivals import bucket_of_credit, draw, new_lot
from app.ledger.drafts import Draft, EntryDraft, OpenAccount
from app.ledger.entries import Cause, MovementKind, Part, Plan, Settlement
from app.ledger.lots import Share, choose, expire_due, repay, total


def settle(
    account: Account, source: int | Account, asset: Asset, amount: Decimal, *, reference_id: str,
    expires_at: datetime | None, matures_at: datetime | None, description: str | None, cause: Cause,
    now: datetime, ids: TimeOrdered,
) -> Plan:
    """Resolve the provisional holds of a reference against `amount` (decision E6). `credit` has checked it.

    Held lots move to AVAILABLE in FIFO order up to the amount, keeping vintage and expiry; the rest of them
    goes back to the source, or a new lot tops them up. With nothing held it is a CREDIT. References belong
    to a program: what another program holds under the same text is not touched.
    """
    draft = Draft(asset, cause, now, ids)
    owner = draft.open(account)
    origin = draft.open_counterparty(source)
    held = choose(owner, Bucket.HELD, None, provisional_under(reference_id, cause))
    held_amount = total(held)
    delta = EXACT.subtract(amount, held_amount)
    draw(draft, origin, delta)
    entry = draft.start(EntryType.SETTLE if held else EntryType.CREDIT, description, reference_id)
    arrived, processed = _resolve(entry, owner, held, min(amount, held_amount))
    top_up = max(delta, ZERO)
    bucket = bucket_of_credit(Bucket.AVAILABLE, matures_at, now)
    if top_up:
        lot = new_lot(draft, entry, owner, top_up, bucket, expires_at=expires_at, matures_at=matures_at)
        processed.append(Part(lot.id, top_up))
        if bucket is Bucket.AVAILABLE:
            arrived.append(lot)
    repay(entry, owner, [lot for lot in arrived if not lot.is_due(now)])
    entry.post(owner, Bucket.HELD, held_amount.copy_negate())
    if bucket is Bucket.AVAILABLE:
        entry.post(owner, Bucket.AVAILABLE, amount)
    else:
        entry.post(owner, Bucket.AVAILABLE, EXACT.subtract(amount, top_up))
        entry.post(owner, bucket, top_up)
    entry.post_against(origin, delta.copy_negate())
    draft.finish(entry)
    moved = {lot.id for lot in arrived}
    expire_due(draft, owner, only=lambda lot: lot.id in moved)
    return draft.plan(amount, processed=processed, settle=Settlement(held_amount, delta))


def provisional_under(reference_id: str, cause: Cause) -> Callable[[Lot], bool]:
    """Return the condition that admits what a CREDIT of this program put into HELD under the reference."""

    def admits(lot: Lot) -> bool:
        return lot.provisional and lot.reference_id == reference_id and lot.program_id == cause.program_id

    return admits


def _resolve(
    entry: EntryDraft, owner: OpenAccount, held: list[Share], keep: Decimal
) -> tuple[list[Lot], list[Part]]:
    """Move held lots worth `keep` to AVAILABLE, take the rest out; return the lots that arrived, and all."""
    arrived: list[Lot] = []
    processed: list[Part] = []
    for lot, remaining in held:
        part = min(keep, remaining)
        keep = EXACT.subtract(keep, part)
        moved = lot.moved(Bucket.AVAILABLE)
        if part:
            entry.move(owner, moved, MovementKind.MOVED, part)
        if part < remaining:
            moved = moved.with_remaining(part)
            entry.move(owner, moved, MovementKind.CONSUMED, EXACT.subtract(part, remaining))
        if part:
            arrived.append(moved)
        processed.append(Part(lot.id, remaining))
    return arrived, processed
