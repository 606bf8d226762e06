"""Rings for automations whose time has come."""

from app import db
from app.flows.lanes import Lane, ring
from app.store import automations
from scheduler.duty import Duty


def run_once() -> bool:
    """Ring where something is due; returns whether it rang."""
    with db.connection() as c:
        due = automations.any_due(c, db.read_clock(c))
    if due:
        ring(Lane.AUTOMATIONS)
    return due


DUTY = Duty("fire_automations", 1.0, run_once)
