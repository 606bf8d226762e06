"""The bell of webhooks: says "look" to a worker soon after messages were written. Nothing depends on it.

Messages are written before their transaction commits, and often by hundreds a second; so a thread waits for a
moment and rings once for all of them. A bell that came too early or got lost is made good by the scheduler.
"""

import contextlib
import threading
import time

import redis
from dramatiq.errors import BrokerError

from app.queue import client, send
from app.store import outbox

KEY = "florin:bell:webhooks"
BELL_MILLISECONDS = 2_000  # A bell that was lost with its message rings again after this.
PAUSE_SECONDS = 0.02  # Commits follow within this, as a rule.


def ring_now() -> None:
    """Send one message unless one is under way. Raises redis.RedisError."""
    if client().set(KEY, 1, nx=True, px=BELL_MILLISECONDS):
        send("deliver_webhooks")


def heard() -> None:
    """Take the bell down before the first look: whoever commits from now on rings anew."""
    with contextlib.suppress(redis.RedisError, OSError):
        client().delete(KEY)


class Bell:
    """A thread that rings for what was written."""

    def __init__(self) -> None:
        """Start silent; the thread begins with the first ring, so never before a fork."""
        self._wanted = threading.Event()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def ring(self) -> None:
        """Have it rung soon; returns at once and never fails."""
        self._wanted.set()
        if self._thread is None or not self._thread.is_alive():
            with self._lock:
                if self._thread is None or not self._thread.is_alive():
                    self._thread = threading.Thread(target=self._run, name="webhook-bell", daemon=True)
                    self._thread.start()

    def _run(self) -> None:
        while True:
            self._wanted.wait()
            time.sleep(PAUSE_SECONDS)  # One ring carries all that is asked for meanwhile.
            self._wanted.clear()
            with contextlib.suppress(redis.RedisError, BrokerError, OSError):
                ring_now()


bell = Bell()
# The store cannot reach up to the queue; so the bell listens to it in every process that knows webhooks.
outbox.listeners.append(bell.ring)
