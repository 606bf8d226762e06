"""What bench/mixed looks at from outside: memory of each process, dead rows, connections, queues.

What lives here: readings, and pure functions that say what is wrong with a row of them.
"""

import os
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import psycopg

from bench.cost import processes_below
from bench.system import System

KINDS = ("web", "worker", "scheduler")
# Rows of these live for moments: a share of what lives says nothing about them, so their size is bounded.
QUEUES = ("inbox", "outbox_pending", "firings", "partition_leases")
HOT_ROWS_MIN = 1_000  # A table with fewer rows is a page or two: nothing that dead rows could slow down.
DEAD_SHARE_MAX, QUEUE_BYTES_MAX = 0.20, 64 << 20
MEMORY_SLOPE_MAX = 0.01  # Of the mean, in 10 minutes.
P99_GROWTH_MAX, P99_NOISE_MS = 1.5, 25.0
QUEUE_GROWTH_MAX, QUEUE_NOISE = 2.0, 500
CONNECTIONS_MORE_MAX = 2

_TABLES = """
SELECT relname, n_live_tup AS live, n_dead_tup AS dead, pg_total_relation_size(relid) AS bytes
FROM pg_stat_user_tables WHERE schemaname = 'public' AND n_tup_upd + n_tup_del > 0
"""
_QUEUES = """
SELECT (SELECT count(*) FROM inbox) AS inbox, (SELECT count(*) FROM outbox_pending) AS outbox,
    (SELECT count(*) FROM webhook_deliveries WHERE status IN ('PENDING', 'SENDING')) AS deliveries,
    (SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()) AS connections
"""


@dataclass
class Watch:
    """All readings so far, each list in the order of time; memory in KiB by the name of the process."""

    system: System
    owner: "psycopg.Connection[Any]"
    memory: dict[str, list[tuple[float, int]]] = field(default_factory=dict)
    dead: dict[str, list[float]] = field(default_factory=dict)
    bytes: dict[str, list[int]] = field(default_factory=dict)
    queues: dict[str, list[int]] = field(default_factory=dict)

    def read(self, at: float) -> None:
        """Take one reading of everything."""
        for kind in KINDS:
            for pid in processes_below(self.system.pids(kind)):
                if kib := memory_kib(pid):
                    self.memory.setdefault(f"{kind} {pid}", []).append((at, kib))
        for row in self.owner.execute(_TABLES).fetchall():
            self.bytes.setdefault(row["relname"], []).append(row["bytes"])
            if row["live"] + row["dead"] >= HOT_ROWS_MIN and row["relname"] not in QUEUES:
                share = row["dead"] / (row["live"] + row["dead"])
                self.dead.setdefault(row["relname"], []).append(share)
        counted = self.owner.execute(_QUEUES).fetchone()
        assert counted is not None
        for name, count in counted.items():
            self.queues.setdefault(name, []).append(count)

    def problems(self, minutes: float) -> Iterator[str]:
        """What is wrong with the readings."""
        for name, readings in self.memory.items():
            slope = slope_per_10_minutes(readings)
            if slope > MEMORY_SLOPE_MAX and minutes >= 10:
                yield f"memory of {name} grows by {slope:.1%} in 10 minutes"
        for name, shares in self.dead.items():
            if max(lasting(settled(shares))) > DEAD_SHARE_MAX:
                yield f"{max(lasting(settled(shares))):.0%} of {name} are dead rows"
        for name in QUEUES:
            if max(self.bytes.get(name, [0])) > QUEUE_BYTES_MAX:
                yield f"{name} has grown to {max(self.bytes[name]) >> 20} MiB"
        yield from self._growth()

    def _growth(self) -> Iterator[str]:
        for name, counts in self.queues.items():
            first, last = thirds(counts)
            if name == "connections":
                if max(last) > max(first) + CONNECTIONS_MORE_MAX:
                    yield f"connections grow from {max(first)} to {max(last)}"
            elif statistics.median(last) > QUEUE_GROWTH_MAX * statistics.median(first) + QUEUE_NOISE:
                yield f"{name} grows from {statistics.median(first):.0f} to {statistics.median(last):.0f}"


def settled(values: Sequence[Any]) -> Sequence[Any]:
    """What comes after the first third: caches and pools have been filled, autovacuum has come once."""
    return values[len(values) // 3 :] or values


def lasting(shares: Sequence[float]) -> Sequence[float]:
    """What was still there at the next reading, ten seconds later.

    Half of a table's rows that end at once are half a table of dead rows until autovacuum looks again, five
    seconds later on our own servers, and no setting of a table changes that. A share that stays is one that
    autovacuum does not keep up with.
    """
    return [min(pair) for pair in pairwise(shares)] or shares


def thirds(values: Sequence[float]) -> tuple[Sequence[float], Sequence[float]]:
    """The first third and the last one."""
    part = max(1, len(values) // 3)
    return values[:part], values[-part:]


def slope_per_10_minutes(readings: Sequence[tuple[float, int]]) -> float:
    """The least-squares slope of what comes after the first third, as a share of its mean."""
    later = settled(readings)
    if len(later) < 3:
        return 0.0
    slope: float = statistics.linear_regression(
        [at for at, _ in later], [float(kib) for _, kib in later]
    ).slope
    return 600 * slope / statistics.mean(float(kib) for _, kib in later)


def grew(by_minute: Sequence[float]) -> bool:
    """Whether the last minutes' percentiles lie above the first ones' by more than noise."""
    first, last = thirds(by_minute[1:])
    return statistics.median(last) > P99_GROWTH_MAX * statistics.median(first) + P99_NOISE_MS


def memory_kib(pid: int) -> int:
    """What a process has for itself, of pages it shares by a fork its part; 0 where it has ended.

    Pages of files do not count: libraries are shared with every Python of the machine, so that a process's
    share of them grows by megabytes where another one ends.
    """
    try:
        with open(f"/proc/{pid}/smaps_rollup", encoding="utf-8") as file:
            return next((int(line.split()[1]) for line in file if line.startswith("Pss_Anon:")), 0)
    except OSError:
        return 0


def processor_seconds() -> tuple[float, float]:
    """How long the machine's processors have been busy, and how long there has been time, in ticks.

    What others took of them, outside of this machine as well, was no capacity: it counts as busy.
    """
    with open("/proc/stat", encoding="utf-8") as file:
        ticks = [float(field) for field in file.readline().split()[1:9]]
    idle, waiting = ticks[3:5]
    return sum(ticks) - idle - waiting, sum(ticks)


def machine_load() -> float:
    """How many processes want to run, on average of a minute."""
    return round(os.getloadavg()[0], 1)
