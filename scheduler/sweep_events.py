"""Rings partitions in which events wait although nobody comes: lost bells, dead workers, retries due.

Where some wait, it also ends the sessions of processes that hang with a partition or with locks in hand.
"""

from datetime import timedelta

import structlog

from app import db
from app.queue import client, ring_now
from app.store import inbox, leases
from scheduler.duty import Duty

RESCUES_KEY = "florin:sweeper_rescues"  # Read by the metrics; a count that may be lost with Redis.
log = structlog.get_logger("sweeper")
WAITED = timedelta(seconds=1)  # Younger events have a bell under way.


def run_once() -> int:
    """Ring every partition whose oldest event has waited for longer than a bell takes; returns how many."""
    with db.connection() as c:
        waiting = inbox.waiting_partitions(c, db.read_clock(c) - WAITED)
        if waiting and (hung := leases.free_from_hung(c)):
            log.warning("hung_sessions_ended", count=hung)
    ring_now(waiting, full=True)
    if waiting:
        client().incrby(RESCUES_KEY, len(waiting))
    return len(waiting)


DUTY = Duty("sweep_events", 1.0, run_once)
