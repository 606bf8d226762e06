"""Dramatiq's broker on Redis, whose workers wait for a message instead of asking for one again and again.

Dramatiq's own consumers ask, and sleep up to `dramatiq_worker_timeout` in between. At 20 ms that was half of
the time from a request to its event's decision, and each worker that had nothing to do took a twentieth of a
core. Here the time-out is only how long a call is waited for.
"""

import threading
from typing import Any

import redis
from dramatiq import Message
from dramatiq.brokers.redis import RedisBroker, _RedisConsumer
from dramatiq.errors import ConnectionClosed

CALLS_MAX = 16  # What nobody waited for is forgotten beyond these: each costs somebody a look for nothing.
FULL_SECONDS = 0.1  # A consumer that holds all it may hold waits no longer for one of its messages to end.


class Broker(RedisBroker):
    """A broker that calls a waiting worker with each message; it has no delayed messages.

    Dramatiq has given neither this class nor its consumers types.
    """

    @property
    def calls(self) -> str:
        """The key of the list of calls: one element for each message, taken by the worker that it wakes."""
        return f"{self.namespace}:__calls__"

    @property
    def consumer_class(self) -> type[_RedisConsumer]:
        """The class of consumers that wait."""
        return _Consumer

    def declare_queue(self, queue_name: str) -> None:
        """Declare the queue alone: for one of delayed messages each worker would have a thread that asks."""
        if queue_name not in self.queues:
            self.emit_before("declare_queue", queue_name)
            self.queues.add(queue_name)
            self.emit_after("declare_queue", queue_name)

    def enqueue(self, message: Message[Any], *, delay: int | None = None) -> Message[Any]:
        """Enqueue a message, then call for it. Raises redis.RedisError."""
        assert delay is None, "nobody asks for delayed messages"
        sent: Message[Any] = super().enqueue(message)
        with self.client.pipeline(transaction=False) as both:
            both.lpush(self.calls, 1)
            both.ltrim(self.calls, 0, CALLS_MAX - 1)
            both.execute()
        return sent


class _Consumer(_RedisConsumer):
    """Waits for a call before it looks for messages, once it has found fewer than it had room for.

    A call that is lost, with Redis or with the worker that took it, costs one wait. It leans on the inner
    class of Dramatiq, whose version is pinned: with a time-out of zero that one never sleeps.
    """

    def __init__(self, broker: Broker, queue_name: str, prefetch: int, timeout: int) -> None:
        super().__init__(broker, queue_name, prefetch, 0)  # type: ignore[no-untyped-call]  # See Broker.
        self._seconds = timeout / 1000
        self._more = True  # Whether the queue may hold messages that nobody calls for.
        self._ended = threading.Event()  # A message was, since somebody waited for that.

    def __next__(self) -> Any:
        if self.message_cache:
            return super().__next__()  # type: ignore[no-untyped-call]  # As above.
        room = self.prefetch - self.outstanding_message_count
        if room <= 0:
            self._ended.wait(FULL_SECONDS)
            self._ended.clear()
            return None
        if not self._more:
            self._await_call()
        message = super().__next__()  # type: ignore[no-untyped-call]  # As above.
        self._more = message is not None and len(self.message_cache) + 1 == room
        return message

    def ack(self, message: Any) -> None:
        """Tell Redis that a message was handled, and the consumer that there is room."""
        super().ack(message)  # type: ignore[no-untyped-call]  # As above.
        self._ended.set()

    def nack(self, message: Any) -> None:
        """The same of a message that could not be handled."""
        super().nack(message)  # type: ignore[no-untyped-call]  # As above.
        self._ended.set()

    def _await_call(self) -> None:
        try:
            self.broker.client.blpop([self.broker.calls], timeout=self._seconds)
        except redis.ConnectionError as error:
            raise ConnectionClosed(error) from None  # type: ignore[no-untyped-call]  # As above.
