"""Redeeming a reward of the catalogue, and the quote that tells beforehand whether that would succeed.

Owners are locked before the reward, as app/flows/locks says, so that the count is exact however many redeem
at once.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from app.book import read
from app.db import Connection, connection, pipelined, read_clock
from app.domain.amounts import EXACT, ZERO, format_amount
from app.domain.errors import (
    DomainError,
    InsufficientFunds,
    NotEligible,
    NotFound,
    RewardProgramMismatch,
)
from app.domain.names import Bucket, OwnerType
from app.domain.rewards import cost_of, refusal
from app.engine import eligibility
from app.flows import rulesets
from app.flows.gather import Wanted as Gathering
from app.flows.gather import look
from app.flows.idempotency import Outcome, once
from app.flows.move_value import (
    FIRST_LOTS,
    Call,
    find_asset,
    find_owner,
    find_program,
    open_desk,
    refuse_inactive_owner,
    refuse_inactive_program,
)
from app.flows.redeem import Target, Wanted, post_redemption, refuse_stranger, target_of
from app.ledger.accounts import AccountKey
from app.ledger.checks import check_amount, check_asset, check_limit
from app.store import rewards


@dataclass(frozen=True, slots=True)
class Choice:
    """Which reward, for whom, how many or how much."""

    program_id: UUID
    participant_id: UUID
    reward_id: UUID
    quantity: int | None = None
    amount: Decimal | None = None
    description: str | None = None


def redeem_reward(
    organization_id: UUID, api_key_id: UUID | None, choice: Choice, key: str | None, request_hash: bytes
) -> Outcome:
    """Redeem a reward; the redemption as it is sent. Under a key it happens once."""
    with pipelined() as c:
        program = find_program(c, organization_id, choice.program_id)
        reward = _find_reward(c, organization_id, choice)
        call = Call(organization_id, api_key_id, choice.program_id, reward["asset_id"])
        refuse_stranger(c, call, choice.participant_id)
        amount, _ = cost_of(reward, choice.quantity, choice.amount)
        check_amount(find_asset(c, call), amount)
        target = target_of(program)
        return once(
            c, organization_id, choice.program_id, "redeem_reward", key, request_hash,
            lambda: _redeem(c, call, choice, target), choice.participant_id,
        )


def _find_reward(c: Connection, organization_id: UUID, choice: Choice) -> dict[str, Any]:
    reward = rewards.get(c, organization_id, choice.reward_id)
    if reward is None:
        raise NotFound("Reward not found")
    if reward["program_id"] != choice.program_id:
        raise RewardProgramMismatch(details={"reward_id": "belongs to another program"})
    return reward


def _redeem(c: Connection, call: Call, choice: Choice, target: Target) -> dict[str, Any]:
    desk = open_desk(c, call, [choice.participant_id, *target.owners], first_lots=FIRST_LOTS)
    desk.refuse_inactive(choice.participant_id)
    # Only now is the count the last word: read again under its lock.
    reward = rewards.lock(c, call.organization_id, choice.reward_id)
    assert reward is not None
    amount, quantity = cost_of(reward, choice.quantity, choice.amount)
    before = rewards.redeemed_by(c, call.organization_id, choice.reward_id, choice.participant_id)
    refused = refusal(reward, quantity, before, desk.now)
    if refused is not None:
        raise refused
    _refuse_ineligible(c, call, choice.participant_id, reward, desk.now)
    shown = post_redemption(desk, Wanted(
        choice.participant_id, amount, choice.description or f"Redeemed: {reward['name']}", reward["id"],
        quantity, reward["unit_cost"],
    ), target)
    if quantity is not None:
        rewards.take_units(
            c, call.organization_id, reward["id"], choice.participant_id, quantity, desk.now
        )
    return shown


def _refuse_ineligible(
    c: Connection, call: Call, participant_id: UUID, reward: dict[str, Any], now: datetime
) -> None:
    """Raise NotEligible where the reward's condition does not hold, saying which part of it."""
    text = reward["eligibility"]
    if text is None:
        return
    _, candidates = eligibility.compile_eligibility(text)
    event = eligibility.occasion(call.organization_id, call.program_id, participant_id, now)
    program = find_program(c, call.organization_id, call.program_id)
    ruleset = rulesets.current(c, call.organization_id, program["id"])
    gathering = Gathering(call.organization_id)
    gathering.add(event, ruleset, candidates, None)
    world = look(c, gathering).world
    world.now = now
    reason = eligibility.why_not(text, event, world, ruleset)
    if reason is not None:
        raise NotEligible(details={"eligibility": reason})


def quote(organization_id: UUID, choice: Choice) -> dict[str, Any]:
    """Tell whether the participant could redeem the reward now: every reason why not, and what is missing."""
    with connection() as c, c.transaction():
        c.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        program = find_program(c, organization_id, choice.program_id)
        reward = _find_reward(c, organization_id, choice)
        call = Call(organization_id, None, choice.program_id, reward["asset_id"])
        refuse_stranger(c, call, choice.participant_id)
        asset = find_asset(c, call)
        amount, quantity = cost_of(reward, choice.quantity, choice.amount)
        check_amount(asset, amount)
        now = read_clock(c)
        owner = find_owner(c, organization_id, OwnerType.PARTICIPANT, choice.participant_id)
        before = rewards.redeemed_by(c, organization_id, choice.reward_id, choice.participant_id)
        available = _available(c, AccountKey(organization_id, choice.participant_id, asset.id), now)
        refused = refusal(reward, quantity, before, now)
        reasons = [error for error in (
            _refused(lambda: refuse_inactive_program(program)),
            _refused(lambda: refuse_inactive_owner(c, owner, choice.program_id)),
            _refused(lambda: check_asset(asset)), _refused(lambda: check_limit(asset, amount)),
            refused, _refused(lambda: _refuse_ineligible(c, call, choice.participant_id, reward, now)),
            InsufficientFunds() if available < amount else None,
        ) if error is not None]
    shown: dict[str, Any] = {
        "redeemable": not reasons, "reward_id": str(reward["id"]), "asset_id": str(asset.id),
        "amount": format_amount(amount, asset.scale),
        "available": format_amount(available, asset.scale),
        "missing": format_amount(max(EXACT.subtract(amount, available), ZERO), asset.scale),
        "reasons": [_told(error) for error in reasons],
    }
    return shown if quantity is None else {**shown, "quantity": quantity}


def _available(c: Connection, key: AccountKey, now: datetime) -> Decimal:
    found = read.accounts(c, [key])
    if key not in found:
        return ZERO
    due = read.due(c, [found[key]], now).get(key, {}).get(Bucket.AVAILABLE, ZERO)
    return EXACT.subtract(found[key].available, due)


def _refused(check: Callable[[], None]) -> DomainError | None:
    try:
        check()
    except DomainError as error:
        return error
    return None


def _told(error: DomainError) -> dict[str, Any]:
    told: dict[str, Any] = {"code": error.code, "message": error.message}
    return told | {"details": error.details} if error.details else told
