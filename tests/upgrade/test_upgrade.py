"""An upgrade under load and back again, over HTTP: no request fails, nothing accepted is lost."""

import itertools
import threading
import time
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
import redis
import urllib3

from app.cli.datafolder import ROOT
from app.domain.json import dumps, loads
from tests.harness import Servers
from tests.upgrade.releases import Release, previous_commit, unpack
from tests.waiting import wait_until

KEY = "sk_upgrade_" + "7" * 32
MORE = 150  # Answers that are waited for in each phase.
LOCKED_SECONDS_MAX = 9.0  # The migrations' lock time-out is 5 s; nobody may wait longer behind them.
SENDERS = 4


class Load:
    """Senders of events and readers of balances; a balancer that knows which releases are up."""

    def __init__(self) -> None:
        self.ports: list[int] = []
        self.answers: list[tuple[str, float, int]] = []
        self.accepted: set[str] = set()
        self._numbers = itertools.count()
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []

    def prepare(self, port: int) -> None:
        """Make a program with one rule."""
        self.ports = [port]
        program = self._made("/v1/programs", {"name": "Upgrade"})
        asset = self._made("/v1/assets", {
            "program_id": program, "name": "Coins", "symbol": "COIN", "inventory_mode": "SIMPLE",
            "issuance_policy": "UNLIMITED", "scale": 2,
        })
        self._made("/v1/rules", {
            "program_id": program, "name": "All", "condition": 'event.type == "purchase"',
            "actions": [{"type": "CREDIT", "asset_id": asset, "amount": "event.amount"}],
        })
        self.program = program

    def _made(self, path: str, body: object) -> str:
        status, told = self._send(urllib3.PoolManager(), "POST", path, body)
        assert status == 201, told
        found: str = told["id"]
        return found

    def start(self) -> None:
        """Begin to send."""
        self._threads = [threading.Thread(target=self._work, daemon=True) for _ in range(SENDERS)]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Stop sending."""
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _work(self) -> None:
        # A connection a request: each goes to a release that is up at that moment, as behind a balancer.
        while not self._stop.is_set():
            number, pool = next(self._numbers), urllib3.PoolManager(retries=False, timeout=30.0)
            if number % 4 == 3:
                self._take(pool, "GET", "/v1/participants?limit=5", None, 200)
                continue
            key = f"upgrade-{number}"
            self._take(pool, "POST", "/v1/events", {
                "program_id": self.program, "external_id": f"person-{number % 50}", "idempotency_key": key,
                "event_timestamp": "2026-03-01T12:00:00Z", "event_data": {"type": "purchase", "amount": 1},
            }, 202)
            self.accepted.add(key)

    def _take(self, pool: urllib3.PoolManager, method: str, path: str, body: object, good: int) -> None:
        begun = time.monotonic()
        status, told = self._send(pool, method, path, body)
        failure = "" if status == good else f"{method} {path}: {status} {told}"
        self.answers.append((failure, time.monotonic() - begun, status))

    def _send(self, pool: urllib3.PoolManager, method: str, path: str, body: object) -> tuple[int, Any]:
        port = self.ports[next(self._numbers) % len(self.ports)]
        headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}
        try:
            answer = pool.request(
                method, f"http://127.0.0.1:{port}{path}", body=None if body is None else dumps(body),
                headers=headers,
            )
        except urllib3.exceptions.HTTPError as error:
            return 0, str(error)
        return answer.status, loads(answer.data)

    def more(self, count: int = MORE) -> None:
        """Wait until so many more requests were answered."""
        first = len(self.answers)
        wait_until(lambda: len(self.answers) >= first + count, f"{count} more answers", 60)


@pytest.fixture
def releases(servers: Servers, redis_client: "redis.Redis[bytes]") -> Iterator[tuple[Release, Release]]:
    """The previous release and this one, on an empty database of their own."""
    commit = previous_commit()
    if commit is None:
        pytest.skip("not run: the history of this checkout does not reach back to the previous release")
    name = servers.plan.name.removesuffix("_test") + "_upgrade_test"
    servers.create(name)
    values = {**servers.plan.environment(name), "BOOTSTRAP_API_KEY": KEY}
    folder = servers.plan.folder / "upgrade"
    old = Release(unpack(commit, folder / "previous"), values, folder)
    new = Release(ROOT, values, folder)
    yield old, new
    for release in (old, new):
        release.kill()
    servers.drop(name)


@pytest.mark.nightly
def test_an_upgrade_and_the_way_back_fail_no_request(releases: tuple[Release, Release]) -> None:
    old, new = releases
    url = old.values["MIGRATION_DATABASE_URL"]
    assert old.migrate().returncode == 0
    assert _stands(url) == "0006"
    load = Load()
    old.start()
    load.prepare(old.port)
    load.start()
    try:
        load.more()
        _refuses_to_queue(new, load, url)
        done = new.migrate()
        assert done.returncode == 0, done.stderr
        assert _stands(url) > "0006"
        load.more()
        new.start()
        load.ports = [old.port, new.port]
        load.more()
        _leave(load, old, new)
        assert new.ask("/health/ready") == 200
        load.more()
        # Back again: the previous code on the new schema.
        old.start()
        load.ports = [old.port, new.port]
        load.more()
        _leave(load, new, old)
        load.more()
    finally:
        load.stop()
    assert [failure for failure, _, _ in load.answers if failure] == []
    wait_until(lambda: _decided(url) == len(load.accepted), "everything accepted is decided", 60)
    with psycopg.connect(url) as c:
        total = c.execute("SELECT sum(available) FROM accounts WHERE owner_type = 'PARTICIPANT'").fetchone()
    assert total is not None
    assert total[0] == len(load.accepted)
    print(f"{len(load.answers)} requests, {len(load.accepted)} events, slowest {_slowest(load):.2f} s")


def _refuses_to_queue(new: Release, load: Load, url: str) -> None:
    """Behind a long transaction the migration gives up in time, and who waits behind it goes on."""
    stood = _stands(url)
    with psycopg.connect(url) as long:
        long.execute("SELECT count(*) FROM events")
        refused = new.migrate()
        assert refused.returncode != 0
        assert b"lock timeout" in refused.stderr, refused.stderr[-500:]
    assert _stands(url) == stood
    load.more()
    assert _slowest(load) < LOCKED_SECONDS_MAX


def _leave(load: Load, stopping: Release, staying: Release) -> None:
    """Take a release out of the balancer, let it finish what it has, and stop it."""
    load.ports = [staying.port]
    load.more(SENDERS * 2)
    stopping.stop()


def _slowest(load: Load) -> float:
    return max(seconds for _, seconds, _ in load.answers)


def _stands(url: str) -> str:
    with psycopg.connect(url) as c:
        row = c.execute("SELECT version_num FROM alembic_version").fetchone()
    assert row is not None
    return str(row[0])


def _decided(url: str) -> int:
    with psycopg.connect(url) as c:
        row = c.execute("SELECT count(*) FROM decisions WHERE status = 'COMPLETED'").fetchone()
    assert row is not None
    return int(row[0])
