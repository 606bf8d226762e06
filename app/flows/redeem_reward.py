"""Redeeming a reward of the catalogue.

The stock of a popular reward is one row that everybody wants. It is read without a lock, and changed by the
last statement before the commit: nobody holds it while an answer is computed. The database refuses a count
beyond the limit; whoever is refused so begins anew with the row locked, and is told exactly why or served.
The limit of one participant stands under the participant's own lock.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

import psycopg

from app.book import assets
from app.db import Connection, pipelined, read_clock
from app.domain.assets import Asset
from app.domain.errors import NotEligible, NotFound, RewardProgramMismatch
from app.domain.ids import TimeOrdered
from app.domain.names import OwnerType
from app.domain.rewards import cost_of, refusal
from app.engine import eligibility
from app.engine.state import Owner
from app.flows import review_tiers, rulesets
from app.flows.gather import Wanted as Gathering
from app.flows.gather import look
from app.flows.idempotency import Outcome, once, take_turn
from app.flows.move_value import (
    FIRST_LOTS,
    Call,
    Desk,
    Opening,
    begin,
    existing_owner,
    existing_program,
    later_than,
    linked_asset,
)
from app.flows.redeem import Target, Wanted, foresight, post_redemption
from app.ledger.checks import check_amount
from app.store import enrollments, programs, rewards, snapshot


@dataclass(frozen=True, slots=True)
class Choice:
    """Which reward, for whom, how many or how much."""

    program_id: UUID
    participant_id: UUID
    reward_id: UUID
    quantity: int | None = None
    amount: Decimal | None = None
    description: str | None = None


class Found(NamedTuple):
    """What a choice names, and exists."""

    program: dict[str, Any]
    reward: dict[str, Any]
    asset: Asset


def redeem_reward(
    organization_id: UUID, api_key_id: UUID | None, choice: Choice, key: str | None, request_hash: bytes
) -> Outcome:
    """Redeem a reward; the redemption as it is sent. Under a key it happens once.

    Raises what `look_up` raises, and what stock, limits, conditions, amounts, programs and participants are
    refused for.
    """
    def attempt(locked: bool) -> Outcome:
        with pipelined() as c:
            turn = take_turn(
                c, organization_id, choice.program_id, "redeem_reward", key, request_hash,
                choice.participant_id,
            )
            asset_id = foresight.asset(
                choice.reward_id, lambda: rewards.start(c, organization_id, choice.reward_id).fetchone()
            )
            call = Call(organization_id, api_key_id, choice.program_id, asset_id)
            foreseen = foresight.owners(choice.program_id)
            started: list[Any] = []
            opening = begin(
                c, call, [choice.participant_id, *foreseen], first_lots=FIRST_LOTS,
                also=lambda: started.extend(_start_reading(c, organization_id, choice, locked)),
            )
            reward, taken = started
            found = _found(
                choice, opening.program, reward.fetchone(), opening.owners,
                choice.participant_id in opening.standings, opening.asset,
            )
            target = foresight.target(found.program, foreseen)
            return once(
                turn, lambda: _redeem(opening, choice, found, target, rewards.read_redeemed_by(taken))
            )

    try:
        return foresight.tried(lambda: attempt(locked=False))
    except psycopg.errors.CheckViolation as refused:
        if refused.diag.table_name != "rewards":
            raise
    return foresight.tried(lambda: attempt(locked=True))


def _start_reading(c: Connection, organization_id: UUID, choice: Choice, locked: bool) -> list[Any]:
    """Start reading the reward, behind its own lock where asked, and what the participant took of it."""
    if locked:
        rewards.start_lock(c, organization_id, choice.reward_id)
    return [
        rewards.start(c, organization_id, choice.reward_id),
        rewards.start_redeemed_by(c, organization_id, choice.reward_id, choice.participant_id),
    ]


def look_up(c: Connection, organization_id: UUID, choice: Choice) -> Found:
    """Find what a choice names, in one round trip of a pipeline.

    Raises NotFound, also for a participant that is not enrolled (decision B4), RewardProgramMismatch,
    AssetNotLinked.
    """
    program_id = choice.program_id
    program = programs.start(c, organization_id, program_id)
    reward = rewards.start(c, organization_id, choice.reward_id)
    owner = snapshot.start_owners(c, organization_id, [choice.participant_id])
    standing = enrollments.start_standings(c, organization_id, program_id, [choice.participant_id])
    asset = assets.start_of_reward(c, organization_id, program_id, choice.reward_id)
    known, _ = snapshot.read_owners(owner, organization_id)
    enrolled = bool(enrollments.read_standings(standing))
    return _found(
        choice, program.fetchone(), reward.fetchone(), known, enrolled, assets.read_in_program(asset)
    )


def _found(
    choice: Choice, program: dict[str, Any] | None, reward: dict[str, Any] | None,
    owners: Mapping[UUID, Owner], enrolled: bool, asset: tuple[Asset, bool] | None,
) -> Found:
    existing_program(program)
    if reward is None:
        raise NotFound("Reward not found")
    if reward["program_id"] != choice.program_id:
        raise RewardProgramMismatch(details={"reward_id": "belongs to another program"})
    existing_owner(owners, OwnerType.PARTICIPANT, choice.participant_id)
    if not enrolled:
        raise NotFound("Participant is not enrolled in this program")
    return Found(existing_program(program), reward, linked_asset(asset))


def _redeem(
    opening: Opening, choice: Choice, found: Found, target: Target, redeemed: int
) -> dict[str, Any]:
    c, call, reward = opening.c, opening.call, found.reward
    # What a price and its minimum say stands behind the key: a repetition is answered whatever they are now.
    amount, quantity = cost_of(reward, choice.quantity, choice.amount)
    check_amount(found.asset, amount, field="amount" if quantity is None else "quantity")
    desk = opening.desk()
    desk.refuse_inactive(choice.participant_id)
    refused = refusal(reward, quantity, redeemed, desk.now)
    if refused is not None:
        raise refused
    if reward["eligibility"] is not None:
        _settle_tiers(desk, choice.participant_id)
    refuse_ineligible(c, call, choice.participant_id, reward, desk.now)
    shown = post_redemption(desk, Wanted(
        choice.participant_id, amount, choice.description or f"Redeemed: {reward['name']}", reward["id"],
        quantity, reward["unit_cost"],
    ), target)
    if quantity is not None:
        rewards.take_units(
            c, call.organization_id, reward["id"], choice.participant_id, quantity, desk.now
        )
    return shown


def _settle_tiers(desk: Desk, participant_id: UUID) -> None:
    """End periods that are over before a condition asks for levels and counters, as an event would."""
    organization_id = desk.asset.organization_id
    if review_tiers.settle_first(desk.c, organization_id, participant_id):
        # Its messages took the participant's next numbers; those of the redemption come after them.
        states = snapshot.start_owners(desk.c, organization_id, list(desk.owners))
        desk.marks |= snapshot.read_owners(states, organization_id)[1]
        desk.now = later_than(read_clock(desk.c), desk.marks)
        desk.ids = TimeOrdered(desk.now)


def refuse_ineligible(
    c: Connection, call: Call, participant_id: UUID, reward: dict[str, Any], now: datetime
) -> None:
    """Raise NotEligible where the reward's condition does not hold, saying which part of it."""
    text = reward["eligibility"]
    if text is None:
        return
    _, candidates = eligibility.compile_eligibility(text)
    event = eligibility.occasion(call.organization_id, call.program_id, participant_id, now)
    ruleset = rulesets.current(c, call.organization_id, call.program_id)
    gathering = Gathering(call.organization_id)
    gathering.add(event, ruleset, candidates, None)
    world = look(c, gathering).world
    world.now = now
    reason = eligibility.why_not(text, event, world, ruleset)
    if reason is not None:
        raise NotEligible(details={"eligibility": reason})
