"""What hosts cost: the same parts on one host, on ten, and on ten with a replica that every commit waits for.

All hosts of this lab share the processors of one machine. So the ratios show what the way over the network
and the wait for the replica cost, and nothing of what more machines would gain.
"""

import time

import pytest

from tests.hosts.conftest import FOLDER, ONE
from tests.hosts.lab import Lab
from tests.hosts.site import PARTS, Site, site_on

pytestmark = pytest.mark.nightly
EVENTS = 4_000
ROUNDS = 4  # Others may work on this machine: the least disturbed round counts.


def events_a_second(site: Site) -> float:
    """Send events from three senders, round by round; from the first request until everything is decided."""
    rounds = []
    for _ in range(ROUNDS):
        began = time.monotonic()
        with site.backlog(EVENTS):
            pass
        site.is_exact()
        rounds.append(EVENTS / (time.monotonic() - began))
    return max(rounds)


def test_throughput_of_several_hosts_against_one(lab: Lab) -> None:
    with site_on(FOLDER / "one", lab, dict.fromkeys(PARTS, ONE)) as site:
        one = events_a_second(site)
    with site_on(FOLDER / "ten", lab, {part: part for part in PARTS}) as site:
        ten = events_a_second(site)
        site.replicate()
        waiting = events_a_second(site)
    print(f"one host {one:.0f} events/s; ten hosts {ten:.0f} ({ten / one:.2f}); "
          f"ten hosts and a replica that is waited for {waiting:.0f} ({waiting / one:.2f})")
