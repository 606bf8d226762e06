"""Back-pressure: how much work waits, and when to take no more."""

import threading
import time

import redis

from app.domain.errors import TooManyRequests
from app.queue import client
from app.settings import settings

DEPTH_KEY = "florin:queue_depth"  # Kept by the scheduler; lost with Redis, then requests pass.
LOOK_SECONDS = 1.0  # How often a process looks; the queue cannot grow far in a second.
RETRY_AFTER_SECONDS = 30

_lock = threading.Lock()
_seen: list[float] = [0.0, 0.0]  # When this process looked last, and what it saw.


def refuse_when_full() -> None:
    """Raise TooManyRequests while more events wait than the setting QUEUE_LIMIT allows."""
    if waiting() >= settings().queue_limit:
        error = TooManyRequests("Too many events are waiting to be processed")
        error.retry_after = RETRY_AFTER_SECONDS
        raise error


def waiting() -> int:
    """Return the number of waiting events as last published; 0 while unknown."""
    if time.monotonic() - _seen[0] > LOOK_SECONDS and _lock.acquire(blocking=False):
        try:
            _seen[0] = time.monotonic()
            found = client().get(DEPTH_KEY)
            _seen[1] = float(found) if found else 0.0
        except (redis.RedisError, OSError, ValueError):
            _seen[1] = 0.0
        finally:
            _lock.release()
    return int(_seen[1])
