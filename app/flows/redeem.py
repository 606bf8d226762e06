"""Redemptions: a participant's AVAILABLE value goes to the program's redemption target.

`redeem` is the redemption of an amount; one of a reward uses `Foresight` and `post_redemption` around its own
checks of stock and price.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

from app.db import pipelined
from app.domain.amounts import ZERO, format_amount
from app.domain.errors import NotFound
from app.domain.instants import format_instant
from app.domain.names import OwnerType, WebhookType
from app.flows.idempotency import Outcome, once, take_turn
from app.flows.memory import remember
from app.flows.move_value import FIRST_LOTS, Call, Desk, begin
from app.ledger.accounts import Account
from app.ledger.checks import check_amount
from app.ledger.redemptions import redeem as plan_redemption
from app.store import redemptions
from app.store.outbox import Message

ATTEMPTS_MAX = 5


class Target(NamedTuple):
    """Where redeemed value goes: a system account, or a ledger entity's, whose owner is locked too."""

    type: str
    entity_id: UUID | None

    @property
    def owners(self) -> list[UUID]:
        """The owners to lock."""
        return [] if self.entity_id is None else [self.entity_id]

    def account(self, desk: Desk) -> int | Account:
        """Return the account."""
        if self.entity_id is not None:
            return desk.account(self.entity_id)
        if self.type == OwnerType.SYSTEM_BREAKAGE:
            return desk.asset.breakage_account
        return desk.asset.redemption_account


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a participant redeems; the reward's fields only for one of the catalogue."""

    participant_id: UUID
    amount: Decimal
    description: str
    reward_id: UUID | None = None
    quantity: int | None = None
    unit_cost: Decimal | None = None


def redeem(call: Call, wanted: Wanted, key: str | None, request_hash: bytes) -> Outcome:
    """Redeem an amount; the redemption as it is sent. Under a key it happens once.

    Raises NotFound, also for a participant that is not enrolled (decision B4), and what amounts, programs and
    participants are refused for.
    """
    def attempt() -> Outcome:
        with pipelined() as c:
            turn = take_turn(
                c, call.organization_id, call.program_id, "redeem", key, request_hash, wanted.participant_id
            )
            foreseen = foresight.owners(call.program_id)
            opening = begin(c, call, [wanted.participant_id, *foreseen], first_lots=FIRST_LOTS)
            found = opening.look_up(OwnerType.PARTICIPANT, wanted.participant_id)
            if wanted.participant_id not in opening.standings:
                raise NotFound("Participant is not enrolled in this program")
            check_amount(found.asset, wanted.amount)
            target = foresight.target(found.program, foreseen)
            return once(turn, lambda: _redeem(opening.desk(), wanted, target))

    return foresight.tried(attempt)


def _redeem(desk: Desk, wanted: Wanted, target: Target) -> dict[str, Any]:
    desk.refuse_inactive(wanted.participant_id)
    return post_redemption(desk, wanted, target)


class Unforeseen(Exception):
    """What was locked and loaded is not what the redemption needs."""


class Foresight:
    """What redemptions will need, as this process saw it last: locking it needs no look at it beforehand.

    It may be old. What is read under the locks decides; where it differs, the redemption begins anew.
    """

    def __init__(self) -> None:
        """Foresee nothing."""
        self._entities: dict[UUID, UUID] = {}  # Of programs whose redemptions go to a ledger entity.
        self._assets: dict[UUID, UUID] = {}  # Of rewards.

    def owners(self, program_id: UUID) -> list[UUID]:
        """Return the owner, besides the participant, that a redemption of the program locks; or none."""
        entity_id = self._entities.get(program_id)
        return [] if entity_id is None else [entity_id]

    def target(self, program: Mapping[str, Any], locked: list[UUID]) -> Target:
        """Return where the program's redemptions go, as it is set now; earlier ones keep theirs.

        Raises Unforeseen where its owner is not locked.
        """
        target = Target(program["redemption_target_type"], program["redemption_target_entity_id"])
        if target.owners != locked:
            self._entities.pop(program["id"], None)
            if target.entity_id is not None:
                remember(self._entities, program["id"], target.entity_id)
            raise Unforeseen
        return target

    def asset(self, reward_id: UUID, read: Callable[[], dict[str, Any] | None]) -> UUID:
        """Return the asset that a reward is priced in, which never changes; any id where there is none."""
        known = self._assets.get(reward_id)
        if known is None:
            reward = read()
            if reward is None:
                return reward_id
            known = remember(self._assets, reward_id, reward["asset_id"])
        return known

    def tried(self, attempt: Callable[[], Outcome]) -> Outcome:
        """Attempt until all was foreseen: the second time, unless the program was changed meanwhile."""
        for _ in range(ATTEMPTS_MAX):
            with suppress(Unforeseen):
                return attempt()
        raise AssertionError("a program or reward changes faster than a redemption looks at it")


foresight = Foresight()


def post_redemption(desk: Desk, wanted: Wanted, target: Target) -> dict[str, Any]:
    """Post a redemption and write its row; returns the redemption as it is sent. The locks are held."""
    receiver = target.account(desk)
    plan = desk.plan(lambda: plan_redemption(
        desk.account(wanted.participant_id), receiver, desk.asset, wanted.amount,
        description=wanted.description, **desk.how(),
    ))
    row = {
        "id": desk.ids.next(), "participant_id": wanted.participant_id, "program_id": desk.program["id"],
        "asset_id": desk.asset.id, "reward_id": wanted.reward_id, "quantity": wanted.quantity,
        "unit_cost": wanted.unit_cost, "amount": wanted.amount, "description": wanted.description,
        "target_account": receiver if isinstance(receiver, int) else receiver.id, "target_type": target.type,
        "journal_entry_id": plan.entry.id,
    }
    redemptions.insert(
        desk.c, desk.asset.organization_id, desk.now, api_key_id=desk.cause.api_key_id, **row
    )
    shown = view({
        **row, "reversed_amount": ZERO, "reversed_quantity": None if wanted.quantity is None else 0,
        "status": "COMPLETED", "created_at": desk.now, "updated_at": desk.now, "scale": desk.asset.scale,
    })
    desk.write(plan, [message(desk, WebhookType.REDEMPTION_COMPLETED, wanted.participant_id, shown)])
    return shown


def message(desk: Desk, kind: WebhookType, participant_id: UUID, data: dict[str, Any]) -> Message:
    """Return a message about a redemption."""
    return Message(
        desk.asset.organization_id, desk.ids.next(), kind, desk.now, participant_id, dict(data)
    )


def view(row: Mapping[str, Any]) -> dict[str, Any]:
    """Show a redemption."""
    shown = {name: str(row[name]) for name in ("id", "participant_id", "program_id", "asset_id")}
    shown |= {
        "amount": format_amount(row["amount"], row["scale"]), "description": row["description"] or "",
        "reversed_amount": format_amount(row["reversed_amount"], row["scale"]), "status": row["status"],
        "journal_entry_id": str(row["journal_entry_id"]), "created_at": format_instant(row["created_at"]),
        "updated_at": format_instant(row["updated_at"]),
    }
    if row["reward_id"] is None:
        return shown
    shown["reward_id"] = str(row["reward_id"])
    if row["unit_cost"] is not None:
        shown["unit_cost"] = format_amount(row["unit_cost"], row["scale"])
    if row["quantity"] is not None:
        shown |= {"quantity": row["quantity"], "reversed_quantity": row["reversed_quantity"]}
    return shown
