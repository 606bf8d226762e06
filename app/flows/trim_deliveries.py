"""Deleting deliveries and messages that are older than 30 days, in small transactions."""

from app.db import read_clock, transaction
from app.domain.ids import lowest_id
from app.domain.webhooks import RETENTION
from app.store import outbox, webhook_deliveries

BATCH_MAX = 2_000  # Of all organizations together: holds its locks for some tens of milliseconds.


def trim_some() -> int:
    """Delete one batch; returns how many rows. A message stays while a delivery refers to it."""
    with transaction() as c:
        bound = lowest_id(read_clock(c) - RETENTION)
        return webhook_deliveries.trim(c, bound, BATCH_MAX) + outbox.trim(c, bound, BATCH_MAX)
