"""The rate limit: a token bucket in Redis for each organization, and for each address that fails to log in.

Small limits are exact: every request asks Redis. Large ones are leased in chunks, so that a request costs
no round trip; what a process leased and did not use within a second is forfeit.
When Redis is down requests pass (decision A3), and for a second nobody tries again.
"""

import threading
import time
from dataclasses import dataclass
from math import ceil

from redis import Redis, RedisError
from redis.backoff import NoBackoff
from redis.retry import Retry

from app.settings import settings
from app.store.identities import Identity

UNLIMITED = 1_000_000  # What the headers show where nothing is limited (decision A3).
LEASE_RATE_MIN = 1000
LEASE_SECONDS_MAX = 1.0
REDIS_TIMEOUT_SECONDS = 0.05
CIRCUIT_SECONDS = 1.0
FAILURES_PER_SECOND = 10  # Of one address: enough for a broken deployment, too few for guessing.
FAILURES_BURST = 100

_TAKE = """
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1000000
local rate, burst, want = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local stored = redis.call('HMGET', KEYS[1], 'tokens', 'at')
local tokens, at = tonumber(stored[1]) or burst, tonumber(stored[2]) or now
tokens = math.min(burst, tokens + math.max(0, now - at) * rate)
local given = math.min(want, math.floor(tokens))
tokens = tokens - given
redis.call('HSET', KEYS[1], 'tokens', string.format('%.6f', tokens), 'at', string.format('%.6f', now))
redis.call('PEXPIRE', KEYS[1], math.ceil(burst / rate * 1000) + 1000)
return {given, string.format('%.6f', tokens), string.format('%.6f', now)}
"""


@dataclass(frozen=True, slots=True)
class Limit:
    """Where a bucket stands after a request: may it pass, and what the three headers say."""

    allowed: bool
    limit: int
    remaining: int
    reset_at: int
    retry_after: int = 1


def unlimited() -> Limit:
    """Return what the headers show where nothing is limited."""
    return Limit(True, UNLIMITED, UNLIMITED, int(time.time()))


@dataclass(slots=True)
class _Lease:
    tokens: int
    until: float
    limit: int
    bucket: int
    reset_at: int


class RateLimiter:
    """Takes tokens out of the buckets; one a process."""

    def __init__(self, redis_url: str) -> None:
        """Connect lazily; nothing is asked of Redis before the first request."""
        self._redis = Redis.from_url(
            redis_url, socket_timeout=REDIS_TIMEOUT_SECONDS, socket_connect_timeout=REDIS_TIMEOUT_SECONDS,
            retry=Retry(NoBackoff(), 0), health_check_interval=0,
        )
        self._take = self._redis.register_script(_TAKE)
        self._leases: dict[str, _Lease] = {}
        self._locks: dict[str, threading.Lock] = {}
        self._closed_until = 0.0

    def take(self, identity: Identity) -> Limit:
        """Take one token of the organization's bucket."""
        rate = identity.rate_limit_per_second
        if rate == 0:
            return unlimited()
        burst = max(identity.rate_limit_burst, 1)
        name = f"florin:limit:organization:{identity.organization_id}"
        if rate < LEASE_RATE_MIN:
            return self._exact(name, rate, burst)
        return self._leased(name, rate, burst)

    def take_failure(self, address: str) -> Limit:
        """Take one token of the bucket of an address whose credentials were wrong."""
        return self._exact(f"florin:limit:address:{address}", FAILURES_PER_SECOND, FAILURES_BURST)

    def _exact(self, name: str, rate: int, burst: int) -> Limit:
        taken = self._ask(name, rate, burst, 1)
        if taken is None:
            return unlimited()
        given, tokens, now = taken
        reset_at = ceil(now + (burst - tokens) / rate)
        return Limit(given >= 1, burst, int(tokens), reset_at, max(1, ceil((1 - tokens) / rate)))

    def _leased(self, name: str, rate: int, burst: int) -> Limit:
        lock = self._locks.setdefault(name, threading.Lock())
        with lock:
            lease = self._leases.get(name)
            if lease is None or lease.tokens <= 0 or lease.until < time.monotonic() or lease.limit != burst:
                taken = self._ask(name, rate, burst, max(1, min(rate // 100, burst // 4)))
                if taken is None:
                    return unlimited()
                given, tokens, now = taken
                reset_at = ceil(now + (burst - tokens) / rate)
                lease = _Lease(given, time.monotonic() + LEASE_SECONDS_MAX, burst, int(tokens), reset_at)
                self._leases[name] = lease
            if lease.tokens <= 0:
                return Limit(False, burst, 0, lease.reset_at, 1)
            lease.tokens -= 1
            return Limit(True, burst, lease.bucket + lease.tokens, lease.reset_at)

    def _ask(self, name: str, rate: int, burst: int, want: int) -> tuple[int, float, float] | None:
        if time.monotonic() < self._closed_until:
            return None
        try:
            given, tokens, now = self._take(keys=[name], args=[rate, burst, want])
        except RedisError:
            self._closed_until = time.monotonic() + CIRCUIT_SECONDS
            return None
        return int(given), float(tokens), float(now)


def limiter() -> RateLimiter:
    """Return a limiter on the configured Redis."""
    return RateLimiter(settings().redis_url)
