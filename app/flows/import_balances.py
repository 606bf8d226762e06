"""Opening balances of an import: ADJUST_CREDIT entries whose lots keep the dates they had (decision F6).

A batch is planned on running accounts, asset by asset, and written at once.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from app.book import post
from app.db import Connection
from app.domain.errors import DomainError, IdempotencyConflict, NotFound, ParticipantInactive
from app.domain.names import Bucket
from app.flows.balance_messages import balance_messages
from app.flows.idempotency import hash_of
from app.flows.import_lines import OpeningBalance
from app.flows.move_value import Call, Desk, numbered, open_desk
from app.ledger.credits import credit
from app.ledger.entries import Plan
from app.store import assets, enrollments, idempotency, outbox, owner_states, participants

OPERATION = "import"


@dataclass(frozen=True, slots=True)
class _Wanted:
    """One balance in its place within the batch."""

    place: int
    balance: OpeningBalance
    owner_id: UUID
    request_hash: bytes


def apply(
    c: Connection, organization_id: UUID, api_key_id: UUID | None, program_id: UUID,
    balances: Sequence[OpeningBalance],
) -> list[DomainError | None]:
    """Credit balances; returns for each its refusal, None where it is done or was done before."""
    outcomes: list[DomainError | None] = [None] * len(balances)
    names = [each.external_id for each in balances if each.external_id is not None]
    ids = [each.participant_id for each in balances if each.participant_id is not None]
    by_name = participants.ids_of(c, organization_id, names)
    known = participants.known(c, organization_id, ids)
    symbols = assets.by_symbol(c, organization_id, program_id, sorted({each.asset for each in balances}))
    done = idempotency.hashes(
        c, organization_id, program_id, OPERATION, [each.idempotency_key for each in balances]
    )
    by_asset: dict[UUID, list[_Wanted]] = defaultdict(list)
    for place, each in enumerate(balances):
        owner_id = by_name.get(each.external_id or "") or each.participant_id
        request_hash = hash_of(OPERATION, [], _meaning(each))
        if each.idempotency_key in done:
            if done[each.idempotency_key] != request_hash:
                outcomes[place] = IdempotencyConflict()
            continue
        done[each.idempotency_key] = request_hash
        if owner_id is None or (each.participant_id is not None and owner_id not in known):
            outcomes[place] = NotFound("Participant not found")
        elif each.asset not in symbols:
            outcomes[place] = NotFound("Asset not found in this program")
        else:
            by_asset[symbols[each.asset]].append(_Wanted(place, each, owner_id, request_hash))
    for asset_id in sorted(by_asset):
        call = Call(organization_id, api_key_id, program_id, asset_id)
        for place, error in _credit_all(c, call, by_asset[asset_id]).items():
            outcomes[place] = error
    return outcomes


def _meaning(balance: OpeningBalance) -> dict[str, Any]:
    return {
        "external_id": balance.external_id, "participant_id": balance.participant_id, "asset": balance.asset,
        "amount": balance.amount, "created_at": balance.created_at, "expires_at": balance.expires_at,
        "matures_at": balance.matures_at,
    }


def _credit_all(c: Connection, call: Call, wanted: Sequence[_Wanted]) -> dict[int, DomainError]:
    owner_ids = sorted({each.owner_id for each in wanted})
    desk = open_desk(c, call, owner_ids, wallet=True)
    closed = enrollments.inactive(c, call.organization_id, call.program_id, owner_ids)
    refused: dict[int, DomainError] = {}
    plans: list[Plan] = []
    answers: list[dict[str, Any]] = []
    for each in wanted:
        try:
            if desk.owners[each.owner_id].status != "ACTIVE" or each.owner_id in closed:
                raise ParticipantInactive()
            plan = _plan(desk, each)
        except DomainError as error:
            refused[each.place] = error
            continue
        plans.append(plan)
        # The next plan starts where this one ended: the same owner, or the same wallet.
        for account in plan.accounts:
            desk.accounts[account.key] = account
        answers.append({
            "k": each.balance.idempotency_key, "h": each.request_hash.hex(), "p": str(each.owner_id),
            "r": {"journal_entry_id": str(plan.entry.id)},
        })
    idempotency.insert_many(c, call.organization_id, call.program_id, OPERATION, answers, desk.now)
    _write(c, call, desk, plans)
    return refused


def _plan(desk: Desk, wanted: _Wanted) -> Plan:
    balance = wanted.balance
    return desk.plan(lambda: credit(
        desk.account(wanted.owner_id), desk.source(), desk.asset, balance.amount, bucket=Bucket.AVAILABLE,
        expires_at=balance.expires_at, matures_at=balance.matures_at, vintage=balance.created_at,
        description=balance.description, adjust=True, **desk.how(),
    ))


def _write(c: Connection, call: Call, desk: Desk, plans: Sequence[Plan]) -> None:
    if not plans:
        return
    post.write_plans(c, plans, desk.now)
    subscribed = outbox.subscribed(c, [call.organization_id]).get(call.organization_id, frozenset())
    names = {owner.id: owner.external_id for owner in desk.owners.values()}
    told = [
        message for plan in plans
        for message in balance_messages(desk.asset, plan, subscribed, desk.ids, external_ids=names)
    ]
    count = numbered(desk.marks, told)
    owner_states.update(c, [
        owner_states.update_row(owner, owner, posted_at=desk.now, active_at=None, messages=count[owner.id])
        for owner in desk.owners.values()
    ])
    outbox.insert(c, told)
