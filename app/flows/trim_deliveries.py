"""Deleting deliveries and messages that are older than 30 days, in small transactions."""

from app.db import read_clock, transaction
from app.domain.ids import lowest_id
from app.domain.webhooks import RETENTION
from app.store import outbox, webhook_deliveries

BATCH_MAX = 2_000  # Of all organizations together: holds its locks for some tens of milliseconds.


class Trim:
    """Goes through old messages batch by batch, and from the beginning again after the last one.

    A message stays while a delivery refers to it, and one that was replayed has young deliveries: a batch
    begins where the one before has ended, or it would walk past all those again. A new process begins anew.
    """

    def __init__(self) -> None:
        """Start at the beginning."""
        self._after = outbox.START

    def batch(self) -> int:
        """Delete one batch; returns how many rows, or 1 where all it looked at stay and more come behind."""
        with transaction() as c:
            bound = lowest_id(read_clock(c) - RETENTION)
            deleted = webhook_deliveries.trim(c, bound, BATCH_MAX)
            messages, place = outbox.trim(c, bound, self._after, BATCH_MAX)
        self._after = place or outbox.START
        return deleted + messages or int(place is not None)


trim_some = Trim().batch
