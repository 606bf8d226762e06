"""What follows when a counter changes outside of an event: tiers begin to count, thresholds are crossed."""

from datetime import datetime
from uuid import UUID

from app.db import Connection
from app.domain.names import OwnerType
from app.domain.tiers import tier_from_json
from app.engine.lifecycle import counts
from app.engine.state import Owner
from app.engine.tiers import has_periods, next_period_end
from app.flows import thresholds
from app.store import tier_states, tiers


def follow(c: Connection, organization_id: UUID, before: Owner, after: Owner, now: datetime) -> None:
    """Do what the change of a locked participant's counters asks for; nothing where none changed."""
    if after.kind is not OwnerType.PARTICIPANT or after.counters is before.counters:
        return
    thresholds.note(c, organization_id, [(before, after)], now)
    rows = tiers.by_id(c, organization_id, tiers.with_lifecycle(c, organization_id, after.id))
    checks, programs = {}, {}
    for row in rows:
        tier = tier_from_json(row)
        ends_at = next_period_end(tier.lifecycle, now)
        if has_periods(tier.lifecycle) and ends_at is not None and counts(tier.lifecycle, after.counters):
            checks[tier.id], programs[tier.id] = ends_at, row["program_id"]
    tier_states.track(c, organization_id, after.id, checks, programs)
