"""Deletes request logs that are older than the retention."""

from app.flows.trim_logs import trim_some
from scheduler.duty import Duty, in_batches

BATCHES_MAX = 20  # In one run; the next one goes on.
DUTY = Duty("trim_logs", 300.0, in_batches(trim_some, BATCHES_MAX))
