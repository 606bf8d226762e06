"""How rule evaluations ended, counted in the process that decides and told to Redis by its heartbeat.

Deciding pays one addition; nothing of the main path waits for Redis. What a killed worker had counted since
its last beat is lost: these are figures for watching, the evaluations themselves stand with their events.
"""

import threading
from collections import Counter
from collections.abc import Iterable
from typing import Any

from app.engine.decide import Decision
from app.observe import count

_lock = threading.Lock()
_counts: Counter[str] = Counter()


def note(decisions: Iterable[Decision]) -> None:
    """Count the recorded evaluations of decisions that have been committed."""
    found = Counter([each.status for one in decisions for each in one.evaluations])
    with _lock:
        _counts.update({f"rule_evaluations__by_{status}": times for status, times in found.items()})


def flush(redis: Any) -> None:
    """Tell what was counted since the last time."""
    with _lock:
        told = dict(_counts)
        _counts.clear()
    if told:
        count(redis, **told)
