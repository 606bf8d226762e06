"""The webhook `participant.tier_changed` of changes that no event made (decision F5)."""

from datetime import datetime
from typing import Any
from uuid import UUID

from app.domain.ids import TimeOrdered
from app.domain.names import OwnerType, WebhookType
from app.domain.tiers import TierReason
from app.engine.state import Owner
from app.store.outbox import Message


def tier_changed(
    owner: Owner, program_id: UUID, tier: str, levels: tuple[str | None, str | None], reason: TierReason,
    ids: TimeOrdered, at: datetime, sequence: int,
) -> Message:
    """Return the message that an owner went from one level to another; None is the base."""
    person = owner.id if owner.kind is OwnerType.PARTICIPANT else None
    data: dict[str, Any] = {
        "participant_id" if person else "group_id": str(owner.id), "program_id": str(program_id),
        "tier": tier, "from": levels[0], "to": levels[1], "reason": str(reason),
    }
    if person:
        data["sequence"] = sequence
    return Message(
        owner.organization_id, ids.next(), WebhookType.PARTICIPANT_TIER_CHANGED, at, person, data
    )
