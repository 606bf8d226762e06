"""Writing a change of level that no event made: the standing, its history, and who is told."""

from datetime import datetime
from uuid import UUID

from app.db import Connection
from app.domain.ids import TimeOrdered
from app.domain.names import StateOperation, StateType, WebhookType
from app.domain.tiers import Tier, TierReason
from app.engine.lifecycle import Standing
from app.engine.state import Owner, StateChange
from app.flows.tier_messages import tier_changed
from app.store import outbox, owner_states, snapshot, tier_states


def change_level(
    c: Connection, owner: Owner, tier: Tier, program_id: UUID, standing: Standing, reason: TierReason,
    api_key_id: UUID, now: datetime,
) -> None:
    """Give a locked owner its new standing in a tier; tells of it where the level is another."""
    organization_id = owner.organization_id
    standings = tier_states.of_owners(c, organization_id, [owner.id]).get(owner.id, {})
    old = standings[tier.id].level if tier.id in standings else None
    tier_states.write(c, organization_id, {(owner.id, tier.id): standing}, {tier.id: program_id})
    if old == standing.level:
        return
    ids = TimeOrdered(now)
    operation = StateOperation.SET if standing.level else StateOperation.DELETE
    change = StateChange(StateType.TIER, tier.key, operation, old, standing.level, None, reason)
    owner_states.insert_history(c, [owner_states.history_row(
        organization_id, owner.id, ids.next(), now, [change], program_id=program_id, api_key_id=api_key_id,
    )])
    if outbox.wants(c, organization_id, WebhookType.PARTICIPANT_TIER_CHANGED):
        _, marks = snapshot.read_owners(
            snapshot.start_owners(c, organization_id, [owner.id]), organization_id
        )
        outbox.insert(c, [tier_changed(
            owner, program_id, tier.key, (old, standing.level), reason, ids, now,
            marks[owner.id].webhook_sequence + 1,
        )])
        owner_states.update(c, [
            owner_states.update_row(owner, owner, posted_at=None, active_at=None, messages=1)
        ])
