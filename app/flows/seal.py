"""Sealing the journal behind the postings: step by step, each step one transaction."""

from app.book import seal
from app.db import read_clock, transaction

STEPS_PER_RUN = 200


def run() -> bool:
    """Seal what has settled; returns whether more is left."""
    step = seal.STEP_FIRST
    for _ in range(STEPS_PER_RUN):
        with transaction() as c:
            done = seal.seal_step(c, read_clock(c), step)
        if not done.more:
            return False
        step = adapted(step, done.entries)
    return True


def adapted(step: int, entries: int) -> int:
    """Return how many transactions to look at next: more over gaps, fewer where they are full."""
    if entries >= seal.ENTRIES_MAX:
        return max(step // 2, 1)
    if entries < seal.ENTRIES_WANTED // 2:
        return min(step * 2, seal.STEP_MAX)
    return step
