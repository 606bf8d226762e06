"""The databases are lost, one after the other; what docs/how-to/fail-over.md says is done, and no more."""

import subprocess
import time

import pytest

from tests.hosts.site import Site
from tests.waiting import wait_until

pytestmark = pytest.mark.nightly


def test_the_host_of_the_replica_is_lost(site: Site) -> None:
    """Nothing is acknowledged that only one server has; the paper says how to go on without the other."""
    with site.backlog(300):
        pass
    site.is_exact()
    site.lose(site.replica)
    lost = site.events(5)
    assert site.ask("/v1/events/batch", {"events": lost}) is None
    site.follow("Go on without a replica")
    struck_at = time.monotonic()
    site.deliver(lost)
    seconds = site.new_events_are_decided(struck_at)
    site.is_exact()
    print(f"host of the replica lost: new events after the decision to go on {seconds:.2f} s")
    renew(site)


def renew(site: Site) -> None:
    """Make the lost server the replica of the other."""
    site.hosts[site.replica].join()
    site.follow("Empty the folder")
    site.replicate()


@pytest.mark.parametrize("turn", ["there", "and back"])
def test_the_host_of_the_primary_is_lost(site: Site, turn: str) -> None:
    """Under load, without a farewell; the replica takes over and no process is restarted."""
    assert site.in_step()
    old = site.primary
    running = {part: site.hosts[part].pids() for part in site.hosts if not part.startswith("db")}
    with site.backlog():
        site.lose(site.primary)
        assert site.ask("/v1/events/batch", {"events": site.events(5)}) is None
        acknowledged = len(site.accepted)
        promoted_at = time.monotonic()
        site.promote()
        seconds = site.new_events_are_decided(promoted_at)
    assert site.primary != old
    assert len(site.accepted) > acknowledged
    site.is_exact()
    assert {part: site.hosts[part].pids() for part in running} == running
    wait_until(site.is_ready, "every part is ready", 30)
    assert "The ledger holds." in site.follow("Check the ledger")
    print(f"primary lost, {turn}: new events after the promotion {seconds:.2f} s")
    renew(site)
    with site.backlog(300):
        pass
    site.is_exact()
    assert site.in_step()


def test_a_primary_that_comes_back_alone_acknowledges_nothing(site: Site) -> None:
    """It was cut off, not dead, and nobody kept it away: what it is told to write waits for ever."""
    old = site.primary
    with site.backlog():
        site.hosts[old].cut()
        site.promote()
        seconds = site.new_events_are_decided(time.monotonic())
    site.hosts[old].join()
    psql = str(site.servers[old].identity.binaries / "psql")
    with pytest.raises(subprocess.TimeoutExpired):
        subprocess.run([psql, site.owner(old), "-c", "CREATE TABLE alone ()"], timeout=5, check=False)
    with site.backlog():
        site.new_events_are_decided(time.monotonic())
    site.is_exact()
    print(f"primary cut off: new events after the promotion {seconds:.2f} s")
    site.hosts[old].end()
    renew(site)


def test_what_only_the_lost_host_had_is_missed(site: Site) -> None:
    """The other side: where commits do not wait for the replica, what was acknowledged goes with the host.

    So the checks above would see a loss, and waiting is what prevents it. It is the last test of the site.
    """
    site.follow("Go on without a replica")
    site.hosts[site.replica].cut()
    site.deliver(site.events(100))
    site.is_exact()
    site.lose(site.primary)
    site.hosts[site.replica].join()
    site.promote()
    site.new_events_are_decided(time.monotonic())
    missing = site.missing()
    assert len(missing) == 100, "all that was acknowledged while the replica was away, and nothing else"
    with pytest.raises(AssertionError):
        site.is_exact()
