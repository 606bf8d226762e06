"""FUND and BURN: filling and emptying the wallet from which a program's PREFUNDED credits are drawn."""

from datetime import datetime
from decimal import Decimal

from app.domain.assets import Asset
from app.domain.errors import AssetNotPrefunded
from app.domain.ids import TimeOrdered
from app.domain.names import Bucket, EntryType, IssuancePolicy
from app.ledger.accounts import Account
from app.ledger.arrivals import draw
from app.ledger.checks import check_amount, check_asset
from app.ledger.drafts import Draft
from app.ledger.entries import Cause, Plan


def fund(
    wallet: Account, asset: Asset, amount: Decimal, *, description: str | None = None, cause: Cause,
    now: datetime, ids: TimeOrdered,
) -> Plan:
    """Put value into the wallet, from issuance. Raises AssetNotPrefunded."""
    return _move(wallet, asset, amount, EntryType.FUND, description, cause, now, ids)


def burn(
    wallet: Account, asset: Asset, amount: Decimal, *, description: str | None = None, cause: Cause,
    now: datetime, ids: TimeOrdered,
) -> Plan:
    """Take value out of the wallet, to breakage. Raises AssetNotPrefunded, InsufficientFunds."""
    return _move(wallet, asset, amount, EntryType.BURN, description, cause, now, ids)


def _move(
    wallet: Account, asset: Asset, amount: Decimal, action_type: EntryType, description: str | None,
    cause: Cause, now: datetime, ids: TimeOrdered,
) -> Plan:
    check_amount(asset, amount)
    if asset.policy is not IssuancePolicy.PREFUNDED:
        raise AssetNotPrefunded
    check_asset(asset)
    draft = Draft(asset, cause, now, ids)
    purse = draft.open(wallet)
    entry = draft.start(action_type, description)
    if action_type is EntryType.FUND:
        entry.post_against(asset.issuance_account, amount.copy_negate())
        entry.post(purse, Bucket.AVAILABLE, amount)
    else:
        draw(draft, purse, amount)
        entry.post(purse, Bucket.AVAILABLE, amount.copy_negate())
        entry.post_against(asset.breakage_account, amount)
    draft.finish(entry)
    return draft.plan(amount)
