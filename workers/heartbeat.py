"""Tells the health check that a worker process is alive, and /metrics what it has counted."""

import contextlib
import threading
from typing import Any

import dramatiq
import redis

from app.flows import rule_counts
from app.queue import client

KEY = "florin:heartbeat:worker"
EVERY_SECONDS = 2.0
KEPT_SECONDS = 10


class Heartbeat(dramatiq.Middleware):
    """Sets a key with an expiry from a thread of its own, for as long as the process runs."""

    def __init__(self) -> None:
        """Start silent; the beat begins when the process has booted, after its fork."""
        self._stop = threading.Event()

    def after_worker_boot(self, broker: dramatiq.Broker, worker: Any) -> None:
        """Begin to beat."""
        threading.Thread(target=self._beat, name="heartbeat", daemon=True).start()

    def before_worker_shutdown(self, broker: dramatiq.Broker, worker: Any) -> None:
        """Stop beating."""
        self._stop.set()

    def _beat(self) -> None:
        while True:
            # Where Redis is away, the health check says so itself.
            with contextlib.suppress(redis.RedisError, OSError):
                client().set(KEY, 1, ex=KEPT_SECONDS)
                rule_counts.flush(client())
            if self._stop.wait(EVERY_SECONDS):
                return
