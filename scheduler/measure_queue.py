"""Publishes how many events wait, for back-pressure and for the metrics."""

from app import db
from app.flows.backlog import DEPTH_KEY
from app.queue import client
from app.settings import settings
from app.store import inbox
from scheduler.duty import Duty

KEPT_SECONDS = 60  # An old figure must not refuse events after the scheduler has died.


def run_once() -> int:
    """Count the inbox, no further than the limit that matters, and publish the figure."""
    with db.connection() as c:
        depth = inbox.count(c, settings().queue_limit + 1)
    client().set(DEPTH_KEY, depth, ex=KEPT_SECONDS)
    return depth


DUTY = Duty("measure_queue", 5.0, run_once)
