"""CREDIT and ADJUST_CREDIT: value arrives from the mint or from the program's wallet."""

from datetime import datetime
from decimal import Decimal

from app.domain.assets import Asset
from app.domain.errors import ValidationError
from app.domain.ids import TimeOrdered
from app.domain.names import Bucket, EntryType
from app.ledger.accounts import Account
from app.ledger.arrivals import bucket_of_credit, draw, new_lot
from app.ledger.checks import check_capacity, check_lot_asset, check_movement
from app.ledger.drafts import Draft
from app.ledger.entries import Cause, Entry, Part, Plan, Posting
from app.ledger.lots import repay
from app.ledger.settles import settle


def credit(
    account: Account, source: int | Account, asset: Asset, amount: Decimal, *,
    bucket: Bucket = Bucket.AVAILABLE, reference_id: str | None = None, expires_at: datetime | None = None,
    matures_at: datetime | None = None, vintage: datetime | None = None, description: str | None = None,
    adjust: bool = False, cause: Cause, now: datetime, ids: TimeOrdered,
) -> Plan:
    """Credit an owner. `source` is the wallet (PREFUNDED) or the number of the issuance account (UNLIMITED).

    On a LOT asset the credit makes one lot; with a `reference_id`, into HELD it is provisional and into
    AVAILABLE it settles what is provisionally held under that reference (decision E6). A future `matures_at`
    puts the value in DEFERRED, unless HELD was asked for. `vintage` is the lot's own date, for imports.
    Raises what app.ledger.checks raises, ValidationError for dates that cannot be, and InsufficientFunds
    where the wallet is short.
    """
    check_movement(asset, amount, adjust=adjust)
    check_dates(asset, expires_at, matures_at, reference_id, now)
    if reference_id is not None and bucket is Bucket.AVAILABLE and account.keeps_lots:
        return settle(
            account, source, asset, amount, reference_id=reference_id, expires_at=expires_at,
            matures_at=matures_at, description=description, cause=cause, now=now, ids=ids,
        )
    if not asset.has_lots and isinstance(source, int) and bucket is Bucket.AVAILABLE:
        return _mint(account, source, asset, amount, description, adjust, cause, now, ids)
    draft = Draft(asset, cause, now, ids)
    owner = draft.open(account)
    origin = draft.open_counterparty(source)
    draw(draft, origin, amount)
    bucket = bucket_of_credit(bucket, matures_at, now)
    action_type = EntryType.ADJUST_CREDIT if adjust else EntryType.CREDIT
    entry = draft.start(action_type, description, reference_id)
    processed: tuple[Part, ...] = ()
    if owner.has_lots:
        lot = new_lot(
            draft, entry, owner, amount, bucket,
            expires_at=expires_at, matures_at=matures_at, vintage=vintage,
            held_under=reference_id if bucket is Bucket.HELD else None,
        )
        if bucket is Bucket.AVAILABLE:
            repay(entry, owner, [lot])
        processed = (Part(lot.id, amount),)
    entry.post_against(origin, amount.copy_negate())
    entry.post(owner, bucket, amount)
    draft.finish(entry)
    return draft.plan(amount, processed=processed)


def _mint(
    account: Account, source: int, asset: Asset, amount: Decimal, description: str | None, adjust: bool,
    cause: Cause, now: datetime, ids: TimeOrdered,
) -> Plan:
    """Plan the commonest credit of all without a draft, at half its cost: no lots, no wallet."""
    entry = Entry(
        ids.next(), asset.organization_id, cause.program_id, asset.id,
        EntryType.ADJUST_CREDIT if adjust else EntryType.CREDIT,
        (
            Posting(source, Bucket.AVAILABLE, amount.copy_negate()),
            Posting(account.id, Bucket.AVAILABLE, amount),
        ),
        cause.event_seq, cause.rule_id, cause.api_key_id, description, None, now,
    )
    after = account.with_available(amount)
    check_capacity(after.available)
    return Plan((entry,), (after,), amount)


def check_dates(
    asset: Asset, expires_at: datetime | None, matures_at: datetime | None, reference_id: str | None,
    now: datetime,
) -> None:
    """Refuse dates and references on a SIMPLE asset, lots born expired, and maturity at or after expiry."""
    if expires_at is None and matures_at is None and reference_id is None:
        return
    given = {"expires_at": expires_at, "matures_at": matures_at, "reference_id": reference_id}
    for field, value in given.items():
        if value is not None:
            check_lot_asset(asset, field)
    if expires_at is not None and expires_at <= now:
        raise ValidationError("The credit would be expired at once", {"expires_at": "must lie in the future"})
    if expires_at is not None and matures_at is not None and matures_at >= expires_at:
        raise ValidationError(
            "The credit would expire before it matures", {"matures_at": "must be before expires_at"}
        )
