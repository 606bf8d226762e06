"""What every amount and asset must satisfy before anything is planned, in the order the API promises."""

from decimal import Decimal

from app.domain.amounts import INTEGER_DIGITS_MAX, fits_scale, format_amount, is_vast
from app.domain.assets import Asset
from app.domain.errors import (
    AssetArchived,
    InsufficientFunds,
    InvalidAmount,
    InvalidScale,
    LotAssetRequired,
    TransactionLimitExceeded,
)


def check_asset(asset: Asset) -> None:
    """Raise AssetArchived: an archived asset takes no new entries but those that time brings."""
    if asset.archived:
        raise AssetArchived


def check_amount(asset: Asset, amount: Decimal, *, adjust: bool = False, field: str = "amount") -> None:
    """Raise InvalidAmount or, for an adjustment with too many decimals, InvalidScale (decision A5).

    `field` is what the caller called the amount.
    """
    if amount <= 0:
        raise InvalidAmount(details={field: "must be greater than zero"})
    if not fits_scale(amount, asset.scale):
        wrong = f"must not have more than {asset.scale} decimal places"
        kind = InvalidScale if adjust else InvalidAmount
        raise kind(f"Amount {wrong}", {field: wrong})
    if is_vast(amount):
        wrong = f"must not have more than {INTEGER_DIGITS_MAX} digits before the point"
        raise InvalidAmount(f"Amount {wrong}", {field: wrong})


def check_capacity(balance: Decimal) -> None:
    """Raise InvalidAmount for a balance beyond what is stored."""
    if is_vast(balance):
        raise InvalidAmount(f"The balance would have more than {INTEGER_DIGITS_MAX} digits")


def check_limit(asset: Asset, amount: Decimal) -> None:
    """Raise TransactionLimitExceeded above the asset's max_transaction_amount (decision E12)."""
    if asset.transaction_limit is not None and amount > asset.transaction_limit:
        limit = format_amount(asset.transaction_limit, asset.scale)
        raise TransactionLimitExceeded(f"Amount exceeds the asset's max_transaction_amount of {limit}")


def check_movement(asset: Asset, amount: Decimal, *, adjust: bool = False) -> None:
    """Check amount, asset and limit for an operation that brings value in or takes it out."""
    check_amount(asset, amount, adjust=adjust)
    check_asset(asset)
    check_limit(asset, amount)


def check_lot_asset(asset: Asset, field: str) -> None:
    """Raise LotAssetRequired, naming the field that only LOT assets have."""
    if not asset.has_lots:
        raise LotAssetRequired(details={field: "only for assets with inventory_mode LOT"})


def refuse_short(asset: Asset, what: str, there: Decimal, needed: Decimal) -> InsufficientFunds:
    """Return the refusal that says how much is there and how much was asked for."""
    shown = format_amount(max(there, Decimal(0)), asset.scale)
    return InsufficientFunds(
        f"Insufficient funds: {what} {shown} {asset.symbol}, needed {format_amount(needed, asset.scale)}"
    )
