"""The doorbell: Dramatiq on Redis carries ids and partition numbers, never data.

Everything here may be lost at any time: the rows in PostgreSQL are the work, and the sweeper rings again
for what stayed. So nothing here raises into a request, and no message is delayed or retried.
"""

import contextlib
import queue
import threading
import time
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

import dramatiq
import redis
from dramatiq.middleware import AgeLimit, Callbacks, CurrentMessage, ShutdownNotifications

from app.broker import Broker
from app.settings import settings

QUEUE = "florin"
NAMESPACE = "florin:dramatiq"  # Of all keys that Dramatiq itself writes.
BELL_MILLISECONDS = 2_000  # A bell that was lost with its message rings again after this.
HEARTBEAT_TIMEOUT_MILLISECONDS = 15_000  # Messages of a killed worker come back after this.
MAINTENANCE_CHANCE = 20_000  # Per million commands: one in fifty looks for dead workers.
SOCKET_TIMEOUT_SECONDS = 2.0
TOGETHER_MAX = 8  # Partitions that one message names.
PAUSE_SECONDS = 0.008

# Sets bells and tells which of them were silent. A batch of events rings most of them: a command for each
# costs the client eight times as much, which was a fifth of accepting a batch.
_RING = """
local rung = {}
for place, bell in ipairs(KEYS) do
    if redis.call('SET', bell, 1, 'NX', 'PX', ARGV[1]) then rung[#rung + 1] = place end
end
return rung
"""


@lru_cache(maxsize=1)
def client() -> redis.Redis:
    """Return the process's connection pool to Redis, with short time-outs."""
    return redis.Redis.from_url(
        settings().redis_url,
        socket_timeout=SOCKET_TIMEOUT_SECONDS,
        socket_connect_timeout=1.0,
        health_check_interval=15,
    )


@lru_cache(maxsize=1)
def broker() -> Broker:
    """Return the broker, made once and set as Dramatiq's own. Messages are JSON: nothing is unpickled."""
    made = Broker(  # type: ignore[no-untyped-call]  # Dramatiq has not given it types.
        url=settings().redis_url,
        middleware=[AgeLimit(), ShutdownNotifications(), Callbacks(), CurrentMessage()],
        heartbeat_timeout=HEARTBEAT_TIMEOUT_MILLISECONDS,
        maintenance_chance=MAINTENANCE_CHANCE,
        namespace=NAMESPACE,
    )
    dramatiq.set_broker(made)
    return made


def send(actor: str, **arguments: Any) -> None:
    """Send one message to an actor by name, without importing it."""
    made = broker()
    made.enqueue(
        dramatiq.Message(queue_name=QUEUE, actor_name=actor, args=(), kwargs=arguments, options={})
    )


def ring_now(partitions: Iterable[int], *, full: bool = False) -> None:
    """Ring partitions: at most one message is under way that names each. Raises redis.RedisError."""
    wanted = sorted(set(partitions))
    if not wanted:
        return
    bells = [bell_key(partition) for partition in wanted]
    rung = client().register_script(_RING)(keys=bells, args=[BELL_MILLISECONDS])
    for some in together(wanted[place - 1] for place in rung):
        send("drain", partitions=some, full=full)


def together(partitions: Iterable[int]) -> list[list[int]]:
    """Return partitions as messages name them, shared out evenly."""
    wanted = sorted(set(partitions))
    messages = -(-len(wanted) // TOGETHER_MAX)
    return [wanted[place::messages] for place in range(messages)]


def bell_key(partition: int) -> str:
    """Return the key that is set while a message for the partition is under way."""
    return f"florin:bell:{partition}"


class Ringer:
    """A thread that rings for what requests committed, so that no request waits for Redis."""

    def __init__(self) -> None:
        """Start idle; the thread begins with the first ring, so never before a fork."""
        self._wanted: queue.SimpleQueue[int] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def ring(self, partitions: Iterable[int]) -> None:
        """Hand over partitions to ring; returns at once and never fails."""
        for partition in partitions:
            self._wanted.put(partition)
        if self._thread is None or not self._thread.is_alive():
            with self._lock:
                if self._thread is None or not self._thread.is_alive():
                    self._thread = threading.Thread(target=self._run, name="ringer", daemon=True)
                    self._thread.start()

    def _run(self) -> None:
        while True:
            wanted = {self._wanted.get()}
            while not self._wanted.empty():
                wanted.add(self._wanted.get())
            rung_at = time.monotonic()
            # The sweeper finds what could not be rung for.
            with contextlib.suppress(redis.RedisError, dramatiq.BrokerError, OSError):
                ring_now(wanted)
            pause = max(0.0, rung_at + PAUSE_SECONDS - time.monotonic())
            time.sleep(pause)  # The first ring goes out at once; the next one carries what came meanwhile.


ringer = Ringer()
