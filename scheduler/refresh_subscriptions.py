"""Rings for automations whose subscriptions are to be looked over."""

from app import db
from app.flows.lanes import Lane, ring
from app.store import automations
from scheduler.duty import Duty


def run_once() -> bool:
    """Ring where something is due; returns whether it rang."""
    with db.connection() as c:
        due = automations.any_refresh_due(c, db.read_clock(c))
    if due:
        ring(Lane.REFRESHES)
    return due


DUTY = Duty("refresh_subscriptions", 1.0, run_once)
