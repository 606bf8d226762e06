"""HTTP counts and latencies: added up in the process, merged in Redis, shown at /metrics.

Several web processes answer requests and one of them answers the scrape; Redis is where they meet.
A flushed Redis sets the counters to zero, which Prometheus understands.
"""

import threading
from bisect import bisect_left
from collections import Counter
from typing import cast

from redis import Redis, RedisError

HASH = "florin:measures:http"
BUCKETS_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Measures:
    """Adds up requests by method, route and status class."""

    def __init__(self, redis: Redis) -> None:
        """Use `redis` for the merged counts."""
        self._redis = redis
        self._counts: Counter[str] = Counter()
        self._micros: Counter[str] = Counter()
        self._lock = threading.Lock()

    def count(self, method: str, pattern: str, status: int, seconds: float) -> None:
        """Add one request."""
        name = f"{method} {pattern}"
        bucket = bisect_left(BUCKETS_SECONDS, seconds)
        with self._lock:
            self._counts[f"{name}|{status}"] += 1
            self._counts[f"{name}|b{bucket}"] += 1
            self._micros[f"{name}|sum"] += int(seconds * 1_000_000)

    def flush(self) -> None:
        """Merge what was counted into Redis; kept for the next time when Redis is away."""
        with self._lock:
            counts, micros = self._counts, self._micros
            self._counts, self._micros = Counter(), Counter()
        if not counts:
            return
        try:
            pipe = self._redis.pipeline(transaction=False)
            for field, number in (counts + micros).items():
                pipe.hincrby(HASH, field, number)
            pipe.execute()
        except RedisError:
            with self._lock:
                self._counts.update(counts)
                self._micros.update(micros)

    def read(self) -> dict[str, int]:
        """Return the merged counts; empty when Redis is away."""
        try:
            return numbers_in(self._redis, HASH)
        except RedisError:
            return {}


def numbers_in(redis: Redis, name: str) -> dict[str, int]:
    """Return a hash whose values are whole numbers. Raises RedisError."""
    found = cast(dict[bytes, bytes], redis.hgetall(name))  # Our clients decode nothing.
    return {field.decode(): int(number) for field, number in found.items()}
