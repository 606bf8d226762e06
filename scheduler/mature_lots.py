"""Rings a worker when deferred lots have reached their day."""

from app.book.due import DueKind
from app.flows import post_due_lots
from app.queue import send
from scheduler.duty import Duty


def run_once() -> bool:
    """Ring where something is due; the worker posts it."""
    if found := post_due_lots.is_due(DueKind.MATURITY):
        send("post_due_lots", kind=str(DueKind.MATURITY))
    return found


DUTY = Duty("mature_lots", 1.0, run_once)
