"""The faults of `chaos`: which process of a running system is hit, and how.

Processes are found below the one `dev.py run` that chaos has started, never by name elsewhere.
"""

import contextlib
import os
import random
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import redis

HANG_SECONDS = 14.0


class Kind(StrEnum):
    """What is done."""

    WORKER = "worker killed (-9)"
    WEB = "API process killed (-9)"
    SCHEDULER = "scheduler killed (-9)"
    FLUSH = "Valkey flushed"
    VALKEY = "Valkey killed (-9)"
    POSTGRES = "PostgreSQL stopped (-m immediate)"
    POSTGRES_FAST = "PostgreSQL stopped (-m fast)"
    WORKER_TERM = "worker told to stop (TERM)"
    HANG = "worker hung (STOP), on after 14 s"


@dataclass(frozen=True)
class Fault:
    """One fault and when it struck (seconds since 1970)."""

    kind: Kind
    at: float
    note: str


class Faults:
    """Strikes a running system at random."""

    def __init__(self, run_pid: int, redis_url: str, seed: int) -> None:
        self._run_pid = run_pid
        self._redis_url = redis_url
        self._draw = random.Random(seed + 2)
        self._hung: list[int] = []
        self._healing: threading.Timer | None = None
        # Every kind at least once, in an order of the seed's own.
        self._first = self._draw.sample(list(Kind), len(Kind))

    def pause_seconds(self) -> float:
        """How long to wait before the next one."""
        return self._draw.uniform(1.5, 5.0)

    def strike(self) -> Fault:
        """Do the next fault."""
        kind = self._first.pop() if self._first else self._draw.choice(list(Kind))
        at = time.time()
        return Fault(kind, at, self._strikes()[kind]())

    def _strikes(self) -> dict[Kind, Callable[[], str]]:
        return {
            Kind.WORKER: lambda: self._kill("dramatiq"),
            Kind.WEB: lambda: self._kill("gunicorn"),
            Kind.SCHEDULER: lambda: self._kill("scheduler"),
            Kind.VALKEY: lambda: self._kill("valkey-server", "redis-server"),
            Kind.FLUSH: self._flush,
            # What `pg_ctl stop -m immediate` sends: no checkpoint, recovery at the next start.
            Kind.POSTGRES: lambda: self._kill("postgres", top=True, number=signal.SIGQUIT),
            Kind.POSTGRES_FAST: lambda: self._kill("postgres", top=True, number=signal.SIGINT),
            Kind.WORKER_TERM: lambda: self._kill("dramatiq", top=True, number=signal.SIGTERM),
            Kind.HANG: self._hang,
        }

    def _kill(self, *names: str, top: bool = False, number: signal.Signals = signal.SIGKILL) -> str:
        """Hit one of the processes whose command names one of these: the top one, or any of its tree."""
        tops = [pid for pid in children(self._run_pid) if any(name in command(pid) for name in names)]
        if not tops:
            return "none was running"
        chosen = self._draw.choice(sorted(tops))
        if not top:
            chosen = self._draw.choice([chosen, *sorted(descendants(chosen))])
        with contextlib.suppress(ProcessLookupError):
            os.kill(chosen, number)
        return f"process {chosen}"

    def _hang(self) -> str:
        """Stop a worker with all its children, longer than every time-out of its transactions; then go on."""
        self.heal()
        tops = [pid for pid in children(self._run_pid) if "dramatiq" in command(pid)]
        if not tops:
            return "none was running"
        chosen = self._draw.choice(sorted(tops))
        self._hung = [chosen, *descendants(chosen)]
        _signal(self._hung, signal.SIGSTOP)
        self._healing = threading.Timer(HANG_SECONDS, _signal, (self._hung, signal.SIGCONT))
        self._healing.start()
        return f"process {chosen}"

    def heal(self) -> None:
        """Let go on what hangs."""
        if self._healing is not None:
            self._healing.cancel()
        _signal(self._hung, signal.SIGCONT)

    def _flush(self) -> str:
        client = redis.Redis.from_url(self._redis_url, socket_timeout=2, socket_connect_timeout=2)
        try:
            client.flushall()
        except (redis.RedisError, OSError):
            return "it was down already"
        finally:
            client.close()
        return ""


def _signal(pids: list[int], number: signal.Signals) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def children(pid: int) -> list[int]:
    """The direct children of a process."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            text = stat.read_text(encoding="utf-8", errors="replace")
            if int(text[text.rindex(")") + 2 :].split()[1]) == pid:
                found.append(int(stat.parent.name))
    return found


def descendants(pid: int) -> list[int]:
    """All processes below a process."""
    found = []
    for child in children(pid):
        found += [child, *descendants(child)]
    return found


def command(pid: int) -> str:
    """The command line of a process, empty where it has gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""
