"""The fault matrix: Redis lost, emptied, full, hung."""

import os
import signal
import time

import pytest
import redis

from tests.faults.house import House


def test_redis_is_emptied(house: House) -> None:
    with house.backlog():
        house.client().flushall()
        seconds = house.new_events_are_decided(time.monotonic())
    print(f"Redis emptied: new events after {seconds:.2f} s")
    house.is_exact()


@pytest.mark.nightly
def test_redis_is_killed(house: House) -> None:
    with house.backlog():
        top = house.tops("valkey")[0]
        os.kill(top, signal.SIGKILL)
        seconds = house.new_events_are_decided(time.monotonic())
    print(f"Redis killed: new events after {seconds:.2f} s")
    house.is_exact()
    house.replaced("valkey", top)


@pytest.mark.nightly
def test_redis_is_full(house: House) -> None:
    """With `noeviction` every ring is refused; what waits is found once there is room again."""
    client = house.client()
    with house.backlog():
        client.config_set("maxmemory", "1mb")
        try:
            with pytest.raises(redis.exceptions.OutOfMemoryError):
                client.set("florin:probe", "x")
            house.deliver(house.events(100))
        finally:
            client.config_set("maxmemory", "0")
        seconds = house.new_events_are_decided(time.monotonic())
    print(f"Redis full: accepted meanwhile, new events after there was room {seconds:.2f} s")
    house.is_exact()


@pytest.mark.nightly
def test_redis_hangs(house: House) -> None:
    """Requests do not wait for it; after five seconds it goes on."""
    top = house.tops("valkey")[0]
    with house.backlog():
        os.kill(top, signal.SIGSTOP)
        try:
            began = time.monotonic()
            house.deliver(house.events(50))
            accepted = time.monotonic() - began
        finally:
            os.kill(top, signal.SIGCONT)
        seconds = house.new_events_are_decided(time.monotonic())
    print(f"Redis hung: accepting took {accepted:.2f} s, new events after {seconds:.2f} s")
    house.is_exact()
