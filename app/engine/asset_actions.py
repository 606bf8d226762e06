"""CREDIT, DEBIT, HOLD, RELEASE, FORFEIT, VOID_HOLD: from resolved values to a plan of the ledger."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from app.domain import actions as a
from app.domain import errors
from app.domain.amounts import INTEGER_DIGITS_MAX, ZERO, fits_scale, format_amount, format_plain, is_vast
from app.domain.assets import Asset
from app.domain.names import EventErrorCode, IssuancePolicy, OwnerType
from app.engine import budgets
from app.engine.compiled import CompiledAsset
from app.engine.resolving import amount_of, moment_of, reference_of, text_of
from app.engine.scope import ActionFailed, Scope, refusal
from app.engine.state import NeedsMore, Owner
from app.engine.texts import Moment
from app.ledger.accounts import Account, AccountKey, LotsNotLoaded, new_account
from app.ledger.credits import credit
from app.ledger.debits import debit
from app.ledger.entries import Cause, Plan
from app.ledger.holds import forfeit, hold, release, void_hold

Recorded = dict[str, Any]
ZERO_AMOUNT = {"skipped": "zero_amount"}
BUDGET_EXCEEDED = {"skipped": "budget_exceeded"}


def run(scope: Scope, action: CompiledAsset, owner: Owner) -> Recorded:
    """Move value in the draft; return what to record. Raises ActionFailed, NeedsMore, CelError."""
    asset = scope.asset(action.action.asset_id)
    recorded: Recorded = {}
    amount: Decimal | None = None
    if action.amount is not None:
        amount = amount_of(action.amount, scope.variables)
        _check_amount(asset, amount)
        recorded["amount"] = format_amount(amount, asset.scale)
        if not amount:
            return recorded | ZERO_AMOUNT
    if action.reference_id is not None:
        recorded["reference_id"] = reference_of(action.reference_id, scope.variables)
    account = _account(scope, owner, asset)
    try:
        plan = _plan(scope, action, owner, account, asset, amount, recorded.get("reference_id"))
    except LotsNotLoaded as missing:
        raise NeedsMore(lots=frozenset(((missing.key.owner_id, missing.key.asset_id),))) from None
    except errors.InsufficientFunds as error:
        if amount is None:
            # The bucket holds something, but nothing that the action means: another reference, a due lot.
            return recorded | ZERO_AMOUNT
        raise refusal(error) from None
    except errors.DomainError as error:
        raise refusal(error) from None
    if plan is None:
        return recorded | ZERO_AMOUNT
    if plan.amount is not amount:
        recorded["amount"] = format_amount(plan.amount, asset.scale)
    if isinstance(action.action, a.Credit) and not budgets.charge(scope, asset, plan):
        return recorded | BUDGET_EXCEEDED
    scope.draft.move(owner, asset, plan)
    recorded["journal_entry_id"] = plan.entry.id
    return recorded


def _check_amount(asset: Asset, amount: Decimal) -> None:
    if amount < 0:
        raise ActionFailed(EventErrorCode.INVALID_AMOUNT, "amount must not be negative")
    if not fits_scale(amount, asset.scale):
        raise ActionFailed(
            EventErrorCode.INVALID_AMOUNT,
            f"amount exceeds asset scale: {format_plain(amount)} has more than {asset.scale} decimal places",
        )
    # Looked at before it is printed: data goes up to 1e100, and no asset's notation has room for that.
    if is_vast(amount):
        raise ActionFailed(
            EventErrorCode.INVALID_AMOUNT,
            f"amount must not have more than {INTEGER_DIGITS_MAX} digits before the decimal point",
        )


def _account(scope: Scope, owner: Owner, asset: Asset) -> Account:
    found = scope.draft.account((owner.id, asset.id))
    if found is not None:
        return found
    key = AccountKey(owner.organization_id, owner.id, asset.id)
    return new_account(key, scope.account_number(), owner.kind)


def _source(scope: Scope, owner: Owner, asset: Asset) -> int | Account:
    """Return where value comes from and goes back to: the mint, or the program's wallet."""
    if asset.policy is IssuancePolicy.UNLIMITED or owner.kind is OwnerType.PROGRAM:
        return asset.issuance_account
    wallet = scope.draft.account((scope.event.program_id, asset.id))
    if wallet is None:
        raise ActionFailed(EventErrorCode.INSUFFICIENT_FUNDS, "the program's wallet is empty")
    return wallet


def _plan(
    scope: Scope, compiled: CompiledAsset, owner: Owner, account: Account, asset: Asset,
    amount: Decimal | None, reference: str | None,
) -> Plan | None:
    """Plan the operation; None where an omitted amount finds nothing there (decision C8)."""
    action = compiled.action
    description = None
    if compiled.description is not None:
        description = text_of(compiled.description, scope.variables, a.DESCRIPTION_LENGTH_MAX) or None
    cause = Cause(scope.event.program_id, scope.event.seq, scope.rule.id)
    now, ids = scope.now, scope.ids
    match action:
        case a.Credit():
            assert amount is not None
            expires = _moment(scope, compiled.expires_at)
            matures = _moment(scope, compiled.matures_at)
            return credit(
                account, _source(scope, owner, asset), asset, amount, bucket=action.bucket,
                reference_id=reference, expires_at=expires, matures_at=matures, description=description,
                cause=cause, now=now, ids=ids,
            )
        case a.Debit():
            assert amount is not None
            return debit(
                account, _source(scope, owner, asset), asset, amount, bucket=action.bucket,
                allow_negative=action.allow_negative, description=description, cause=cause, now=now, ids=ids,
            )
        case a.Hold():
            if amount is None and account.available <= ZERO:
                return None
            return hold(account, asset, amount, reference_id=reference, description=description, cause=cause,
                        now=now, ids=ids)
        case a.Release():
            if amount is None and not account.held:
                return None
            return release(account, asset, amount, reference_id=reference, description=description,
                           cause=cause, now=now, ids=ids)
        case a.Forfeit():
            if amount is None and account.balance(action.bucket) <= ZERO:
                return None
            return forfeit(account, asset, amount, action.bucket, description=description, cause=cause,
                           now=now, ids=ids)
        case a.VoidHold():
            if not account.held:
                return None
            assert reference is not None
            return void_hold(account, _source(scope, owner, asset), asset, reference_id=reference,
                             description=description, cause=cause, now=now, ids=ids)


def _moment(scope: Scope, moment: Moment | None) -> datetime | None:
    return None if moment is None else moment_of(moment, scope.variables, scope.now)
