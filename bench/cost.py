"""What a stretch of work cost: CPU of each kind of process, write-ahead log, growth of tables, memory.

CPU comes from the kernel's accounting of whole process trees, so short-lived backends count as well.
"""

import os
import time
from dataclasses import dataclass
from typing import Any

import psycopg

from bench.system import System

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
QUIET_SECONDS, QUIET_SHARE = 0.25, 0.2  # Waiting workers poll: they are never at nothing at all.
KINDS = ("postgres", "valkey", "web", "worker", "scheduler", "naive")


@dataclass(frozen=True)
class Reading:
    """Counters at one moment: CPU seconds by kind, bytes of log written."""

    at: float
    cpu: dict[str, float]
    wal: int


@dataclass(frozen=True)
class Cost:
    """The difference of two readings."""

    seconds: float
    cpu: dict[str, float]
    wal: int

    def per_event(self, events: int) -> dict[str, float]:
        """Microseconds of CPU by kind, and bytes of log, for each event."""
        micros = {kind: round(1e6 * spent / events, 1) for kind, spent in self.cpu.items() if spent}
        return {f"{kind}_cpu_us": value for kind, value in micros.items()} | {
            "wal_bytes": round(self.wal / events)
        }


class Meter:
    """Reads the counters of one system."""

    def __init__(self, system: System, owner: "psycopg.Connection[Any]") -> None:
        self._system = system
        self._owner = owner

    def read(self) -> Reading:
        """The counters now."""
        row = self._owner.execute("SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn AS wal").fetchone()
        assert row is not None
        tree = _processes()
        cpu = {kind: sum(_tree_cpu(tree, pid) for pid in self._system.pids(kind)) for kind in KINDS}
        return Reading(time.perf_counter(), cpu, int(row["wal"]))

    def since(self, before: Reading) -> Cost:
        """What was spent since a reading."""
        now = self.read()
        cpu = {kind: now.cpu[kind] - before.cpu[kind] for kind in KINDS}
        return Cost(now.at - before.at, cpu, now.wal - before.wal)

    def booted(self, kind: str) -> bool:
        """Wait until the processes of a kind have nothing to do any more; False after ten seconds."""
        spent = self.read().cpu[kind]
        for _ in range(40):
            time.sleep(QUIET_SECONDS)  # Quiet is that no CPU was spent for so long.
            before, spent = spent, self.read().cpu[kind]
            if spent - before <= QUIET_SHARE * QUIET_SECONDS:
                return True
        return False

    def bytes_stored(self) -> int:
        """Bytes of all tables with their indexes."""
        row = self._owner.execute(
            "SELECT sum(pg_total_relation_size(oid)) AS n FROM pg_class"
            " WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
        ).fetchone()
        assert row is not None
        return int(row["n"])

    def memory(self) -> dict[str, list[int]]:
        """MiB that each process of the product holds for itself, by kind; the greatest first.

        Pages shared with its siblings since their fork count in part (PSS), as they do for the machine.
        """
        tree = _processes()
        return {
            kind: sorted(
                (_memory_mb(pid) for top in self._system.pids(kind) for pid in _tree(tree, top)),
                reverse=True,
            )
            for kind in ("web", "worker", "scheduler", "valkey")
        }


def processes_below(tops: list[int]) -> list[int]:
    """The ids of these processes and of all that they have started."""
    tree = _processes()
    return [pid for top in tops for pid in _tree(tree, top)]


def _processes() -> dict[int, tuple[int, float]]:
    """Parent and CPU seconds (with those of children already gone) of every process."""
    found = {}
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/stat", encoding="utf-8", errors="replace") as file:
                text = file.read()
        except OSError:
            continue
        fields = text[text.rindex(")") + 2 :].split()
        found[int(name)] = (int(fields[1]), sum(map(int, fields[11:15])) / TICKS_PER_SECOND)
    return found


def _tree(processes: dict[int, tuple[int, float]], top: int) -> list[int]:
    found, open_ends = [], [top]
    while open_ends:
        pid = open_ends.pop()
        if pid in processes:
            found.append(pid)
            open_ends += [child for child, (parent, _) in processes.items() if parent == pid]
    return found


def _tree_cpu(processes: dict[int, tuple[int, float]], top: int) -> float:
    return sum(processes[pid][1] for pid in _tree(processes, top))


def _memory_mb(pid: int) -> int:
    try:
        with open(f"/proc/{pid}/smaps_rollup", encoding="utf-8") as file:
            for line in file:
                if line.startswith("Pss:"):
                    return int(line.split()[1]) // 1024
    except OSError:
        return 0
    return 0
