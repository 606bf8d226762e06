"""Hold, release, forfeit and void-hold of participants and groups, answered in the request."""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any, assert_never
from uuid import UUID

from app.db import pipelined
from app.domain.amounts import format_amount
from app.domain.names import Bucket, OwnerType
from app.flows.idempotency import Outcome, once, take_turn
from app.flows.move_value import FIRST_LOTS, Call, Desk, begin
from app.ledger.checks import check_amount, check_lot_asset
from app.ledger.entries import Plan
from app.ledger.holds import forfeit, hold, release, void_hold
from app.ledger.lots import LotFilter


class Operation(StrEnum):
    """The four ways in which reserved value is handled."""

    HOLD = "HOLD"
    RELEASE = "RELEASE"
    FORFEIT = "FORFEIT"
    VOID_HOLD = "VOID_HOLD"


@dataclass(frozen=True, slots=True)
class Handling:
    """What to do with whose value. `bucket` is for forfeits; `filters` and `reference_id` for LOT assets."""

    operation: Operation
    kind: OwnerType
    owner_id: UUID
    amount: Decimal | None
    description: str
    bucket: Bucket = Bucket.AVAILABLE
    filters: LotFilter | None = None
    reference_id: str | None = None


def handle(call: Call, wanted: Handling, key: str | None, request_hash: bytes) -> Outcome:
    """Carry out one of the four; the answer as it is sent. Under a key it happens once."""
    with pipelined() as c:
        person = wanted.owner_id if wanted.kind is OwnerType.PARTICIPANT else None
        operation = wanted.operation.lower()
        turn = take_turn(c, call.organization_id, call.program_id, operation, key, request_hash, person)
        opening = begin(
            c, call, [wanted.owner_id], wallet=wanted.operation is Operation.VOID_HOLD, first_lots=FIRST_LOTS
        )
        asset = opening.look_up(wanted.kind, wanted.owner_id).asset
        if wanted.amount is not None:
            check_amount(asset, wanted.amount)
        if wanted.reference_id is not None:
            check_lot_asset(asset, "reference_id")
        for field in wanted.filters.given() if wanted.filters else ():
            check_lot_asset(asset, field)
        return once(turn, lambda: _handle(opening.desk(), wanted))


def _handle(desk: Desk, wanted: Handling) -> dict[str, Any]:
    # Taking value away stays possible for suspended and closed participants (decision E7); an archived
    # group keeps what it has.
    if wanted.kind is OwnerType.GROUP or wanted.operation in (Operation.HOLD, Operation.RELEASE):
        desk.refuse_inactive(wanted.owner_id)
    plan = desk.plan(lambda: _plan(desk, wanted))
    desk.write(plan)
    scale = desk.asset.scale
    answer: dict[str, Any] = {
        "operation": str(wanted.operation), "amount_processed": format_amount(plan.amount, scale),
        "asset_id": str(desk.asset.id), "program_id": str(desk.program["id"]),
        "balance": desk.balance_view(plan.accounts[0]), "journal_entry_id": str(plan.entry.id),
        "message": f"Processed {format_amount(plan.amount, scale)}",
    }
    if desk.asset.has_lots:
        answer["lots_processed"] = [
            {"id": str(part.lot_id), "amount": format_amount(part.amount, scale)}
            for part in plan.lots_processed
        ]
    if wanted.reference_id is not None:
        answer["reference_id"] = wanted.reference_id
    return answer


def _plan(desk: Desk, wanted: Handling) -> Plan:
    account, asset = desk.account(wanted.owner_id), desk.asset
    common = {"description": wanted.description, **desk.how()}
    match wanted.operation:
        case Operation.HOLD:
            return hold(
                account, asset, wanted.amount, filters=wanted.filters, reference_id=wanted.reference_id,
                **common,
            )
        case Operation.RELEASE:
            return release(
                account, asset, wanted.amount, filters=wanted.filters, reference_id=wanted.reference_id,
                **common,
            )
        case Operation.FORFEIT:
            return forfeit(
                account, asset, wanted.amount, wanted.bucket, filters=wanted.filters,
                reference_id=wanted.reference_id, **common,
            )
        case Operation.VOID_HOLD:
            assert wanted.reference_id is not None, "the route asks for a reference"
            return void_hold(account, desk.source(), asset, reference_id=wanted.reference_id, **common)
    assert_never(wanted.operation)
