"""Deletes webhook deliveries and messages that are older than 30 days."""

from app.flows.trim_deliveries import trim_some
from scheduler.duty import Duty, in_batches

BATCHES_MAX = 20  # In one run; the next one goes on.
DUTY = Duty("trim_deliveries", 60.0, in_batches(trim_some, BATCHES_MAX))
