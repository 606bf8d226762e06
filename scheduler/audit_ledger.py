"""Rings a worker to audit the next slices of the ledger."""

from app.queue import send
from scheduler.duty import Duty


def run_once() -> None:
    """Ring; the worker knows whose turn it is."""
    send("audit_ledger")


DUTY = Duty("audit_ledger", 30.0, run_once)
