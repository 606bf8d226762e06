"""Rings for imports that wait or are under way."""

from app import db
from app.flows.lanes import Lane, ring
from app.store import imports
from scheduler.duty import Duty


def run_once() -> bool:
    """Ring where an import has lines left; returns whether it rang."""
    with db.connection() as c:
        due = imports.any_unfinished(c)
    if due:
        ring(Lane.IMPORTS)
    return due


DUTY = Duty("run_imports", 1.0, run_once)
