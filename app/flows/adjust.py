"""Manual credits and debits of participants and groups, answered in the request."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

from app.db import pipelined
from app.domain.amounts import format_amount
from app.domain.errors import InvalidRequest
from app.domain.names import Bucket, OwnerType
from app.flows.idempotency import Outcome, once, take_turn
from app.flows.move_value import FIRST_LOTS, Call, Desk, begin
from app.ledger.checks import check_amount
from app.ledger.credits import credit
from app.ledger.debits import debit


@dataclass(frozen=True, slots=True)
class Adjustment:
    """What to do to whose balance."""

    kind: OwnerType
    owner_id: UUID
    type: Literal["CREDIT", "DEBIT"]
    amount: Decimal
    bucket: Bucket
    description: str
    allow_negative: bool


def adjust(call: Call, wanted: Adjustment, key: str | None, request_hash: bytes) -> Outcome:
    """Adjust a balance; the answer as it is sent. Under a key it happens once (decision A4)."""
    if wanted.allow_negative and (wanted.type == "CREDIT" or wanted.bucket is Bucket.HELD):
        raise InvalidRequest(
            "allow_negative is for debits of AVAILABLE", {"allow_negative": "only for DEBIT of AVAILABLE"}
        )
    with pipelined() as c:
        person = wanted.owner_id if wanted.kind is OwnerType.PARTICIPANT else None
        turn = take_turn(
            c, call.organization_id, call.program_id, "adjust", key, request_hash, person
        )
        opening = begin(
            c, call, [wanted.owner_id], wallet=True,
            first_lots=FIRST_LOTS if wanted.type == "DEBIT" else None,
        )
        check_amount(opening.look_up(wanted.kind, wanted.owner_id).asset, wanted.amount, adjust=True)
        return once(turn, lambda: _adjust(opening.desk(), wanted))


def _adjust(desk: Desk, wanted: Adjustment) -> dict[str, Any]:
    desk.refuse_inactive(wanted.owner_id)
    if wanted.type == "DEBIT":
        plan = desk.plan(lambda: debit(
            desk.account(wanted.owner_id), desk.source(), desk.asset, wanted.amount, bucket=wanted.bucket,
            allow_negative=wanted.allow_negative, description=wanted.description, adjust=True, **desk.how(),
        ))
    else:
        plan = desk.plan(lambda: credit(
            desk.account(wanted.owner_id), desk.source(), desk.asset, wanted.amount, bucket=wanted.bucket,
            description=wanted.description, adjust=True, **desk.how(),
        ))
    desk.write(plan)
    is_group = wanted.kind is OwnerType.GROUP
    answer: dict[str, Any] = {
        "amount": format_amount(wanted.amount, desk.asset.scale), "asset_id": str(desk.asset.id),
        "program_id": str(desk.program["id"]), "type": wanted.type, "bucket": str(wanted.bucket),
        "journal_entry_id": str(plan.entry.id),
        "message": "Group balance adjusted successfully" if is_group else "Balance adjusted successfully",
    }
    if not is_group:
        answer["balance"] = desk.balance_view(plan.accounts[0])
    return answer
