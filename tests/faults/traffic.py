"""Events that are sent to a system and remembered, and what every fault wants of it afterwards.

New events are decided within fifteen seconds of the fault, everything that was accepted is decided exactly
once, and balances equal what was acknowledged. How the system is started is not told here.
"""

import itertools
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import psycopg
import urllib3
from psycopg.rows import dict_row

from app.domain.json import dumps, loads
from tests.waiting import wait_until

PEOPLE = 40
CUSTOMERS = 8  # Who are paid by hand, while events flow.
BACKLOG = 1_500
BATCH = 50
START_SECONDS = 90.0
NEW_SECONDS_MAX = 15.0  # Until events that were sent after a fault are decided.
ALL_SECONDS_MAX = 45.0  # Until everything that was accepted before is.
REQUEST_SECONDS = 4.0


class Traffic:
    """What was sent to one system, and what of it was acknowledged."""

    def __init__(self, addresses: Sequence[str]) -> None:
        """Know the API's addresses, each of which is asked in turn; `open_program` begins."""
        self.addresses = list(addresses)
        self.pool = urllib3.PoolManager(timeout=REQUEST_SECONDS, retries=False, maxsize=8)
        self.sent: dict[str, tuple[str, Decimal]] = {}
        self.accepted: set[str] = set()
        self.paid: dict[str, tuple[str, Decimal]] = {}
        self._lock = threading.Lock()
        self._keys = itertools.count()
        self._turns = itertools.count()

    def open_program(self, database: str, key: str) -> None:
        """Make a program whose rule pays what an event says; `database` is asked past every proxy."""
        self.database, self.key = database, key
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
        self.customers = {
            name: self.ask("/v1/participants", {"external_id": name}, START_SECONDS)["id"]
            for name in (f"customer-{number}" for number in range(CUSTOMERS))
        }

    def post(self, path: str, body: object, seconds: float = 30.0) -> Any:
        """Ask until there is a definite answer, as a good client does, and return it."""
        return wait_until(lambda: self.ask(path, body), f"an answer to {path}", seconds)

    def ask(self, path: str, body: object, seconds: float = REQUEST_SECONDS) -> Any:
        """Ask once; None where there is no definite answer."""
        headers = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}
        url = self.addresses[next(self._turns) % len(self.addresses)] + path
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

    def pay(self) -> None:
        """Adjust one customer's balance, under one key until the answer is definite."""
        number = next(self._keys)
        key, name, amount = f"pay-{number}", f"customer-{number % CUSTOMERS}", Decimal(1 + number % 5)
        self.post(f"/v1/participants/{self.customers[name]}/balances/adjust", {
            "program_id": self.program, "asset_id": self.asset, "type": "CREDIT", "amount": str(amount),
            "description": "By hand", "idempotency_key": key,
        }, 60)
        self.paid[key] = (name, amount)

    @contextmanager
    def backlog(self, count: int = BACKLOG) -> Iterator[None]:
        """Events and payments that are being accepted while the block runs; all are after it."""
        batches = [self.events(BATCH) for _ in range(count // BATCH)]
        failed: list[BaseException] = []

        def send(mine: list[list[dict[str, Any]]]) -> None:
            try:
                for batch in mine:
                    self.deliver(batch)
            except BaseException as error:
                failed.append(error)

        senders = [threading.Thread(target=send, args=(batches[lane::3],)) for lane in range(3)]

        def pay() -> None:
            try:
                while any(sender.is_alive() for sender in senders):
                    self.pay()
            except BaseException as error:
                failed.append(error)

        before = len(self.accepted)
        payer = threading.Thread(target=pay)
        for thread in (*senders, payer):
            thread.start()
        wait_until(lambda: len(self.accepted) >= before + count // 5 or failed, "events flow", 30)
        try:
            yield
        finally:
            for thread in (*senders, payer):
                thread.join()
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
        assert not self.missing()
        assert set(stored) <= self.sent.keys()
        assert {(row["n"], row["status"]) for row in told} == {(1, "COMPLETED")}
        wanted: dict[str, Decimal] = {}
        for person, amount in (*(self.sent[key] for key in stored), *self.paid.values()):
            wanted[person] = wanted.get(person, Decimal(0)) + amount
        found = {row["external_id"]: row["available"] for row in self.rows("""
            SELECT p.external_id, a.available FROM participants p
            JOIN accounts a ON a.organization_id = p.organization_id AND a.owner_id = p.id
        """)}
        unequal = {name: (found.get(name), sum_) for name, sum_ in wanted.items() if found.get(name) != sum_}
        assert unequal == {}
        assert found.keys() == wanted.keys()

    def missing(self) -> set[str]:
        """Keys of events that were acknowledged and are not stored."""
        return self.accepted - {row["key"] for row in self.rows("SELECT idempotency_key AS key FROM events")}

    def _nothing_waits(self) -> bool:
        try:
            return not self.rows("SELECT 1 FROM inbox LIMIT 1")
        except psycopg.OperationalError:
            return False

    def rows(self, statement: str, *parameters: Any) -> list[dict[str, Any]]:
        """Ask the database, past every proxy."""
        with psycopg.connect(self.database, autocommit=True, connect_timeout=5, row_factory=dict_row) as c:
            return c.execute(statement, parameters or None).fetchall()
