"""Waiting for a condition: the only place where a test rests."""

import time
from collections.abc import Callable
from typing import TypeVar

POLL_SECONDS = 0.02
T = TypeVar("T")


def wait_until(condition: Callable[[], T], what: str, seconds: float = 10.0) -> T:
    """Return the first true answer of the condition; else fail and say `what` was waited for."""
    end = time.monotonic() + seconds
    while not (answer := condition()):
        assert time.monotonic() < end, f"{what}: not within {seconds:g} s"
        time.sleep(POLL_SECONDS)
    return answer
