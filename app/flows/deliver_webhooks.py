"""Delivering: claim what is due, send it from threads of its own, write the outcomes in batches.

One thread of a process, the pump, does all that touches the database: it hands messages over, claims, and
writes what the sending threads report. Sending threads only talk HTTP. So neither a receiver that hangs nor a
queue of thousands holds up the threads that decide events.

At least once: an attempt is counted and leased before it is sent. Where a worker dies, its leases run out,
and the same delivery is sent again under the same id.
"""

import queue
import random
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg
import sqlalchemy.exc
import structlog

from app import observe
from app.db import Connection, connection, read_clock, transaction
from app.domain.instants import format_instant
from app.domain.json import dumps
from app.domain.webhooks import (
    API_VERSION,
    IN_FLIGHT_AT_FIRST,
    LEASE,
    Attempt,
    Circuit,
    DeliveryError,
    DeliveryStatus,
    next_attempt_at,
    next_window,
    room,
)
from app.flows.fan_out_outbox import fan_out, is_due, replay_some
from app.flows.send_webhook import Job, Sender
from app.flows.webhook_secrets import SecretUnreadable, unseal
from app.queue import client
from app.store import webhook_deliveries, webhook_endpoints

IN_FLIGHT_MAX = 64  # Of one process.
CANDIDATES_MAX = 300  # Endpoints looked at in one claim.
STOP_SECONDS = 16.0  # A send ends within 15; then its outcome is written.
TROUBLE_SECONDS = 0.5  # Between two tries where the database is away.

DATABASE_AWAY = (psycopg.OperationalError, psycopg.InterfaceError, sqlalchemy.exc.SQLAlchemyError)

