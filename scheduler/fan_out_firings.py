"""Rings for events to be made: scheduled ones, and fan-outs under way."""

from app import db
from app.flows.lanes import Lane, ring
from app.store import firings
from scheduler.duty import Duty


def run_once() -> bool:
    """Ring where something is due; returns whether it rang."""
    with db.connection() as c:
        due = firings.any_due(c, db.read_clock(c))
    if due:
        ring(Lane.FIRINGS)
    return due


DUTY = Duty("fan_out_firings", 0.25, run_once)
