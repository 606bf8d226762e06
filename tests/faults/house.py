"""A whole system under `dev.py run`, and what every cell of the fault matrix asks of it.

A cell sends events, strikes, and then wants three things: new events are decided within fifteen seconds of
the strike, everything that was accepted is decided exactly once, and balances equal what was acknowledged.
"""

import itertools
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import redis
import urllib3
from psycopg.rows import dict_row

from app.cli.chaos_faults import children, command, descendants
from app.cli.datafolder import ROOT
from app.cli.servers_ports import own_port
from app.domain.json import dumps, loads
from tests.waiting import wait_until

PEOPLE = 40
BACKLOG = 1_500
BATCH = 50
START_SECONDS = 90.0
NEW_SECONDS_MAX = 15.0  # Until events that were sent after a fault are decided.
ALL_SECONDS_MAX = 45.0  # Until everything that was accepted before is.
REQUEST_SECONDS = 4.0
NAMES = {"worker": ("dramatiq",), "web": ("gunicorn",), "scheduler": ("-m scheduler",),
         "postgres": ("postgres",), "valkey": ("valkey-server", "redis-server")}
OURS = (
    "DATABASE_URL", "MIGRATION_DATABASE_URL", "REDIS_URL", "SECRET_KEY", "FLORIN_ENV", "APP_DATABASE_ROLE",
)


