"""Rings for participants whose turn under an automation has come."""

from app import db
from app.flows.lanes import Lane, ring
from app.store import subscriptions
from scheduler.duty import Duty


def run_once() -> bool:
    """Ring where something is due; returns whether it rang."""
    with db.connection() as c:
        due = subscriptions.any_due(c, db.read_clock(c))
    if due:
        ring(Lane.SUBSCRIPTIONS)
    return due


DUTY = Duty("fire_subscriptions", 1.0, run_once)
