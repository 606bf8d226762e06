"""One of ten hosts is lost: what the others accept is decided, once, and nothing acknowledged is missing."""

import time

import pytest

from tests.faults.traffic import NEW_SECONDS_MAX
from tests.hosts.site import PARTS, PROCESSES, Site
from tests.waiting import wait_until

pytestmark = pytest.mark.nightly
WORKERS = ("worker-a", "worker-b", "worker-c")
SESSIONS_SECONDS_MAX = 40.0  # Ten seconds of silence, three questions; or the time-out of an answer.


def test_every_part_works_from_a_host_of_its_own(site: Site) -> None:
    assert len({host.address for host in site.hosts.values()}) == len(PARTS)
    with site.backlog():
        seconds = site.new_events_are_decided(time.monotonic())
    site.is_exact()
    # Each process speaks from its own address: nothing reaches a server over loopback.
    spoken = {part for part in PROCESSES if site.sessions(part)}
    assert spoken == set(PROCESSES)
    assert site.sessions(site.replica) == 1
    print(f"ten hosts: new events after {seconds:.2f} s")


@pytest.mark.parametrize("part", PROCESSES)
def test_the_host_of_a_process_is_lost(site: Site, part: str) -> None:
    with site.backlog():
        site.lose(part)
        seconds = site.new_events_are_decided(time.monotonic())
    site.is_exact()
    print(f"host of {part} lost: new events after {seconds:.2f} s")
    wait_until(lambda: site.sessions(part) == 0, "no session of the lost host is left", SESSIONS_SECONDS_MAX)
    site.back(part)
    wait_until(site.is_ready, "it is ready again", 30)


@pytest.mark.parametrize("part", ["worker-a", "api-a", "scheduler-a"])
def test_a_host_is_cut_off_and_comes_back(site: Site, part: str) -> None:
    """Its processes go on and know nothing; what they had in hand is taken from them, and they from it."""
    host = site.hosts[part]
    with site.backlog():
        host.cut()
        seconds = site.new_events_are_decided(time.monotonic())
    site.is_exact()
    host.join()
    again = site.new_events_are_decided(time.monotonic())
    site.is_exact()
    wait_until(site.is_ready, "it is ready again", 30)
    print(f"host of {part} cut off: new events after {seconds:.2f} s, with its link again {again:.2f} s")


def test_the_host_of_the_leading_scheduler_is_lost_with_all_bells(site: Site) -> None:
    """Without bells only the sweeper finds what waits, and the sweeper is a duty of the leader."""
    holder = site.rows("SELECT holder FROM leaders WHERE duty = 'scheduler'")[0]["holder"]
    pid = int(holder.split(":")[1])
    leading = next(part for part in PROCESSES if pid in site.hosts[part].pids())
    assert leading.startswith("scheduler")
    for part in WORKERS:
        site.hosts[part].end()
    site.deliver(site.events(100))
    with site.client() as client:
        client.flushall()
    site.lose(leading)
    struck_at = time.monotonic()
    for part in WORKERS:
        site.start(part)
    # Nothing is sent that would ring: whatever is decided now, the other scheduler has found.
    wait_until(lambda: not site.rows("SELECT 1 FROM inbox LIMIT 1"), "what waits is found", NEW_SECONDS_MAX)
    seconds = time.monotonic() - struck_at
    site.is_exact()
    taken = site.rows("SELECT holder FROM leaders WHERE duty = 'scheduler'")[0]["holder"]
    assert taken != holder
    print(f"leading scheduler lost with all bells: everything decided after {seconds:.2f} s")
    site.back(leading)


def test_the_host_of_redis_is_lost(site: Site) -> None:
    """Events are accepted meanwhile; when a Redis stands there again, empty, they are decided."""
    with site.backlog(300):
        site.lose("redis")
        began = time.monotonic()
        site.deliver(site.events(50))
        accepted = time.monotonic() - began
    site.back("redis")
    seconds = site.new_events_are_decided(time.monotonic())
    site.is_exact()
    wait_until(site.is_ready, "every part is ready again", 30)
    print(f"host of Redis lost: accepting took {accepted:.2f} s, new events after its return {seconds:.2f} s")
