"""The measurements of the main path, one function each; every one leaves the inbox empty behind it.

What lives here: accepting, draining, both at once, latency. Unusual shapes of load (one hot participant, one
hot wallet, five million stored events, the naive design) live in files of their own.
"""

import multiprocessing
import threading
import time
from dataclasses import dataclass
from typing import Any

import psycopg

from app.cli.failure import Failure
from app.domain.ids import PARTITIONS
from app.queue import ring_now
from bench.cost import Meter
from bench.load import Load, batches, percentile, singles
from bench.system import System, wait_for
from bench.workload import Workload

Figures = dict[str, Any]
BATCH = 100
DRAIN_SECONDS_MAX = 1800.0
BACKLOG = 5_000  # While accepting and processing at once: senders wait while more events wait than this.

_DECIDED = """
SELECT count(*) AS n, extract(epoch FROM max(pg_xact_commit_timestamp(xmin)))::float8 AS last
FROM decisions WHERE organization_id = %s AND event_seq > %s
"""
_COMMITS = """
SELECT e.idempotency_key, extract(epoch FROM pg_xact_commit_timestamp(d.xmin))::float8 AS at
FROM events e JOIN decisions d ON d.organization_id = e.organization_id AND d.event_seq = e.seq
WHERE e.organization_id = %s AND e.seq > %s
"""


@dataclass
class Stage:
    """What every measurement needs."""

    system: System
    owner: "psycopg.Connection[Any]"
    meter: Meter
    work: Workload
    seed: int = 0

    def next_seed(self) -> int:
        """A seed that no other measurement has."""
        self.seed += 1
        return self.seed

    def one(self, statement: str, *values: Any) -> Any:
        """The first column of the only row of a query."""
        row = self.owner.execute(statement, values).fetchone()
        assert row is not None
        return next(iter(row.values()))

    def waiting(self) -> bool:
        """Whether any event waits."""
        return bool(self.one("SELECT EXISTS (SELECT 1 FROM inbox)"))

    def last_seq(self) -> int:
        """The number of the last event so far."""
        return int(self.one("SELECT last_value FROM event_seq"))

    def settle(self) -> None:
        """Let autovacuum and the log catch up between two measurements: do their work now."""
        for table in ("inbox", "owners", "accounts", "events", "decisions", "outbox_pending"):
            self.owner.execute(f"VACUUM (ANALYZE, SKIP_LOCKED) {table}")


def accept_batches(
    stage: Stage, events: int, work: Workload | None = None, people: int | None = None
) -> Figures:
    """Accept events in batches of 100 over HTTP, with nobody processing. Leaves them waiting."""
    bodies = (work or stage.work).bodies(events, stage.next_seed(), people)
    requests = batches(bodies, stage.system.key, BATCH)
    before = stage.meter.read()
    sent = Load(stage.system.port, events_each=BATCH).send(requests)
    cost = stage.meter.since(before)
    return {
        "events_per_second": round(events / sent.seconds), "p50_ms": sent.milliseconds(0.5),
        "p99_ms": sent.milliseconds(0.99), **cost.per_event(events),
    }


def accept_singles(stage: Stage, requests: int) -> Figures:
    """Accept events one a request, as fast as they are taken. Leaves them waiting."""
    rendered = singles(stage.work.bodies(requests, stage.next_seed()), stage.system.key)
    before = stage.meter.read()
    sent = Load(stage.system.port, connections=8).send(rendered)
    cost = stage.meter.since(before)
    return {
        "requests_per_second": round(requests / sent.seconds), "p50_ms": sent.milliseconds(0.5),
        "p99_ms": sent.milliseconds(0.99), **cost.per_event(requests),
    }