log = structlog.get_logger("webhooks")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a sending thread reports."""

    job: Job
    attempt: Attempt


class Pump:
    """The deliveries of one process."""

    def __init__(self, sender: Sender) -> None:
        """Start idle; threads begin with the first wake, so never before a fork."""
        self._sender = sender
        self._inbox: queue.SimpleQueue[Outcome | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._pool: ThreadPoolExecutor | None = None
        self._stopping = False
        self._in_flight: Counter[UUID] = Counter()
        self._windows: dict[UUID, int] = {}

    def wake(self) -> None:
        """Have it look for work; returns at once."""
        self._inbox.put(None)
        with self._lock:
            if self._thread is None and not self._stopping:
                self._pool = ThreadPoolExecutor(IN_FLIGHT_MAX, "webhook-send")
                self._thread = threading.Thread(target=self._run, name="webhook-pump", daemon=True)
                self._thread.start()

    def stop(self, seconds: float = STOP_SECONDS) -> None:
        """Claim nothing more; wait for sends under way and write their outcomes. Leases cover the rest."""
        with self._lock:
            self._stopping = True
            thread = self._thread
        self._inbox.put(None)
        if thread is not None:
            thread.join(seconds)
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
        self._sender.close()

    def _run(self) -> None:
        outcomes: list[Outcome] = []
        while True:
            woken, found = self._gather()
            outcomes += found
            try:
                if woken and not self._stopping and fan_out():
                    self._inbox.put(None)
                jobs = self._turn(outcomes)
                outcomes = []
                self._begin(jobs)
                if self._stopping and not self._in_flight.total():
                    return
                if not jobs and not self._stopping and replay_some():
                    self._inbox.put(None)
            except DATABASE_AWAY as error:
                # Outcomes are kept and written when the database is back; where that takes too long, the
                # leases run out and the receivers get the same messages again.
                log.warning("webhooks_wait_for_database", error=str(error), kind=type(error).__name__)
                self._rest()
            except Exception:
                # A fault of ours must not end all deliveries of the process; leases cover what is dropped.
                log.exception("webhooks_turn_broke", outcomes=len(outcomes))
                outcomes = []
                self._rest()

    def _rest(self) -> None:
        time.sleep(TROUBLE_SECONDS)  # A server that is away should not be asked without end.
        self._inbox.put(None)

    def _gather(self) -> tuple[bool, list[Outcome]]:
        """Wait for a wake or an outcome; return whether it was woken, and all outcomes that are there."""
        received = [self._inbox.get()]
        while not self._inbox.empty():
            received.append(self._inbox.get())
        found = [one for one in received if one is not None]
        for one in found:
            endpoint_id = one.job.endpoint_id
            self._in_flight[endpoint_id] -= 1
            window = self._windows.get(endpoint_id, IN_FLIGHT_AT_FIRST)
            self._windows[endpoint_id] = next_window(window, delivered=one.attempt.delivered)
        return len(found) < len(received), found

    def _turn(self, outcomes: list[Outcome]) -> list[Job]:
        """Write outcomes and claim what may follow them, in one transaction."""
        free = 0 if self._stopping else IN_FLIGHT_MAX - self._in_flight.total()
        if not outcomes and free <= 0:
            return []
        with transaction() as c:
            # What a crash of the server may undo here is sent again, as after the crash of a worker; waiting
            # for the disk would only make every message later.
            c.execute("SET LOCAL synchronous_commit = off")
            if outcomes:
                write(c, outcomes)
            jobs = self._claim(c, free) if free > 0 else []
        if outcomes:
            _count(outcomes)
        return jobs

    def _begin(self, jobs: list[Job]) -> None:
        assert self._pool is not None
        for job in jobs:
            self._in_flight[job.endpoint_id] += 1
            self._pool.submit(self._send, job)

    def _claim(self, c: Connection, free: int) -> list[Job]:
        now = read_clock(c)
        wanted: dict[tuple[UUID, UUID], int] = {}
        endpoints = {}
        for row in webhook_deliveries.candidates(c, now, CANDIDATES_MAX):
            number = min(free, self._room(row))
            if number > 0:
                endpoints[row["id"]] = row
                wanted[row["organization_id"], row["id"]] = number
                free -= number
        if not wanted:
            return []
        claimed = webhook_deliveries.claim(c, wanted, now, LEASE)
        secrets = {endpoint_id: _keys(row, now) for endpoint_id, row in endpoints.items()}
        return [
            _job(row, endpoints[row["webhook_endpoint_id"]], secrets[row["webhook_endpoint_id"]], now)
            for row in claimed
        ]

    def _room(self, row: dict[str, Any]) -> int:
        endpoint_id = row["id"]
        window = self._windows.get(endpoint_id, IN_FLIGHT_AT_FIRST)
        return room(_circuit(row), window, self._in_flight[endpoint_id], row["in_flight"])

    def _send(self, job: Job) -> None:
        try:
            attempt = self._sender.send(job)
        except Exception as error:
            log.exception("webhook_send_broke", delivery_id=str(job.delivery_id))
            attempt = Attempt(DeliveryError.CONNECTION_FAILED, error=f"Internal: {type(error).__name__}")
        self._inbox.put(Outcome(job, attempt))


def work_waits() -> bool:
    """Say whether something is to be handed over, replayed or sent now."""
    with connection() as c:
        return is_due(c) or webhook_deliveries.any_due(c, read_clock(c))


def write(c: Connection, outcomes: list[Outcome]) -> None:
    """Write what became of attempts, and what it means for their endpoints."""
    keys = {(one.job.organization_id, one.job.endpoint_id) for one in outcomes}
    endpoints = webhook_endpoints.lock_circuits(c, sorted(keys))
    now = read_clock(c)
    rows = []
    for one in outcomes:
        _note(endpoints[one.job.endpoint_id], one.attempt, now)
        rows.append(_outcome_row(one, now))
    webhook_endpoints.write_circuits(c, [_circuit_row(endpoint, now) for endpoint in endpoints.values()])
    webhook_deliveries.write_outcomes(c, rows, now)


def _count(outcomes: list[Outcome]) -> None:
    delivered = sum(one.attempt.delivered for one in outcomes)
    observe.count(
        client(), webhook_deliveries__by_delivered=delivered,
        webhook_deliveries__by_failed=len(outcomes) - delivered,
    )


def _note(endpoint: dict[str, Any], attempt: Attempt, now: datetime) -> None:
    circuit = _circuit(endpoint).after(attempt, now)
    endpoint["consecutive_failures"] = circuit.consecutive_failures
    endpoint["circuit_delay_seconds"] = circuit.delay_seconds
    endpoint["circuit_broken_until"] = circuit.broken_until
    if attempt.retry_after is not None:
        until = now + attempt.retry_after
        known = endpoint["rate_limited_until"]
        endpoint["rate_limited_until"] = until if known is None else max(known, until)
    if attempt.error_code is DeliveryError.GONE:
        endpoint["gone"] = True


def _circuit(row: dict[str, Any]) -> Circuit:
    return Circuit(row["consecutive_failures"], row["circuit_delay_seconds"], row["circuit_broken_until"])


def _circuit_row(endpoint: dict[str, Any], now: datetime) -> dict[str, Any]:
    return {
        "o": endpoint["organization_id"], "i": endpoint["id"], "f": endpoint["consecutive_failures"],
        "d": endpoint["circuit_delay_seconds"], "b": endpoint["circuit_broken_until"],
        "l": endpoint["rate_limited_until"], "at": now, "gone": endpoint.get("gone", False),
    }


def _outcome_row(one: Outcome, now: datetime) -> dict[str, Any]:
    job, attempt = one.job, one.attempt
    if attempt.delivered:
        status, again = DeliveryStatus.DELIVERED, None
    elif attempt.error_code is DeliveryError.GONE:
        status, again = DeliveryStatus.FAILED, None
    else:
        jitter = random.uniform(-1, 1)
        again = next_attempt_at(job.attempt_count, job.max_attempts, now, jitter, attempt.retry_after)
        status = DeliveryStatus.FAILED if again is None else DeliveryStatus.PENDING
    return webhook_deliveries.outcome_row(
        job.organization_id, job.delivery_id, job.lease_until, status, again, attempt.error_code,
        attempt.response_status, attempt.response_body, attempt.error,
    )


def _keys(endpoint: dict[str, Any], now: datetime) -> tuple[bytes, ...]:
    """Return the secrets to sign with: the present one and, during an overlap, the one before."""
    sealed = [endpoint["secret"]]
    until = endpoint["previous_secret_until"]
    if endpoint["previous_secret"] is not None and until is not None and now < until:
        sealed.append(endpoint["previous_secret"])
    try:
        return tuple(unseal(one, endpoint["id"]) for one in sealed)
    except SecretUnreadable:
        return ()


def _job(row: dict[str, Any], endpoint: dict[str, Any], keys: tuple[bytes, ...], now: datetime) -> Job:
    return Job(
        row["organization_id"], row["webhook_endpoint_id"], row["id"], row["message_id"],
        row["attempt_count"], row["max_attempts"], now + LEASE, endpoint["url"], keys, body_of(row),
    )


def body_of(row: dict[str, Any]) -> bytes:
    """Return the body of a message: the same bytes at every attempt, for the stored row never changes.

    `data` is the text that PostgreSQL keeps, put in as it is.
    """
    head = dumps({
        "id": row["message_id"], "type": row["type"], "api_version": API_VERSION,
        "created_at": format_instant(row["created_at"]), "organization_id": row["organization_id"],
    })
    return f'{head[:-1]},"data":{row["data"]}}}'.encode()
