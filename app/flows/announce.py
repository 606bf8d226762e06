"""The SYSTEM events that announce what time did to lots (decision C14): the effect is posted already."""

from collections.abc import Iterable

from app.domain.events import SystemEvent
from app.domain.names import EntryType, OwnerType
from app.ledger.entries import Announcement

_NAMES = {EntryType.EXPIRATION: "lot_expiration", EntryType.MATURITY: "lot_maturity"}


def due_events(kind: OwnerType, announcements: Iterable[Announcement]) -> list[SystemEvent]:
    """Return one event for each entry that expired or matured lots of an owner, for rules to react to.

    Entries without a program, such as imported balances, concern no program's rules and are not announced.
    """
    events = []
    for one in announcements:
        if one.entry.program_id is None:
            continue
        name = _NAMES[one.entry.action_type]
        events.append(SystemEvent(
            one.account.organization_id, one.entry.program_id, f"{name}:{one.entry.id}", one.due_at,
            {"type": name, "asset_id": str(one.account.asset_id), "amount": one.amount,
             "lot_ids": [str(part.lot_id) for part in one.lots]},
            participant_id=one.account.owner_id if kind is OwnerType.PARTICIPANT else None,
            group_id=one.account.owner_id if kind is OwnerType.GROUP else None,
        ))
    return events
