"""DEBIT and ADJUST_DEBIT: value returns to the mint or to the program's wallet."""

from datetime import datetime
from decimal import Decimal

from app.domain.assets import Asset
from app.domain.errors import InvalidRequest
from app.domain.ids import TimeOrdered
from app.domain.names import Bucket, EntryType
from app.ledger.accounts import Account
from app.ledger.checks import check_movement, refuse_short
from app.ledger.drafts import Draft
from app.ledger.entries import Cause, Plan
from app.ledger.lots import choose, consume, expire_due, total


def debit(
    account: Account, sink: int | Account, asset: Asset, amount: Decimal, *,
    bucket: Bucket = Bucket.AVAILABLE, allow_negative: bool = False, description: str | None = None,
    adjust: bool = False, cause: Cause, now: datetime, ids: TimeOrdered,
) -> Plan:
    """Debit an owner's AVAILABLE or HELD, to the wallet (PREFUNDED) or the issuance account (UNLIMITED).

    With `allow_negative` what lots or the balance lack becomes an overdraft (AVAILABLE only, decision E5).
    Raises what app.ledger.checks raises, and InsufficientFunds.
    """
    check_movement(asset, amount, adjust=adjust)
    assert bucket is not Bucket.DEFERRED, "deferred value cannot be debited"
    if allow_negative and bucket is Bucket.HELD:
        raise InvalidRequest("allow_negative is for AVAILABLE", {"allow_negative": "not with HELD"})
    draft = Draft(asset, cause, now, ids)
    owner = draft.open(account)
    origin = draft.open_counterparty(sink)
    if owner.balance(bucket) < amount and not allow_negative:
        raise refuse_short(asset, bucket.lower(), owner.balance(bucket), amount)
    action_type = EntryType.ADJUST_DEBIT if adjust else EntryType.DEBIT
    if not owner.has_lots:
        entry = draft.start(action_type, description)
        parts = []
    else:
        expire_due(draft, owner)
        shares = choose(owner, bucket, amount)
        if not allow_negative and total(shares) < amount:
            raise refuse_short(asset, bucket.lower(), total(shares), amount)
        entry = draft.start(action_type, description)
        parts = consume(entry, owner, shares)
    entry.post(owner, bucket, amount.copy_negate(), may_overdraw=allow_negative)
    entry.post_against(origin, amount)
    draft.finish(entry)
    return draft.plan(amount, processed=parts)
