"""What follows when a counter changes outside of an event: levels are reached, thresholds are crossed.

Of an event's counters the same is done by engine/qualify and flows/record, in the event's own program. A
call names no program: it concerns the tiers of all in which the participant, or a member of the group, is.
"""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from app.db import Connection
from app.domain.names import OwnerType
from app.domain.tiers import Tier, TierReason, tier_from_json
from app.engine.lifecycle import Standing, counts
from app.engine.state import Owner
from app.engine.tiers import first_check, has_periods, next_period_end
from app.flows import thresholds
from app.flows.change_level import change_level
from app.store import tier_states, tiers


def follow(
    c: Connection, organization_id: UUID, before: Owner, after: Owner, api_key_id: UUID, now: datetime
) -> None:
    """Do what the change of a locked owner's counters asks for; nothing where none changed."""
    if after.kind is OwnerType.PROGRAM or after.counters is before.counters:
        return
    thresholds.note(c, organization_id, [(before, after)], now)
    rows = tiers.concerning(c, organization_id, after.id)
    if not rows:
        return
    counters = {key: counter.effective(now) for key, counter in after.counters.items()}
    standings = tier_states.of_owners(c, organization_id, [after.id]).get(after.id, {})
    checks: dict[UUID, datetime] = {}
    programs: dict[UUID, UUID] = {}
    for row in rows:
        tier = tier_from_json(row)
        if row["rises"] and (risen := _risen(tier, counters, standings.get(tier.id), now)) is not None:
            change_level(c, after, tier, row["program_id"], risen, TierReason.QUALIFIED, api_key_id, now)
        elif (ends_at := _begins(tier, after, now)) is not None:
            checks[tier.id], programs[tier.id] = ends_at, row["program_id"]
    tier_states.track(c, organization_id, after.id, checks, programs)


def _risen(
    tier: Tier, counters: Mapping[str, Decimal], held: Standing | None, now: datetime
) -> Standing | None:
    """Return the standing on the highest level that the counters reach, None unless it is a higher one."""
    best, level = tier.highest(counters), tier.level(held.level) if held is not None else None
    if best is None or (level is not None and level.rank >= best.rank):
        return None
    return Standing(best.key, now, None, first_check(tier.lifecycle, now))


def _begins(tier: Tier, owner: Owner, now: datetime) -> datetime | None:
    """Return when the period ends in which an owner has begun to count; None without periods."""
    if not has_periods(tier.lifecycle) or not counts(tier.lifecycle, owner.counters):
        return None
    return next_period_end(tier.lifecycle, now)
