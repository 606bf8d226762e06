"""Automatic qualification: after the rules of an event, owners whose counters changed may rise in tiers."""

from decimal import Decimal
from uuid import UUID

from app.domain.names import OwnerType, StateOperation, StateType
from app.domain.tiers import Level, Tier, TierReason
from app.engine.lifecycle import counts
from app.engine.ruleset import Ruleset
from app.engine.state import Draft, StateChange, TierChange, TierState, with_state
from app.engine.tiers import first_check, has_periods


def qualify(draft: Draft, ruleset: Ruleset) -> None:
    """Raise owners to the highest level that their counters reach; never lower them.

    A tier that the event's rules set stays as they set it. Counters are read as the event left them. Where
    the tier counts in periods, the first counter that moves begins the owner's period, level or none.
    """
    if not ruleset.tiers:
        return
    assigned = {(change.owner_id, change.tier_key) for change in draft.tiers}
    for owner_id, owner in list(draft.owners.items()):
        if owner.kind is OwnerType.PROGRAM or owner.counters is draft.world.owner(owner_id).counters:
            continue
        counters = {key: counter.effective(draft.world.now) for key, counter in owner.counters.items()}
        for tier in ruleset.tiers.values():
            if not tier.archived and (owner_id, tier.key) not in assigned:
                _rise(draft, owner_id, tier, tier.highest(counters), counters)


def _rise(
    draft: Draft, owner_id: UUID, tier: Tier, level: Level | None, counters: dict[str, Decimal]
) -> None:
    owner, now = draft.owners[owner_id], draft.world.now
    before = owner.tiers.get(tier.key)
    if level is None or (before is not None and before.rank >= level.rank):
        if before is None and tier.id not in owner.tracked and _begins(tier, draft, owner_id):
            draft.owners[owner_id] = with_state(owner, tracked=owner.tracked | {tier.id})
            draft.tiers.append(TierChange(
                owner_id, tier.id, tier.key, None, None, TierReason.QUALIFIED,
                first_check(tier.lifecycle, now),
            ))
        return
    after = TierState(level.key, level.rank, level.benefits, now, None)
    draft.owners[owner_id] = with_state(
        owner, tiers={**owner.tiers, tier.key: after}, tracked=owner.tracked | {tier.id}
    )
    draft.tiers.append(TierChange(
        owner_id, tier.id, tier.key, before, after, TierReason.QUALIFIED, first_check(tier.lifecycle, now)
    ))
    draft.record(owner_id, StateChange(
        StateType.TIER, tier.key, StateOperation.SET, before.level if before else None, level.key, None,
        TierReason.QUALIFIED,
    ))


def _begins(tier: Tier, draft: Draft, owner_id: UUID) -> bool:
    """Say whether an owner at the base has begun to count in the tier's period."""
    return has_periods(tier.lifecycle) and counts(tier.lifecycle, draft.owners[owner_id].counters)
