"""Rings partitions in which events wait although nobody comes: lost bells, dead workers, retries due."""

from datetime import timedelta

from app import db
from app.queue import client, ring_now
from app.store import inbox
from scheduler.duty import Duty

RESCUES_KEY = "florin:sweeper_rescues"  # Read by the metrics; a count that may be lost with Redis.
WAITED = timedelta(seconds=1)  # Younger events have a bell under way.


def run_once() -> int:
    """Ring every partition whose oldest event has waited for longer than a bell takes; returns how many."""
    with db.connection() as c:
        waiting = inbox.waiting_partitions(c, db.read_clock(c) - WAITED)
    ring_now(waiting, full=True)
    if waiting:
        client().incrby(RESCUES_KEY, len(waiting))
    return len(waiting)


DUTY = Duty("sweep_events", 1.0, run_once)
