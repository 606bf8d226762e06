"""After a lifecycle has changed, everybody in the tier gets a new review time, in bounded steps."""

from datetime import datetime
from uuid import UUID

from app.db import Connection, read_clock
from app.domain.tiers import DowngradeMode, RetentionMode, tier_from_json
from app.engine.tiers import has_periods, next_period_end
from app.flows.lanes import NOTHING, Turn
from app.store import due_work, tier_states, tiers

KIND = "tier_lifecycle"
BATCH_OWNERS_MAX = 2_000
_NOBODY = UUID(int=0)


def order(c: Connection, organization_id: UUID, tier_id: UUID, now: datetime) -> None:
    """Have it done by a worker."""
    due_work.put(c, KIND, organization_id, tier_id, now, {"stage": "standing", "after": str(_NOBODY)})


def rearm_some(c: Connection) -> Turn:
    """Take one step of the oldest change: first those who stand in the tier, then those who will count."""
    now = read_clock(c)
    work = due_work.first(c, KIND, now)
    if work is None:
        return NOTHING
    organization_id, tier_id = work["organization_id"], work["subject_id"]
    row = tiers.by_id(c, organization_id, [tier_id])[0]
    lifecycle = tier_from_json(row).lifecycle
    period_end = next_period_end(lifecycle, now)
    stage, after = work["details"]["stage"], UUID(work["details"]["after"])
    if stage == "standing":
        lapses = lifecycle.mode is RetentionMode.ACTIVITY_REFRESH
        lasts = lapses and lifecycle.downgrade is not DowngradeMode.HOLD
        last = tier_states.rearm(
            c, organization_id, tier_id, period_end=period_end, span=lifecycle.duration if lasts else None,
            after=after, limit=BATCH_OWNERS_MAX,
        )
    elif has_periods(lifecycle) and lifecycle.qualifying and period_end is not None:
        last = tier_states.begin(
            c, organization_id, row["program_id"], tier_id, counters=list(lifecycle.qualifying),
            period_end=period_end, after=after, limit=BATCH_OWNERS_MAX,
        )
    else:
        last = None
    if last is not None:
        due_work.put(c, KIND, organization_id, tier_id, now, {"stage": stage, "after": str(last)})
    elif stage == "standing":
        due_work.put(c, KIND, organization_id, tier_id, now, {"stage": "counting", "after": str(_NOBODY)})
    else:
        due_work.done(c, KIND, organization_id, tier_id)
    return Turn(more=True)
