"""Rings for people who asked to be forgotten and whose traces are not all gone."""

from app import db
from app.flows.erase import KIND
from app.flows.lanes import Lane, ring
from app.store import due_work
from scheduler.duty import Duty


def run_once() -> bool:
    """Ring where an erasure is due; returns whether it rang."""
    with db.connection() as c:
        due = due_work.any_due(c, KIND, db.read_clock(c))
    if due:
        ring(Lane.ERASURES)
    return due


DUTY = Duty("erase_participants", 2.0, run_once)
