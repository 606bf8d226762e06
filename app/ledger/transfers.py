"""TRANSFER: value passes from one owner to others, in one entry."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from app.domain.amounts import EXACT, ZERO
from app.domain.assets import Asset
from app.domain.errors import InvalidRequest, LimitExceeded, SelfTransfer
from app.domain.ids import TimeOrdered
from app.domain.names import Bucket, EntryType
from app.ledger.accounts import Account
from app.ledger.arrivals import new_lot
from app.ledger.checks import check_amount, check_asset, check_limit, refuse_short
from app.ledger.drafts import Draft
from app.ledger.entries import LINES_MAX, Cause, Plan
from app.ledger.lots import choose_exactly, consume, expire_due, repay

RECIPIENTS_MAX = LINES_MAX - 1  # One line of the entry is the sender's.


def transfer(
    source: Account, recipients: Sequence[tuple[Account, Decimal]], asset: Asset, *,
    description: str | None = None, cause: Cause, now: datetime, ids: TimeOrdered,
) -> Plan:
    """Pass AVAILABLE value to recipients. Of a LOT asset they get new lots that never expire.

    The sum counts against max_transaction_amount (decision E12). Raises SelfTransfer, InvalidRequest for a
    recipient named twice, InsufficientFunds. The plan's accounts: the source, then the recipients in order.
    """
    whole = _check(source, recipients, asset)
    draft = Draft(asset, cause, now, ids)
    sender = draft.open(source)
    parts = []
    if sender.available < whole:
        raise refuse_short(asset, "available", sender.available, whole)
    if not sender.has_lots:
        entry = draft.start(EntryType.TRANSFER, description)
    else:
        expire_due(draft, sender)
        shares = choose_exactly(draft, sender, Bucket.AVAILABLE, whole)
        entry = draft.start(EntryType.TRANSFER, description)
        parts = consume(entry, sender, shares)
    entry.post(sender, Bucket.AVAILABLE, whole.copy_negate())
    for account, amount in recipients:
        recipient = draft.open(account)
        if recipient.has_lots:
            repay(entry, recipient, [new_lot(draft, entry, recipient, amount, Bucket.AVAILABLE)])
        entry.post(recipient, Bucket.AVAILABLE, amount)
    draft.finish(entry)
    return draft.plan(whole, processed=parts)


def _check(source: Account, recipients: Sequence[tuple[Account, Decimal]], asset: Asset) -> Decimal:
    assert recipients, "a transfer has a recipient"
    if len(recipients) > RECIPIENTS_MAX:
        raise LimitExceeded(f"A transfer has at most {RECIPIENTS_MAX} recipients")
    seen = set()
    whole = ZERO
    for account, amount in recipients:
        check_amount(asset, amount)
        if account.owner_id == source.owner_id:
            raise SelfTransfer
        if account.owner_id in seen:
            raise InvalidRequest("A recipient is named twice")
        seen.add(account.owner_id)
        whole = EXACT.add(whole, amount)
    if len(recipients) > 1:
        check_amount(asset, whole, field="recipients")
    check_asset(asset)
    check_limit(asset, whole)
    return whole
