"""Transfers between participants and groups, answered in the request: all of it or nothing."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from app.db import Connection, pipelined
from app.domain.amounts import EXACT, ZERO, format_amount
from app.domain.assets import Asset
from app.domain.errors import InvalidAmount, InvalidRequest, NotFound, RecipientNotFound, SelfTransfer
from app.domain.names import OwnerType, WebhookType
from app.engine.state import Owner
from app.flows.idempotency import Outcome, once, take_turn
from app.flows.move_value import FIRST_LOTS, Call, Desk, Opening, begin
from app.ledger.checks import check_amount
from app.ledger.entries import Plan
from app.ledger.transfers import transfer as plan_transfer
from app.store import snapshot
from app.store.outbox import Message


@dataclass(frozen=True, slots=True)
class Party:
    """Who gives or receives: a participant or group by id, or a participant by external id."""

    kind: OwnerType
    id: UUID | None = None
    external_id: str | None = None


@dataclass(frozen=True, slots=True)
class Transfer:
    """Who gives how much to whom."""

    source: Party
    recipients: tuple[tuple[Party, Decimal], ...]
    description: str


def transfer(call: Call, wanted: Transfer, key: str | None, request_hash: bytes) -> Outcome:
    """Transfer value; the answer as it is sent. Under a key it happens once.

    Raises NotFound for an unknown source, RecipientNotFound for a recipient that is unknown or not enrolled,
    SelfTransfer, InvalidRequest for one named twice, ParticipantInactive, InsufficientFunds, and what amounts
    and programs are refused for.
    """
    _refuse_doubles(wanted.source, [party for party, _ in wanted.recipients])
    parties = [wanted.source, *(party for party, _ in wanted.recipients)]
    with pipelined() as c:
        ids = _resolve(c, call.organization_id, parties)
        person = ids[0] if wanted.source.kind is OwnerType.PARTICIPANT else None
        turn = take_turn(c, call.organization_id, call.program_id, "transfer", key, request_hash, person)
        named = dict.fromkeys(one for one in ids if one is not None)
        opening = begin(c, call, list(named), first_lots=FIRST_LOTS)
        asset = opening.look_up().asset
        source, *recipients = [
            _known(opening, party, owner_id) for party, owner_id in zip(parties, ids, strict=True)
        ]
        if source is None:
            raise NotFound("Source not found")
        _check_amounts(asset, [amount for _, amount in wanted.recipients])
        return once(turn, lambda: _transfer(opening.desk(), wanted, source, recipients))


def _check_amounts(asset: Asset, amounts: Sequence[Decimal]) -> None:
    """Raise InvalidAmount that names every amount at fault."""
    faults: dict[str, str] = {}
    for place, amount in enumerate(amounts):
        try:
            check_amount(asset, amount, field=f"recipients[{place}].amount")
        except InvalidAmount as refused:
            message = refused.message
            faults |= refused.details
    if faults:
        raise InvalidAmount(message, faults)


def _transfer(
    desk: Desk, wanted: Transfer, source: Owner, found: Sequence[Owner | None]
) -> dict[str, Any]:
    recipients = [one for one in found if one is not None]
    _refuse_doubles(source.id, [one.id for one in recipients])
    parties = [source.id, *(one.id for one in recipients)]
    for party in parties:
        desk.refuse_inactive(party)
    strangers = [place for place, one in enumerate(found) if one is None or not _belongs(desk, one)]
    if strangers:
        raise RecipientNotFound(
            details={f"recipients[{place}]": "is unknown or not enrolled" for place in strangers}
        )
    amounts = [amount for _, amount in wanted.recipients]
    plan = desk.plan(lambda: plan_transfer(
        desk.account(source.id),
        [(desk.account(one.id), amount) for one, amount in zip(recipients, amounts, strict=True)],
        desk.asset, description=wanted.description, **desk.how(),
    ))
    answer = {
        "journal_entry_id": str(plan.entry.id), "source_id": str(source.id), "asset_id": str(desk.asset.id),
        "recipient_count": len(recipients), "total_amount": format_amount(_sum(amounts), desk.asset.scale),
    }
    desk.write(plan, [_message(desk, plan, source, recipients, amounts, answer)])
    return answer


def _refuse_doubles(source: Hashable, recipients: Sequence[Hashable]) -> None:
    """Raise InvalidRequest for a recipient named twice, SelfTransfer for the source among them."""
    again = [place for place, one in enumerate(recipients) if one in recipients[:place]]
    if again:
        raise InvalidRequest(
            "A recipient is named twice", {f"recipients[{place}]": "is named twice" for place in again}
        )
    if source in recipients:
        raise SelfTransfer(details={f"recipients[{recipients.index(source)}]": "is the source"})


def _resolve(c: Connection, organization_id: UUID, parties: Sequence[Party]) -> list[UUID | None]:
    """Return the ids of the parties; None for an external id that nobody has."""
    names = [party.external_id for party in parties if party.external_id is not None]
    ids = snapshot.read_external_ids(snapshot.start_external_ids(c, organization_id, names)) if names else {}
    return [ids.get(party.external_id) if party.external_id else party.id for party in parties]


def _known(opening: Opening, party: Party, owner_id: UUID | None) -> Owner | None:
    """Return who a party is; None for whoever is unknown, or of another kind than it was named."""
    owner = None if owner_id is None else opening.owners.get(owner_id)
    return owner if owner is not None and owner.kind is party.kind else None


def _belongs(desk: Desk, recipient: Owner) -> bool:
    """Whether a recipient may receive in the program: participants must be enrolled (decision E14)."""
    return recipient.kind is OwnerType.GROUP or recipient.id in desk.standings


def _message(
    desk: Desk, plan: Plan, source: Owner, recipients: Sequence[Owner], amounts: Sequence[Decimal],
    answer: dict[str, Any],
) -> Message:
    shown = [
        {("group_id" if one.kind is OwnerType.GROUP else "participant_id"): str(one.id),
         "amount": format_amount(amount, desk.asset.scale)}
        for one, amount in zip(recipients, amounts, strict=True)
    ]
    return Message(
        desk.asset.organization_id, desk.ids.next(), WebhookType.TRANSFER_COMPLETED, plan.entry.created_at,
        source.id if source.kind is OwnerType.PARTICIPANT else None,
        {**answer, "program_id": str(desk.program["id"]), "recipients": shown},
    )


def _sum(amounts: Sequence[Decimal]) -> Decimal:
    total = ZERO
    for amount in amounts:
        total = EXACT.add(total, amount)
    return total
