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
EVENTS = 6_000


def events_a_second(site: Site) -> float:
    """Send events from three senders; from the first request until everything is decided."""
    with site.backlog(600):
        pass
    site.is_exact()
    began = time.monotonic()
    with site.backlog(EVENTS):
        pass
    site.is_exact()
    return EVENTS / (time.monotonic() - began)


def test_throughput_of_several_hosts_against_one(lab: Lab) -> None:
    with site_on(FOLDER / "one", lab, dict.fromkeys(PARTS, ONE)) as site:
        one = events_a_second(site)
    with site_on(FOLDER / "ten", lab, {part: part for part in PARTS}) as site:
        ten = events_a_second(site)
        site.replicate()
        waiting = events_a_second(site)
    print(f"one host {one:.0f} events/s; ten hosts {ten:.0f} ({ten / one:.2f}); "
          f"ten hosts and a replica that is waited for {waiting:.0f} ({waiting / one:.2f})")
