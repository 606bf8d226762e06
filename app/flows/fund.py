"""Filling and emptying a program's wallet, answered in the request."""

from decimal import Decimal
from typing import Any
from uuid import UUID

from app.db import pipelined
from app.domain.amounts import format_amount
from app.domain.assets import Asset
from app.domain.errors import AssetNotPrefunded
from app.domain.names import EntryType, IssuancePolicy, WebhookType
from app.flows.idempotency import Outcome, once, take_turn
from app.flows.move_value import Call, Desk, begin
from app.ledger.checks import check_amount
from app.ledger.entries import Plan
from app.ledger.wallets import burn, fund
from app.store.outbox import Message

_WORDS = {EntryType.FUND: "funded", EntryType.BURN: "burned"}


def change_wallet(
    call: Call, action_type: EntryType, amount: Decimal, description: str | None, key: str | None,
    request_hash: bytes,
) -> Outcome:
    """FUND or BURN the wallet; the answer as it is sent. Under a key it happens once."""
    with pipelined() as c:
        operation = action_type.lower()
        turn = take_turn(c, call.organization_id, call.program_id, operation, key, request_hash)
        opening = begin(c, call, [], wallet=True)
        check_amount(opening.look_up().asset, amount)
        return once(turn, lambda: _change(opening.desk(), action_type, amount, description))


def _change(
    desk: Desk, action_type: EntryType, amount: Decimal, description: str | None
) -> dict[str, Any]:
    if desk.asset.policy is not IssuancePolicy.PREFUNDED:
        raise AssetNotPrefunded()
    act = fund if action_type is EntryType.FUND else burn
    plan = act(desk.wallet(), desk.asset, amount, description=description, **desk.how())
    desk.write(plan, [_message(desk.asset, desk.program["id"], plan, desk.ids.next())])
    return {
        "available": format_amount(plan.accounts[0].available, desk.asset.scale),
        "journal_entry_id": str(plan.entry.id), "message": f"Program {_WORDS[action_type]} successfully",
    }


def _message(asset: Asset, program_id: UUID, plan: Plan, message_id: UUID) -> Message:
    kind = {
        EntryType.FUND: WebhookType.PROGRAM_FUNDED, EntryType.BURN: WebhookType.PROGRAM_BURNED,
    }[plan.entry.action_type]
    return Message(asset.organization_id, message_id, kind, plan.entry.created_at, None, {
        "program_id": str(program_id), "asset_id": str(asset.id),
        "amount": format_amount(plan.amount, asset.scale),
        "available": format_amount(plan.accounts[0].available, asset.scale),
        "journal_entry_id": str(plan.entry.id),
    })