def drain(stage: Stage, processes: int = 2, **values: str) -> Figures:
    """Start workers on what waits; the rate counts from the bell to the last commit."""
    expected = int(stage.one("SELECT count(*) FROM inbox"))
    first = int(stage.one("SELECT min(event_seq) FROM inbox"))
    stage.settle()
    stage.system.forget_bells()
    stage.system.start("worker", processes, **values)
    stage.meter.booted("worker")  # Starting is no part of the work, and the second process is slower.
    before = stage.meter.read()
    rung = time.time()
    ring_now(range(PARTITIONS), full=True)
    if not wait_for(lambda: not stage.waiting(), DRAIN_SECONDS_MAX, 0.1):
        raise Failure("The backlog was not drained in time.")
    cost = stage.meter.since(before)
    memory = stage.meter.memory()["worker"]
    stage.system.stop("worker")
    row = stage.owner.execute(_DECIDED, (stage.work.organization_id, first - 1)).fetchone()
    assert row is not None
    if row["n"] < expected:
        raise Failure(f"{row['n']} of {expected} events were decided.")
    return {
        "events": expected, "events_per_second": round(expected / (row["last"] - rung)),
        "memory_mb": memory[:processes], **cost.per_event(expected),
    }


def sustained(stage: Stage, events: int, processes: int = 2) -> Figures:
    """Accept in batches and process at once, the backlog bounded; counts what was decided meanwhile."""
    system = stage.system
    waiting = multiprocessing.get_context("fork").Value("i", 0)
    stop = threading.Event()
    url = system.values["MIGRATION_DATABASE_URL"]

    def watch() -> None:
        with psycopg.connect(url, autocommit=True) as c:
            while not stop.wait(0.1):
                row = c.execute("SELECT count(*) FROM inbox").fetchone()
                waiting.value = row[0] if row else 0

    requests = batches(stage.work.bodies(events, stage.next_seed()), system.key, BATCH)
    stage.settle()
    system.start("worker", processes)
    stage.meter.booted("worker")
    watcher = threading.Thread(target=watch)
    watcher.start()
    first, at_start = stage.last_seq(), stage.meter.memory()
    before = stage.meter.read()
    begun = time.time()
    sent = Load(
        system.port, connections=2, events_each=BATCH, waiting=waiting, limit=BACKLOG
    ).send(requests)
    wait_for(lambda: not stage.waiting(), 60.0, 0.05)
    cost = stage.meter.since(before)
    at_end = stage.meter.memory()
    stop.set()
    watcher.join()
    system.stop("worker")
    row = stage.owner.execute(_DECIDED, (stage.work.organization_id, first)).fetchone()
    assert row is not None
    return {
        "events_per_second": round(events / (row["last"] - begun)), "request_p99_ms": sent.milliseconds(0.99),
        "memory_start_mb": at_start, "memory_end_mb": at_end, **cost.per_event(events),
    }


def latency(stage: Stage, per_second: int, seconds: int) -> Figures:
    """Send single events at a fixed rate; when each was completed is told by the commit of its decision."""
    system = stage.system
    stage.settle()
    system.start("worker", 2)
    system.start("scheduler")
    for count in (per_second, per_second * seconds):  # The first second warms up.
        first = stage.last_seq()
        bodies = list(stage.work.bodies(count, stage.next_seed()))
        before = stage.meter.read()
        sent = Load(system.port, processes=1, connections=16, per_second=per_second).send(
            singles(bodies, system.key)
        )
        wait_for(lambda: not stage.waiting(), 30.0)
        cost = stage.meter.since(before)
    rows = stage.owner.execute(_COMMITS, (stage.work.organization_id, first)).fetchall()
    system.stop("worker", "scheduler")
    committed = {row["idempotency_key"]: row["at"] for row in rows}
    # One process sends in order of the list, so the sorted due times belong to the bodies one by one.
    pairs = list(zip(bodies, sorted(sent.answers, key=lambda one: one.due), strict=True))
    done = [1000 * (committed[body["idempotency_key"]] - one.sent) for body, one in pairs]
    after = [1000 * (committed[body["idempotency_key"]] - one.answered) for body, one in pairs]
    return {
        "accept_p50_ms": sent.milliseconds(0.5), "accept_p99_ms": sent.milliseconds(0.99),
        "completed_p50_ms": percentile(done, 0.5), "completed_p99_ms": percentile(done, 0.99),
        "completed_max_ms": round(max(done), 1), "after_202_p50_ms": percentile(after, 0.5),
        "after_202_p99_ms": percentile(after, 0.99), **cost.per_event(len(bodies)),
    }


def growth(stage: Stage, before: int, events: int) -> Figures:
    """Bytes that tables and indexes grew by for each event since a reading of `bytes_stored`."""
    stage.settle()
    return {"bytes_per_event": round((stage.meter.bytes_stored() - before) / events)}
