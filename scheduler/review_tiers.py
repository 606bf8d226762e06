"""Rings for owners whose tier level is due for review: a period end, the end of grace, a lapse, an expiry."""

from app import db
from app.flows.lanes import Lane, ring
from app.store import tier_states
from scheduler.duty import Duty


def run_once() -> bool:
    """Ring where somebody is due; returns whether it rang."""
    with db.connection() as c:
        due = bool(tier_states.due(c, db.read_clock(c), 1))
    if due:
        ring(Lane.TIER_REVIEWS)
    return due


DUTY = Duty("review_tiers", 1.0, run_once)
