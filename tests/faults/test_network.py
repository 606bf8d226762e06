"""The fault matrix: networks that are slow, silent, cut; all between the product and its servers."""

import time

import pytest

from tests.faults.conftest import Network

SLOW_SECONDS = 0.02  # Each way, for every packet: two data centres apart.


def test_connections_to_postgres_are_half_open(network: Network) -> None:
    """The other side went without a word: bytes go out and nothing comes back, on every open connection."""
    house = network.house
    with house.backlog():
        network.postgres.swallow()
        lost = house.events(5)
        try:
            assert house.ask("/v1/events/batch", {"events": lost}) is None
        finally:
            network.postgres.reset()
            network.postgres.flow()
        seconds = house.new_events_are_decided(time.monotonic())
    house.deliver(lost)
    print(f"half-open: new events after {seconds:.2f} s")
    house.is_exact()


@pytest.mark.nightly
@pytest.mark.parametrize("server", ["postgres", "redis"])
def test_the_network_is_cut(network: Network, server: str) -> None:
    proxy = network.postgres if server == "postgres" else network.redis
    house = network.house
    with house.backlog():
        proxy.cut()
        lost = house.events(5)
        answered = house.ask("/v1/events/batch", {"events": lost}) is not None
        proxy.flow()
        seconds = house.new_events_are_decided(time.monotonic())
    house.deliver(lost)
    assert answered is (server == "redis")  # Accepting needs PostgreSQL, and does not need Redis.
    print(f"{server} cut: new events after {seconds:.2f} s")
    house.is_exact()


@pytest.mark.nightly
@pytest.mark.parametrize("server", ["postgres", "redis"])
def test_the_network_is_slow(network: Network, server: str) -> None:
    proxy = network.postgres if server == "postgres" else network.redis
    house = network.house
    proxy.delay_seconds = SLOW_SECONDS
    try:
        with house.backlog(300):
            seconds = house.new_events_are_decided(time.monotonic())
        print(f"{server} slow: new events after {seconds:.2f} s")
        house.is_exact()
    finally:
        proxy.flow()


@pytest.mark.nightly
def test_redis_is_half_open(network: Network) -> None:
    """Bells vanish while connections look alive; the time-out of the client ends each of them."""
    house = network.house
    with house.backlog():
        network.redis.swallow()
        began = time.monotonic()
        try:
            house.deliver(house.events(50))
            accepted = time.monotonic() - began
        finally:
            network.redis.reset()
            network.redis.flow()
        seconds = house.new_events_are_decided(time.monotonic())
    print(f"Redis half-open: accepting took {accepted:.2f} s, new events after {seconds:.2f} s")
    house.is_exact()