class House:
    """One running system; cells share it, and each leaves it as it found it."""

    def __init__(self, folder: Path, values: dict[str, str]) -> None:
        """Start it; `values` name servers that stand elsewhere, none where they are its own."""
        self.folder = folder
        self.port = own_port(0, folder)
        environ = {name: text for name, text in os.environ.items() if name not in OURS}
        environ |= {"DATA_DIR": str(folder), "LOG_LEVEL": "WARNING", "PYTHONUNBUFFERED": "1", **values}
        self.log = folder / "run.log"
        with self.log.open("wb") as log:
            self.run = subprocess.Popen(
                [sys.executable, str(ROOT / "dev.py"), "run", "--port", str(self.port), "--test-clock"],
                cwd=ROOT, env=environ, stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
            )
        self.pool = urllib3.PoolManager(timeout=REQUEST_SECONDS, retries=False, maxsize=8)
        self.sent: dict[str, tuple[str, Decimal]] = {}
        self.accepted: set[str] = set()
        self._lock = threading.Lock()
        self._keys = itertools.count()
        try:
            wait_until(self._is_up, "the system is up", START_SECONDS)
        except BaseException:
            self.stop()
            print(self.log.read_text(errors="replace")[-3000:])
            raise
        self.values = _environment(folder / "env")
        self.database = values.get("DIRECT_DATABASE_URL", self.values["MIGRATION_DATABASE_URL"])
        self.redis = values.get("DIRECT_REDIS_URL", self.values["REDIS_URL"])
        self.key = (folder / "first-api-key").read_text(encoding="utf-8").strip()
        self._open_program()

    def _is_up(self) -> bool:
        assert self.run.poll() is None, self.log.read_text(errors="replace")[-3000:]
        return b"Florin is running" in self.log.read_bytes()

    def _open_program(self) -> None:
        # Asked once: these have no keys, and a second rule would credit twice.
        self.program = self.ask("/v1/programs", {"name": "Faults"}, START_SECONDS)["id"]
        self.asset = self.ask("/v1/assets", {
            "program_id": self.program, "name": "Coins", "symbol": "COIN", "inventory_mode": "SIMPLE",
            "issuance_policy": "UNLIMITED", "scale": 2,
        }, START_SECONDS)["id"]
        assert self.ask("/v1/rules", {
            "program_id": self.program, "name": "All", "condition": 'event.type == "purchase"',
            "actions": [{"type": "CREDIT", "asset_id": self.asset, "amount": "event.amount"}],
        }, START_SECONDS)

    def post(self, path: str, body: object, seconds: float = 30.0) -> Any:
        """Ask until there is a definite answer, as a good client does, and return it."""
        return wait_until(lambda: self.ask(path, body), f"an answer to {path}", seconds)

    def ask(self, path: str, body: object, seconds: float = REQUEST_SECONDS) -> Any:
        """Ask once; None where there is no definite answer."""
        headers = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}
        url = f"http://127.0.0.1:{self.port}{path}"
        try:
            answer = self.pool.request("POST", url, body=dumps(body), headers=headers, timeout=seconds)
        except urllib3.exceptions.HTTPError:
            return None
        if answer.status == 429 or answer.status >= 500:
            return None
        assert answer.status in (200, 201, 202), answer.data
        return loads(answer.data)

    def events(self, count: int) -> list[dict[str, Any]]:
        """New events, each for the next person in turn."""
        made = []
        for number in itertools.islice(self._keys, count):
            key, person, amount = f"fault-{number}", f"person-{number % PEOPLE}", 1 + number % 7
            self.sent[key] = (person, Decimal(amount))
            made.append({
                "program_id": self.program, "external_id": person, "idempotency_key": key,
                "event_timestamp": "2026-03-01T12:00:00Z",
                "event_data": {"type": "purchase", "amount": amount},
            })
        return made

    def deliver(self, events: list[dict[str, Any]], seconds: float = 60.0) -> None:
        """Send a batch until it is accepted, and remember what was acknowledged."""
        told = self.post("/v1/events/batch", {"events": events}, seconds)
        for event, result in zip(events, told["results"], strict=True):
            assert "event" in result or "id" in result, result
            with self._lock:
                self.accepted.add(event["idempotency_key"])

    @contextmanager
    def backlog(self, count: int = BACKLOG) -> Iterator[None]:
        """Events that are being accepted and decided while the block runs; all are accepted after it."""
        batches = [self.events(BATCH) for _ in range(count // BATCH)]
        failed: list[BaseException] = []

        def send(mine: list[list[dict[str, Any]]]) -> None:
            try:
                for batch in mine:
                    self.deliver(batch)
            except BaseException as error:
                failed.append(error)

        senders = [threading.Thread(target=send, args=(batches[lane::3],)) for lane in range(3)]
        before = len(self.accepted)
        for sender in senders:
            sender.start()
        wait_until(lambda: len(self.accepted) >= before + count // 5 or failed, "events flow", 30)
        try:
            yield
        finally:
            for sender in senders:
                sender.join()
        assert not failed, failed

    def new_events_are_decided(self, struck_at: float, within: float = NEW_SECONDS_MAX) -> float:
        """Send events to everybody and wait until they are decided; returns seconds since the strike."""
        events = self.events(PEOPLE)
        self.deliver(events, within)
        keys = [event["idempotency_key"] for event in events]
        left = max(0.5, struck_at + within - time.monotonic())
        wait_until(lambda: self._decided(keys) == len(keys), "new events are decided", left)
        return time.monotonic() - struck_at

    def _decided(self, keys: list[str]) -> int:
        try:
            return int(self.rows("""
                SELECT count(*) AS n FROM events e JOIN decisions d
                    ON d.organization_id = e.organization_id AND d.event_seq = e.seq
                WHERE e.idempotency_key = ANY(%s) AND d.status = 'COMPLETED'
            """, keys)[0]["n"])
        except psycopg.OperationalError:
            return -1  # The server may be recovering just now.

    def is_exact(self) -> None:
        """Wait until nothing waits; then what was acknowledged is there, all is decided once, and sums fit.

        What was sent and never acknowledged may be there as well: once, like everything else.
        """
        wait_until(self._nothing_waits, "everything is decided", ALL_SECONDS_MAX)
        told = self.rows("""
            SELECT e.idempotency_key AS key, count(d.event_seq) AS n, min(d.status) AS status
            FROM events e LEFT JOIN decisions d
                ON d.organization_id = e.organization_id AND d.event_seq = e.seq
            GROUP BY e.seq, e.idempotency_key
        """)
        stored = [row["key"] for row in told]
        assert len(stored) == len(set(stored))
        assert self.accepted <= set(stored) <= self.sent.keys()
        assert {(row["n"], row["status"]) for row in told} == {(1, "COMPLETED")}
        wanted: dict[str, Decimal] = {}
        for key in stored:
            person, amount = self.sent[key]
            wanted[person] = wanted.get(person, Decimal(0)) + amount
        found = {row["external_id"]: row["available"] for row in self.rows("""
            SELECT p.external_id, a.available FROM participants p
            JOIN accounts a ON a.organization_id = p.organization_id AND a.owner_id = p.id
        """)}
        unequal = {name: (found.get(name), sum_) for name, sum_ in wanted.items() if found.get(name) != sum_}
        assert unequal == {}
        assert found.keys() == wanted.keys()

    def _nothing_waits(self) -> bool:
        try:
            return not self.rows("SELECT 1 FROM inbox LIMIT 1")
        except psycopg.OperationalError:
            return False

    def rows(self, statement: str, *parameters: Any) -> list[dict[str, Any]]:
        """Ask the database, past every proxy."""
        with psycopg.connect(self.database, autocommit=True, connect_timeout=5, row_factory=dict_row) as c:
            return c.execute(statement, parameters or None).fetchall()  # type: ignore[arg-type]

    def tops(self, kind: str) -> list[int]:
        """The processes of a kind that the supervisor has started."""
        return sorted(
            pid for pid in children(self.run.pid) if any(name in command(pid) for name in NAMES[kind])
        )

    def tree(self, top: int) -> list[int]:
        """A process and all below it."""
        return [top, *descendants(top)]

    def replaced(self, kind: str, old: int) -> None:
        """Wait until another process stands in the place of one that ended."""
        wait_until(lambda: self.tops(kind) and old not in self.tops(kind), f"another {kind}", 15)

    def client(self) -> "redis.Redis[bytes]":
        """A client of the house's Redis, past every proxy."""
        return redis.Redis.from_url(self.redis, socket_timeout=5)

    @contextmanager
    def process(self, program: str) -> Iterator["subprocess.Popen[bytes]"]:
        """A process of ours beside those of the house, with its settings; killed at the end."""
        started = subprocess.Popen(
            [sys.executable, "-c", program], cwd=ROOT, env={**os.environ, **self.values},
            stdout=subprocess.PIPE,
        )
        try:
            yield started
        finally:
            started.kill()
            started.communicate()

    def stop(self) -> None:
        """Stop it as Ctrl-C does."""
        if self.run.poll() is None:
            self.run.send_signal(signal.SIGINT)
            try:
                self.run.wait(90)
            except subprocess.TimeoutExpired:
                self.run.kill()
                self.run.wait()
        self.pool.clear()


def _environment(file: Path) -> dict[str, str]:
    pairs = (line.partition("=") for line in file.read_text(encoding="utf-8").splitlines())
    return {name: text.strip("'") for name, _, text in pairs}


@contextmanager
def house_in(folder: Path, values: dict[str, str] | None = None) -> Iterator[House]:
    """A system for as long as the block runs; its folder stays where a test failed inside."""
    folder.mkdir(parents=True, exist_ok=True)
    made = House(folder, values or {})
    try:
        yield made
    finally:
        made.stop()
    shutil.rmtree(folder, ignore_errors=True)
