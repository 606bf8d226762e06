"""Rings for tiers whose changed lifecycle has not reached all owners yet."""

from app import db
from app.flows.lanes import Lane, ring
from app.flows.rearm_tier import KIND
from app.store import due_work
from scheduler.duty import Duty


def run_once() -> bool:
    """Ring where a change is under way; returns whether it rang."""
    with db.connection() as c:
        due = due_work.any_due(c, KIND, db.read_clock(c))
    if due:
        ring(Lane.TIER_CHANGES)
    return due


DUTY = Duty("rearm_tiers", 1.0, run_once)
