"""Retention of request logs (decision B3): what is older than LOG_RETENTION_DAYS is deleted in batches."""

from datetime import timedelta

from app.db import read_clock, transaction
from app.domain.ids import lowest_id
from app.settings import settings
from app.store import request_logs

BATCH_MAX = 5_000  # A deletion of this size takes some tens of milliseconds and locks nobody out.


def trim_some() -> int:
    """Delete a batch of logs that are too old; returns how many there were."""
    with transaction() as c:
        before = read_clock(c) - timedelta(days=settings().log_retention_days)
        return request_logs.trim(c, lowest_id(before), BATCH_MAX)
