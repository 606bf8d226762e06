"""A whole system for one benchmark: servers, release, web, workers, scheduler, in a folder of its own.

The processes are those of the Procfile, started by the supervisor of `dev.py run`, with fsync on. Nothing
that runs already is touched or used. What they cost is read in bench/cost.
"""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import psycopg
import redis
from psycopg.rows import dict_row

from app import db, queue
from app.cli import procfile
from app.cli.datafolder import ROOT, DataFolder, write_private
from app.cli.failure import Failure
from app.cli.servers import Servers
from app.cli.servers_ports import ask_postgres, free_port
from app.cli.supervise import Line, Supervisor
from app.flows.api_keys import new_key
from app.settings import load, settings

READY_SECONDS = 60.0
POLL_SECONDS = 0.02
FOREIGN = ("DATABASE_URL", "MIGRATION_DATABASE_URL", "REDIS_URL", "SECRET_KEY", "PORT", "HOST", "DATA_DIR",
           "BOOTSTRAP_API_KEY", "CLOCK_OFFSET", "FLORIN_ENV", "WEB_CONCURRENCY", "WEB_THREADS",
           "WORKER_PROCESSES", "WORKER_THREADS")


class System:
    """The running system; `values` are the settings that all its processes have."""

    def __init__(self, folder: DataFolder, say: Callable[[str], None]) -> None:
        """Start both servers and bring the database up to date; no process of the product runs yet."""
        self.folder = folder
        self.supervisor = Supervisor(say)
        self.key = new_key()
        self.port = free_port()
        servers = Servers.prepare(folder, load({}))
        if not servers.start(self.supervisor):
            raise Failure("The start was interrupted.")
        assert servers.postgres is not None
        self.postgres = servers.postgres
        self.values = {
            "PORT": str(self.port), "HOST": "127.0.0.1", "SECRET_KEY": folder.secret("secret-key"),
            "LOG_LEVEL": "WARNING", "BOOTSTRAP_API_KEY": self.key, **servers.environment(),
        }
        for name in FOREIGN:
            os.environ.pop(name, None)
        os.environ.update(self.values)
        settings.cache_clear()
        db.engine.cache_clear()
        queue.client.cache_clear()
        queue.broker.cache_clear()
        self._watch_statements()
        self._release()

    def _watch_statements(self) -> None:
        """Load pg_stat_statements, switched off until bench/profile wants it."""
        url = self.postgres.owner_url("postgres")
        with psycopg.connect(url, autocommit=True) as c:
            c.execute("ALTER SYSTEM SET shared_preload_libraries = 'pg_stat_statements'")
            c.execute("ALTER SYSTEM SET pg_stat_statements.track = 'none'")
        keeper = self.supervisor.keepers[0]
        keeper.signal(keeper.line.stop_signal)
        before = keeper.started_at
        self.supervisor.watch(lambda: keeper.started_at > before, READY_SECONDS, POLL_SECONDS)
        self._await(lambda: ask_postgres(url) is None, "PostgreSQL")

    def _release(self) -> None:
        done = subprocess.run(
            procfile.argv(procfile.commands()[procfile.RELEASE]), cwd=ROOT,
            env=procfile.environment(self.values), capture_output=True, text=True, check=False,
        )
        if done.returncode != 0:
            raise Failure(f"The release failed.\n{done.stderr.strip()[-2000:]}")

    def owner(self) -> "psycopg.Connection[dict[str, object]]":
        """A connection of the owner of the tables, in autocommit mode, for setting up and for measuring."""
        return psycopg.connect(
            self.values["MIGRATION_DATABASE_URL"], autocommit=True, row_factory=dict_row
        )

    def redis(self) -> "redis.Redis[bytes]":
        """A client of the system's Valkey."""
        return redis.Redis.from_url(self.values["REDIS_URL"])

    def start(self, kind: str, copies: int = 1, **values: str) -> None:
        """Start so many processes of a type of the Procfile, and wait until they work."""
        every = procfile.lines({**self.values, **values}, self.folder.logs, {kind: copies})
        lines = [line for line in every if line.name.partition(".")[0] == kind]
        self.add(lines)
        if kind == "web":
            self._await(self._answers, "the API")
        if kind == "worker":
            self._await(lambda: self.redis().exists("florin:heartbeat:worker") == 1, "the worker")

    def add(self, lines: list[Line]) -> None:
        """Start processes."""
        for line in lines:
            self.supervisor.add(line)
        self.supervisor.watch(lambda: all(k.process for k in self.supervisor.keepers), READY_SECONDS)

    def _answers(self) -> bool:
        try:
            with load_socket(self.port) as asking:
                asking.sendall(b"GET /health/live HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n")
                return b" 200 " in asking.recv(64)
        except OSError:
            return False

    def _await(self, condition: Callable[[], bool], what: str) -> None:
        if not self.supervisor.watch(condition, READY_SECONDS, POLL_SECONDS):
            raise Failure(f"{what} did not start; its log stands in {self.folder.logs}.")

    def stop(self, *kinds: str) -> None:
        """Stop the processes of these types, as `run` does."""
        self.supervisor.stop(lambda name: name.partition(".")[0] in kinds)
        if "worker" in kinds:
            self.redis().delete("florin:heartbeat:worker")

    def pids(self, kind: str) -> list[int]:
        """The top processes of a type; their children are found by bench/cost."""
        return [
            keeper.process.pid for keeper in self.supervisor.keepers
            if keeper.process is not None and keeper.line.name.partition(".")[0] == kind
        ]


def load_socket(port: int):  # type: ignore[no-untyped-def]
    """A connection to the API."""
    import socket

    return socket.create_connection(("127.0.0.1", port), timeout=10)


@contextmanager
def system(say: Callable[[str], None], keep: bool = False) -> Iterator[System]:
    """A system that is stopped and removed at the end, however that comes."""
    folder = DataFolder((ROOT / ".data" / "bench" / f"{os.getpid()}").resolve())
    folder.create()
    made: System | None = None
    try:
        made = System(folder, say)
        yield made
    finally:
        if made is not None:
            db.engine().dispose()
            for group in (("web", "worker", "scheduler", "naive"), ("postgres",), ("valkey",)):
                made.stop(*group) if group[0] == "web" else made.supervisor.stop(
                    lambda name, group=group: name in group
                )
            if not keep:
                shutil.rmtree(made.postgres.identity.cluster, ignore_errors=True)
        if not keep:
            shutil.rmtree(folder.path, ignore_errors=True)


def wait_for(condition: Callable[[], bool], seconds: float, every: float = POLL_SECONDS) -> bool:
    """Wait until a condition holds; False when it did not within the time."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(every)
    return True
