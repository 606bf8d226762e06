"""Deletes webhook deliveries and messages that are older than 30 days."""

from app.flows.trim_deliveries import trim_some
from scheduler.duty import Duty

BATCHES_MAX = 20  # In one run; the next one goes on.


def run_once() -> int:
    """Delete what is too old, some batches of it; returns how many rows."""
    total = 0
    for _ in range(BATCHES_MAX):
        deleted = trim_some()
        total += deleted
        if not deleted:
            break
    return total


DUTY = Duty("trim_deliveries", 60.0, run_once)
