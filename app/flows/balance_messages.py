"""The webhook messages of balances (decision F5), made from a plan of the ledger. Pure."""

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from app.domain.amounts import EXACT, ZERO, format_amount
from app.domain.assets import Asset
from app.domain.ids import TimeOrdered
from app.domain.names import Bucket, EntryType, OwnerType, WebhookType
from app.ledger.accounts import Account
from app.ledger.entries import Entry, Plan
from app.store.outbox import Message

_TYPES: Mapping[EntryType, WebhookType] = {
    EntryType.CREDIT: WebhookType.BALANCE_CREDITED,
    EntryType.ADJUST_CREDIT: WebhookType.BALANCE_CREDITED,
    EntryType.SETTLE: WebhookType.BALANCE_CREDITED,
    EntryType.REDEMPTION_REVERSAL: WebhookType.BALANCE_CREDITED,
    EntryType.DEBIT: WebhookType.BALANCE_DEBITED,
    EntryType.ADJUST_DEBIT: WebhookType.BALANCE_DEBITED,
    EntryType.FORFEIT: WebhookType.BALANCE_DEBITED,
    EntryType.VOID_HOLD: WebhookType.BALANCE_DEBITED,
    EntryType.REDEMPTION: WebhookType.BALANCE_DEBITED,
    EntryType.HOLD: WebhookType.BALANCE_HELD,
    EntryType.RELEASE: WebhookType.BALANCE_RELEASED,
    EntryType.MATURITY: WebhookType.BALANCE_RELEASED,
    EntryType.EXPIRATION: WebhookType.BALANCE_EXPIRED,
}


def balance_messages(
    asset: Asset, plan: Plan, subscribed: frozenset[WebhookType], ids: TimeOrdered, *,
    event_id: UUID | None = None, external_ids: Mapping[UUID, str | None] | None = None,
) -> list[Message]:
    """Return one message for each participant or group that an entry of the plan touched.

    `external_ids` names participants where they are known; types that nobody subscribes to are left out.
    """
    messages = []
    for entry in plan.entries:
        for account in plan.accounts:
            if account.owner_type not in (OwnerType.PARTICIPANT, OwnerType.GROUP):
                continue
            change = _change(entry, account)
            kind = None if change is None else _type(entry, change[1])
            if change is None or kind not in subscribed:
                continue
            data = _data(entry, account, asset, plan, change)
            if event_id is not None:
                data["event_id"] = event_id
            is_group = account.owner_type is OwnerType.GROUP
            external_id = (external_ids or {}).get(account.owner_id)
            if external_id is not None and not is_group:
                data["external_id"] = external_id
            messages.append(Message(
                entry.organization_id, ids.next(), kind, entry.created_at,
                None if is_group else account.owner_id, data,
            ))
    return messages


def _type(entry: Entry, amount: Any) -> WebhookType:
    if entry.action_type is EntryType.TRANSFER:
        return WebhookType.BALANCE_CREDITED if amount > 0 else WebhookType.BALANCE_DEBITED
    return _TYPES[entry.action_type]


def _change(entry: Entry, account: Account) -> tuple[Bucket, Any] | None:
    """Return the bucket and the signed amount to tell; for moves between buckets, what arrived where."""
    own = [posting for posting in entry.postings if posting.account_id == account.id]
    if len(own) == 1:
        return own[0].bucket, own[0].amount
    sums: dict[Bucket, Any] = {}
    for posting in own:
        sums[posting.bucket] = EXACT.add(sums.get(posting.bucket, ZERO), posting.amount)
    if not sums:
        return None
    arrived = [(bucket, amount) for bucket, amount in sums.items() if amount > 0]
    if entry.action_type in (EntryType.HOLD, EntryType.RELEASE, EntryType.MATURITY) and arrived:
        return arrived[0]
    if len(sums) == 1:
        return next(iter(sums.items()))
    if arrived:
        return arrived[0][0], _sum(amount for _, amount in arrived)
    largest = min(sums.items(), key=lambda item: item[1])
    return largest[0], _sum(sums.values())


def _sum(amounts: Iterable[Any]) -> Any:
    total = ZERO
    for amount in amounts:
        total = EXACT.add(total, amount)
    return total


def _data(
    entry: Entry, account: Account, asset: Asset, plan: Plan, change: tuple[Bucket, Any]
) -> dict[str, Any]:
    owner = "group_id" if account.owner_type is OwnerType.GROUP else "participant_id"
    scale = asset.scale
    data: dict[str, Any] = {
        owner: account.owner_id, "program_id": entry.program_id, "asset_id": asset.id,
        "asset_symbol": asset.symbol, "bucket": str(change[0]),
        "amount": format_amount(change[1].copy_abs(), scale),
        "balance": {
            "available": format_amount(account.available, scale), "held": format_amount(account.held, scale),
            "deferred": format_amount(account.deferred, scale),
        },
        "action_type": str(entry.action_type), "journal_entry_id": entry.id,
        "description": entry.description or "",
    }
    if entry.rule_id is not None:
        data["rule_id"] = entry.rule_id
    if entry.reference_id is not None:
        data["reference_id"] = entry.reference_id
    if plan.settle is not None and entry is plan.entry:
        data["amount"] = format_amount(plan.amount, scale)
        data["settle"] = {
            "held_amount": format_amount(plan.settle.held_amount, scale),
            "delta": format_amount(plan.settle.delta, scale),
        }
    if entry.action_type is EntryType.EXPIRATION:
        data["lots"] = _lots(entry, plan, scale)
    return data


def _lots(entry: Entry, plan: Plan, scale: int) -> list[dict[str, str]]:
    found: Iterable[Any] = (one.lots for one in plan.due if one.entry.id == entry.id)
    return [
        {"id": str(part.lot_id), "amount": format_amount(part.amount, scale)}
        for lots in found for part in lots
    ]
