"""Reversing redemptions, whole or in part: value and stock return to where they came from."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from app.book import read
from app.db import Connection, pipelined
from app.domain.amounts import EXACT, format_amount
from app.domain.durations import parse_duration
from app.domain.errors import (
    AlreadyReversed,
    AmountExceedsRemaining,
    InvalidRequest,
    NotFound,
    ParticipantInactive,
    QuantityExceedsRemaining,
)
from app.domain.instants import format_instant
from app.domain.names import EnrollmentStatus, ParticipantStatus, WebhookType
from app.flows.idempotency import Outcome, once, take_turn
from app.flows.move_value import Call, Desk, begin
from app.flows.redeem import message, view
from app.ledger.accounts import Account, Lot
from app.ledger.checks import check_amount
from app.ledger.redemptions import reverse as plan_reversal
from app.store import redemptions


@dataclass(frozen=True, slots=True)
class Reversal:
    """How much to give back, in the unit of the redemption; neither: all that is left."""

    reason: str
    amount: Decimal | None = None
    quantity: int | None = None


def reverse(
    organization_id: UUID, api_key_id: UUID | None, redemption_id: UUID, wanted: Reversal, key: str | None,
    request_hash: bytes,
) -> Outcome:
    """Reverse a redemption; the reversal as it is sent. Under a key it happens once."""
    with pipelined() as c:
        row = _get(c, organization_id, redemption_id)
        call = Call(organization_id, api_key_id, row["program_id"], row["asset_id"])
        _refuse_unit(row, wanted)
        person = row["participant_id"]
        turn = take_turn(c, organization_id, call.program_id, "reverse", key, request_hash, person)
        giver = None
        if row["target_account"] > 0:
            giver = read.account_by_number(c, organization_id, row["target_account"])
            assert giver is not None, "a redemption names the account it went to"
        opening = begin(c, call, [person, *([] if giver is None else [giver.owner_id])])
        asset = opening.look_up().asset
        if wanted.amount is not None:
            check_amount(asset, wanted.amount)
        return once(turn, lambda: _reverse(opening.desk(), redemption_id, giver, wanted))


def _reverse(
    desk: Desk, redemption_id: UUID, giver: Account | None, wanted: Reversal
) -> dict[str, Any]:
    c, organization_id = desk.c, desk.asset.organization_id
    # Only now is nobody else reversing it: what is left has to be read again.
    row = _get(c, organization_id, redemption_id)
    _refuse_closed(desk, row["participant_id"])
    amount, quantity = _share(row, wanted)
    consumed = _consumed(c, organization_id, row["journal_entry_id"])
    target: int | Account = row["target_account"] if giver is None else desk.account(giver.owner_id)
    plan = plan_reversal(
        desk.account(row["participant_id"]), target, desk.asset, amount, consumed=consumed,
        reversed_before=row["reversed_amount"], grace=parse_duration(desk.program["reversal_grace"]),
        description=wanted.reason, **desk.how(),
    )
    after, shown = _write_rows(desk, row, wanted.reason, amount, quantity, plan.entry.id)
    desk.write(plan, [message(
        desk, WebhookType.REDEMPTION_REVERSED, row["participant_id"], {**view(after), "reversal": shown}
    )])
    if quantity is not None:
        # Last, because everybody who redeems this reward waits for its row until the commit.
        redemptions.return_units(
            c, organization_id, row["reward_id"], row["participant_id"], quantity, desk.now
        )
    return shown


def _refuse_closed(desk: Desk, participant_id: UUID) -> None:
    """Raise ParticipantInactive for one that left; who is only suspended gets value back (decision E7)."""
    if desk.owners[participant_id].status == ParticipantStatus.CLOSED:
        raise ParticipantInactive("Participant is CLOSED")
    if desk.standings.get(participant_id) == EnrollmentStatus.CLOSED:
        raise ParticipantInactive("The participant's enrollment is CLOSED")


def _refuse_unit(row: Mapping[str, Any], wanted: Reversal) -> None:
    if wanted.amount is not None and wanted.quantity is not None:
        raise InvalidRequest(
            "amount and quantity exclude each other",
            dict.fromkeys(("amount", "quantity"), "only one of amount and quantity"),
        )
    if row["quantity"] is None and wanted.quantity is not None:
        raise InvalidRequest("This redemption is reversed by amount", {"quantity": "not for this redemption"})
    if row["quantity"] is not None and wanted.amount is not None:
        raise InvalidRequest("This redemption is reversed by quantity", {"amount": "not for this redemption"})


def _share(row: Mapping[str, Any], wanted: Reversal) -> tuple[Decimal, int | None]:
    """Return the amount, and units, to give back; raises where less is left."""
    left = EXACT.subtract(row["amount"], row["reversed_amount"])
    if not left:
        raise AlreadyReversed()
    if row["quantity"] is None:
        if wanted.amount is not None and wanted.amount > left:
            raise AmountExceedsRemaining(f"Only {format_amount(left, row['scale'])} is left to reverse")
        return wanted.amount or left, None
    units = row["quantity"] - row["reversed_quantity"]
    if wanted.quantity is not None and wanted.quantity > units:
        raise QuantityExceedsRemaining(f"Only {units} are left to reverse")
    quantity = wanted.quantity or units
    return EXACT.multiply(row["unit_cost"], Decimal(quantity)), quantity


def _consumed(c: Connection, organization_id: UUID, entry_id: UUID) -> list[tuple[Lot, Decimal]]:
    taken = read.consumption(c, organization_id, entry_id)
    lots = read.lots_by_id(c, organization_id, [lot_id for lot_id, _ in taken])
    return [(lots[lot_id], amount) for lot_id, amount in taken]


def _write_rows(
    desk: Desk, row: Mapping[str, Any], reason: str, amount: Decimal, quantity: int | None, entry_id: UUID
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Write the reversal; returns the redemption's row as it is now, and the reversal as it is sent."""
    organization_id, now = desk.asset.organization_id, desk.now
    whole = EXACT.add(row["reversed_amount"], amount)
    units = None if quantity is None else row["reversed_quantity"] + quantity
    status = "FULLY_REVERSED" if whole == row["amount"] else "PARTIALLY_REVERSED"
    redemptions.set_reversed(
        desk.c, organization_id, row["id"], now, amount=whole, quantity=units, status=status
    )
    reversal_id = desk.ids.next()
    redemptions.insert_reversal(
        desk.c, organization_id, now, id=reversal_id, redemption_id=row["id"], amount=amount,
        quantity=quantity, reason=reason, journal_entry_id=entry_id, api_key_id=desk.cause.api_key_id,
    )
    after = {
        **row, "reversed_amount": whole, "reversed_quantity": units, "status": status, "updated_at": now
    }
    return after, reversal_view({
        "id": reversal_id, "redemption_id": row["id"], "journal_entry_id": entry_id, "amount": amount,
        "quantity": quantity, "reason": reason, "created_at": now,
    }, desk.asset.scale)


def reversal_view(row: Mapping[str, Any], scale: int) -> dict[str, Any]:
    """Show a reversal."""
    shown = {name: str(row[name]) for name in ("id", "redemption_id", "journal_entry_id")}
    shown |= {
        "amount": format_amount(row["amount"], scale), "reason": row["reason"],
        "created_at": format_instant(row["created_at"]),
    }
    return shown if row["quantity"] is None else {**shown, "quantity": row["quantity"]}


def _get(c: Connection, organization_id: UUID, redemption_id: UUID) -> dict[str, Any]:
    row = redemptions.get(c, organization_id, redemption_id)
    if row is None:
        raise NotFound("Redemption not found")
    return row
