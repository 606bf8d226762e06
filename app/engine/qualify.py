"""Automatic qualification: after the rules of an event, owners whose counters changed may rise in tiers."""

from dataclasses import replace

from app.domain.names import StateOperation, StateType
from app.engine.ruleset import Ruleset
from app.engine.state import Draft, StateChange, TierChange, TierState


def qualify(draft: Draft, ruleset: Ruleset) -> None:
    """Raise owners to the highest level that their counters reach; never lower them.

    A tier that the event's rules set stays as they set it. Counters are read as the event left them.
    """
    if not ruleset.tiers:
        return
    assigned = {(change.owner_id, change.tier_key) for change in draft.tiers}
    for owner_id, owner in list(draft.owners.items()):
        if owner.counters is draft.world.owner(owner_id).counters:
            continue
        counters = {key: counter.effective(draft.world.now) for key, counter in owner.counters.items()}
        for tier in ruleset.tiers.values():
            level = None if tier.archived else tier.highest(counters)
            if level is None or (owner_id, tier.key) in assigned:
                continue
            current = draft.owners[owner_id]
            before = current.tiers.get(tier.key)
            if before is not None and before.rank >= level.rank:
                continue
            after = TierState(level.key, level.rank, level.benefits, draft.world.now, None)
            draft.owners[owner_id] = replace(current, tiers={**current.tiers, tier.key: after})
            draft.tiers.append(TierChange(owner_id, tier.id, tier.key, before, after, "QUALIFIED"))
            old = before.level if before else None
            draft.record(owner_id, StateChange(
                StateType.TIER, tier.key, StateOperation.SET, old, level.key, None
            ))
