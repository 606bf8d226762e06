"""Deletes firings that ended more than 30 days ago."""

from app.flows.trim_firings import trim_some
from scheduler.duty import Duty, in_batches

BATCHES_MAX = 20  # In one run; the next one goes on.
DUTY = Duty("trim_firings", 60.0, in_batches(trim_some, BATCHES_MAX))
