"""Consumers wait for a call: a message is taken at once, none is left behind, and calls do not pile up."""

import threading
from collections.abc import Iterator
from functools import partial
from typing import Any

import dramatiq
import pytest
from dramatiq.errors import ConnectionClosed

from app.broker import CALLS_MAX, Broker
from tests.harness import Servers

QUEUE = "calls"
FOREVER = 60_000  # Milliseconds: whoever waits so long fails the test's own patience.
PATIENCE = 20.0  # Seconds.


@pytest.fixture
def broker(servers: Servers, redis_client: Any) -> Iterator[Broker]:
    """A broker on the tests' Redis, which is empty."""
    made: Broker = partial(Broker, url=servers.plan.redis_url, middleware=[], namespace="calls")()
    made.declare_queue(QUEUE)
    yield made
    made.client.close()


def send(broker: Broker, number: int) -> None:
    """Enqueue a message that carries a number."""
    broker.enqueue(dramatiq.Message(QUEUE, "none", (), {"number": number}, {}))


def number_of(message: Any) -> int:
    """Return the number that a message carries."""
    found: int = message.kwargs["number"]
    return found


def waiting_consumer(broker: Broker, prefetch: int = 4, timeout: int = FOREVER) -> Any:
    """A consumer that has found the queue empty, so that its next look waits."""
    consumer = broker.consume(QUEUE, prefetch, timeout)
    assert next(consumer) is None
    return consumer


def test_a_message_ends_the_wait(broker: Broker) -> None:
    found: list[int] = []
    consumer = waiting_consumer(broker)
    thread = threading.Thread(target=lambda: found.append(number_of(next(consumer))), daemon=True)
    thread.start()
    while not broker.client.info("clients")["blocked_clients"]:
        pass
    send(broker, 7)
    thread.join(PATIENCE)
    assert found == [7]


def test_nobody_waits_while_messages_are_left_without_calls(broker: Broker) -> None:
    consumers = [waiting_consumer(broker, prefetch) for prefetch in (4, 1, 3)]
    sent = 5 * CALLS_MAX
    for number in range(sent):
        send(broker, number)
    assert broker.client.llen(broker.calls) == CALLS_MAX
    found: list[int] = []

    def work(consumer: Any) -> None:
        while len(found) < sent:
            message = next(consumer)
            if message is not None:
                found.append(number_of(message))
                consumer.ack(message)

    threads = [threading.Thread(target=work, args=(consumer,), daemon=True) for consumer in consumers]
    for thread in threads:
        thread.start()
    threads[0].join(PATIENCE)
    assert sorted(found) == list(range(sent))
    for thread in threads:  # Whoever waits still: nobody is left to call.
        send(broker, sent)
        thread.join(PATIENCE)


def test_a_call_that_was_lost_costs_one_wait(broker: Broker) -> None:
    consumer = waiting_consumer(broker, timeout=50)
    send(broker, 1)
    broker.client.delete(broker.calls)
    assert number_of(next(consumer)) == 1


def test_who_holds_all_it_may_hold_takes_no_calls(broker: Broker) -> None:
    consumer = waiting_consumer(broker, prefetch=1)
    send(broker, 1)
    held = next(consumer)
    send(broker, 2)
    assert next(consumer) is None
    assert broker.client.llen(broker.calls) == 1, "somebody with room hears it"
    consumer.ack(held)
    assert number_of(next(consumer)) == 2


def test_a_connection_that_is_lost_meanwhile_is_told_as_one(broker: Broker) -> None:
    consumer = waiting_consumer(broker)
    told: list[type[BaseException]] = []

    def wait() -> None:
        try:
            next(consumer)
        except ConnectionClosed as error:
            told.append(type(error))

    thread = threading.Thread(target=wait, daemon=True)
    thread.start()
    while not broker.client.info("clients")["blocked_clients"]:
        pass
    broker.client.client_kill_filter(_type="normal", skipme=True)
    thread.join(PATIENCE)
    assert told == [ConnectionClosed]


def test_no_queue_of_delayed_messages_is_asked(broker: Broker) -> None:
    assert broker.get_declared_queues() == {QUEUE}
    assert broker.get_declared_delay_queues() == set()
