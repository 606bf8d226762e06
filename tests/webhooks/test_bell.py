"""The bell: one message after many writes, and the scheduler's ring for whatever was not heard."""

from typing import Any

from app.domain.webhooks import LEASE
from app.flows.deliver_webhooks import Pump, work_waits
from app.flows.webhook_bell import KEY
from app.queue import QUEUE, client
from scheduler import deliver_webhooks as duty
from tests.api.client import Caller
from tests.waiting import wait_until
from tests.webhooks.receiver import receiver, status
from tests.webhooks.stage import endpoint, later, tell, work
from workers.deliver_webhooks import deliver_webhooks
from workers.deliver_webhooks import pump as process_pump

MESSAGES = f"florin:dramatiq:{QUEUE}"


def rung(redis_client: Any) -> int:
    """Return how many messages wait for a worker."""
    return int(redis_client.llen(MESSAGES))


def test_many_writes_ring_once_until_somebody_hears(api: Caller, redis_client: Any) -> None:
    client.cache_clear()
    for _ in range(20):
        tell(api)
    wait_until(lambda: rung(redis_client) == 1, "the bell is rung")
    # A bell that nobody heard for two seconds is rung anew; here it hangs as long as the test needs.
    assert redis_client.persist(KEY)
    assert duty.run_once()
    assert rung(redis_client) == 1


def test_the_scheduler_rings_for_retries_and_not_for_nothing(
    api: Caller, pump: Pump, redis_client: Any
) -> None:
    assert not duty.run_once()
    with receiver(status(500)) as there:
        endpoint(api, there.url)
        tell(api)
        work(pump)
        assert not work_waits()
        later(seconds=7)
        assert duty.run_once()
        work(pump)
        assert not duty.run_once()
        later(seconds=LEASE.total_seconds())
        assert not duty.run_once()


def test_the_actor_takes_the_bell_down_and_has_it_sent(api: Caller, redis_client: Any) -> None:
    with receiver() as there:
        endpoint(api, there.url)
        tell(api)
        deliver_webhooks()
        wait_until(lambda: len(there.received) == 1, "the message arrives")
        wait_until(lambda: not duty.run_once(), "nothing is due")
        process_pump().stop()
        process_pump.cache_clear()
