"""EXPIRATION and MATURITY: what the date brings to lots, posted by a worker without being asked."""

from datetime import datetime
from uuid import UUID

from app.domain.amounts import EXACT, ZERO
from app.domain.assets import Asset
from app.domain.ids import TimeOrdered
from app.domain.names import Bucket, EntryType
from app.ledger.accounts import Account, Lot
from app.ledger.drafts import Draft
from app.ledger.entries import Cause, MovementKind, Plan
from app.ledger.lots import announce, expire_due, repay


def expire(account: Account, asset: Asset, *, now: datetime, ids: TimeOrdered) -> Plan | None:
    """Post the expiry of the loaded lots whose date has passed; None where none has.

    It holds for archived assets and inactive owners too: time does not ask. Lots that are not loaded are
    simply not looked at.
    """
    draft = Draft(asset, Cause(None), now, ids)
    owner = draft.open(account)
    expire_due(draft, owner)
    return _plan(draft)


def mature(account: Account, asset: Asset, *, now: datetime, ids: TimeOrdered) -> Plan | None:
    """Move the loaded DEFERRED lots whose day has come to AVAILABLE; None where there are none.

    A lot that has expired meanwhile is left to `expire`. What becomes available repays an overdraft first.
    """
    draft = Draft(asset, Cause(None), now, ids)
    owner = draft.open(account)
    ripe: dict[UUID | None, list[Lot]] = {}
    for lot in owner.lots():
        is_ripe = lot.bucket is Bucket.DEFERRED and lot.matures_at is not None and lot.matures_at <= now
        if is_ripe and not lot.is_due(now):
            ripe.setdefault(lot.program_id, []).append(lot)
    for program_id, lots in ripe.items():
        entry = draft.start(EntryType.MATURITY, "Matured", cause=Cause(program_id))
        whole = ZERO
        moved = []
        for lot in lots:
            whole = EXACT.add(whole, lot.remaining)
            moved.append(lot.moved(Bucket.AVAILABLE))
            entry.move(owner, moved[-1], MovementKind.MOVED, lot.remaining)
        repay(entry, owner, moved)
        entry.post(owner, Bucket.DEFERRED, whole.copy_negate())
        entry.post(owner, Bucket.AVAILABLE, whole)
        announce(draft, owner, entry, lots, whole, max(lot.matures_at for lot in lots if lot.matures_at))
    return _plan(draft)


def _plan(draft: Draft) -> Plan | None:
    if not draft.entries:
        return None
    whole = ZERO
    for announcement in draft.due:
        whole = EXACT.add(whole, announcement.amount)
    return draft.plan(whole)
