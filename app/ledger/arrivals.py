"""Value that arrives at an owner: the lot it makes, and the wallet it is drawn from."""

from datetime import datetime
from decimal import Decimal

from app.domain.names import Bucket
from app.ledger.accounts import Lot
from app.ledger.checks import refuse_short
from app.ledger.drafts import Draft, EntryDraft, OpenAccount
from app.ledger.entries import MovementKind


def draw(draft: Draft, origin: int | OpenAccount, amount: Decimal) -> None:
    """Raise InsufficientFunds where the value is to come from a wallet that has less."""
    if isinstance(origin, OpenAccount) and origin.available < amount:
        raise refuse_short(draft.asset, "the program's wallet has", origin.available, amount)


def bucket_of_credit(asked: Bucket, matures_at: datetime | None, now: datetime) -> Bucket:
    """Return where a credit lands: a future maturity defers it, unless HELD was asked for."""
    if asked is Bucket.AVAILABLE and matures_at is not None and matures_at > now:
        return Bucket.DEFERRED
    return asked


def new_lot(
    draft: Draft, entry: EntryDraft, owner: OpenAccount, amount: Decimal, bucket: Bucket, *,
    held_under: str | None = None, expires_at: datetime | None = None, matures_at: datetime | None = None,
    vintage: datetime | None = None,
) -> Lot:
    """Make the lot of a credit; with `held_under`, a provisional one.

    What arrives in AVAILABLE repays an overdraft: the caller calls `lots.repay` before it posts.
    """
    lot = Lot(
        draft.asset.organization_id, draft.ids.next(), owner.account_id, entry.id, entry.cause.program_id,
        None, bucket, amount, amount, False, held_under is not None, held_under, vintage or draft.now,
        expires_at, matures_at,
    )
    entry.move(owner, lot, MovementKind.CREATED, amount)
    return lot
