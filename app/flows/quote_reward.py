"""The quote of a reward: whether a redemption would succeed now, and if not, every reason why."""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from app.book import read
from app.db import Connection, connection, read_clock, transaction
from app.domain.amounts import EXACT, ZERO, format_amount
from app.domain.assets import Asset
from app.domain.errors import DomainError, InsufficientFunds
from app.domain.instants import format_instant
from app.domain.names import Bucket, OwnerType
from app.domain.rewards import cost_of, refusals, units_left
from app.flows import review_tiers
from app.flows.locks import lock_owners
from app.flows.move_value import (
    Call,
    find_owner,
    refuse_inactive_owner,
    refuse_inactive_program,
)
from app.flows.redeem_reward import Choice, look_up, refuse_ineligible
from app.ledger.accounts import AccountKey
from app.ledger.checks import check_amount, check_asset, check_limit
from app.store import rewards, tier_states


def quote(organization_id: UUID, choice: Choice) -> dict[str, Any]:
    """Tell whether the participant could redeem the reward now: every reason why not, and what is missing.

    The first reason is the one with which a redemption would be refused. What no answer could help, such as a
    participant who does not exist, is raised as a redemption raises it.
    """
    _settle_tiers(organization_id, choice.participant_id)
    with connection() as c, c.transaction():
        c.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        found = look_up(c, organization_id, choice)
        reward, asset = found.reward, found.asset
        call = Call(organization_id, None, choice.program_id, asset.id)
        amount, quantity = cost_of(reward, choice.quantity, choice.amount)
        check_amount(asset, amount, field="amount" if quantity is None else "quantity")
        now = read_clock(c)
        owner = find_owner(c, organization_id, OwnerType.PARTICIPANT, choice.participant_id)
        before = rewards.read_redeemed_by(rewards.start_redeemed_by(
            c, organization_id, choice.reward_id, choice.participant_id
        ))
        available = _available(c, AccountKey(organization_id, choice.participant_id, asset.id), now)
        reasons = [
            *_refused(lambda: refuse_inactive_program(found.program)),
            *_refused(lambda: refuse_inactive_owner(c, owner, choice.program_id)),
            *refusals(reward, quantity, before, now),
            *_refused(lambda: refuse_ineligible(c, call, choice.participant_id, reward, now)),
            *_refused(lambda: check_asset(asset)), *_refused(lambda: check_limit(asset, amount)),
            *_short(asset, available, amount),
        ]
    shown: dict[str, Any] = {
        "redeemable": not reasons, "reward_id": str(reward["id"]), "asset_id": str(asset.id),
        "amount": format_amount(amount, asset.scale), "available": format_amount(available, asset.scale),
        "missing": format_amount(max(EXACT.subtract(amount, available), ZERO), asset.scale),
        "available_from": _instant(reward["available_from"]),
        "available_until": _instant(reward["available_until"]),
        "reasons": [_told(error) for error in reasons],
    }
    if quantity is None:
        return shown
    left, own = units_left(reward, before)
    return {**shown, "quantity": quantity, "units_left": left, "units_left_for_participant": own}


def _settle_tiers(organization_id: UUID, participant_id: UUID) -> None:
    """End periods that are over, which a worker would do at any moment: a redemption sees them ended."""
    with connection() as c:
        started = tier_states.start_due_among(c, organization_id, [participant_id])
        if not tier_states.read_due_among(started):
            return
    with transaction() as c:
        lock_owners(c, organization_id, [participant_id])
        review_tiers.settle_first(c, organization_id, participant_id)


def _available(c: Connection, key: AccountKey, now: datetime) -> Decimal:
    found = read.accounts(c, [key])
    if key not in found:
        return ZERO
    due = read.due(c, [found[key]], now).get(key, {}).get(Bucket.AVAILABLE, ZERO)
    return EXACT.subtract(found[key].available, due)


def _short(asset: Asset, available: Decimal, amount: Decimal) -> list[DomainError]:
    if available >= amount:
        return []
    missing = format_amount(EXACT.subtract(amount, available), asset.scale)
    return [InsufficientFunds(details={"amount": f"{missing} {asset.symbol} are missing"})]


def _refused(check: Callable[[], None]) -> list[DomainError]:
    try:
        check()
    except DomainError as error:
        return [error]
    return []


def _instant(value: datetime | None) -> str | None:
    return None if value is None else format_instant(value)


def _told(error: DomainError) -> dict[str, Any]:
    told: dict[str, Any] = {"code": error.code, "message": error.message}
    return told | {"details": error.details} if error.details else told
