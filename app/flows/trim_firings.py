"""Deleting firings that ended longer ago than their retention, in small transactions."""

from app.db import read_clock, transaction
from app.domain.automations import FIRING_RETENTION
from app.store import firings

BATCH_MAX = 5_000  # A deletion of this size takes some tens of milliseconds and locks nobody out.


def trim_some() -> int:
    """Delete one batch; returns how many. An automation's latest fan-out stays: it is its execution."""
    with transaction() as c:
        return firings.trim(c, read_clock(c) - FIRING_RETENTION, BATCH_MAX)
