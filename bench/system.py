"""A whole system for one benchmark: servers, release, web, workers, scheduler, in a folder of its own.

The processes are those of the Procfile, started by the supervisor of `dev.py run`, with fsync on. Nothing
that runs already is touched or used. What they cost is read in bench/cost.
"""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import redis
from psycopg.rows import dict_row

from app import db, queue
from app.cli import procfile
from app.cli.datafolder import ROOT, DataFolder
from app.cli.failure import Failure
from app.cli.servers import Servers
from app.cli.servers_binaries import postgres_binaries, valkey_binary
from app.cli.servers_ports import ask_postgres, free_port
from app.cli.servers_postgres import prepare
from app.cli.servers_valkey import Valkey
from app.cli.supervise import Line, Supervisor
from app.domain.ids import PARTITIONS
from app.flows import webhook_bell
from app.flows.api_keys import new_key
from app.settings import settings

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
        # Ports that nobody prefers: a system that `run` starts meanwhile must not meet this one.
        passwords = folder.secret("owner-password"), folder.secret("app-password")
        self.postgres = prepare(postgres_binaries(), folder.postgres, free_port(), *passwords)
        valkey = Valkey(valkey_binary(), folder.valkey, free_port(), folder.secret("valkey-password"))
        servers = Servers(folder, self.postgres, valkey, {})
        if not servers.start(self.supervisor):
            raise Failure("The start was interrupted.")
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
        self._watch()
        self._release()

    def _watch(self) -> None:
        """Let the server keep commit times, and count statements once bench/hotspots asks for it."""
        url = self.postgres.owner_url("postgres")
        with psycopg.connect(url, autocommit=True) as c:
            c.execute("ALTER SYSTEM SET shared_preload_libraries = 'pg_stat_statements'")
            c.execute("ALTER SYSTEM SET pg_stat_statements.track = 'none'")
            # When an event was completed is when its decision was committed, by the server's own record.
            c.execute("ALTER SYSTEM SET track_commit_timestamp = on")
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

    def owner(self) -> "psycopg.Connection[dict[str, Any]]":
        """A connection of the owner of the tables, in autocommit mode, for setting up and for measuring."""
        return psycopg.connect(
            self.values["MIGRATION_DATABASE_URL"], autocommit=True, row_factory=dict_row
        )

    def redis(self) -> "redis.Redis":
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
            raise Failure(f"{what} did not start.\n{self.tails()}")

    def tails(self) -> str:
        """The ends of all logs, for a run that went wrong."""
        return "\n".join(
            f"--- {log.name}\n{log.read_text(encoding='utf-8', errors='replace')[-1500:]}"
            for log in sorted(self.folder.logs.glob("*.log"))
        )

    def forget_bells(self) -> None:
        """Let nobody know what waits: workers that start now find nothing to do until they are rung."""
        client = self.redis()
        for key in [*client.scan_iter(f"{queue.NAMESPACE}:*"), *map(queue.bell_key, range(PARTITIONS))]:
            client.delete(key)

    def hold_webhooks(self, held: bool = True) -> None:
        """Leave messages in the outbox, or let them be delivered: a bell that hangs is never rung anew.

        Messages are written either way. Sending them is work of its own, with a backlog of its own, and no
        part of the limit that the main path is compared with.
        """
        if held:
            self.redis().set(webhook_bell.KEY, 1)
        else:
            self.redis().delete(webhook_bell.KEY)

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


def load_socket(port: int) -> socket.socket:
    """A connection to the API."""
    return socket.create_connection(("127.0.0.1", port), timeout=10)


@contextmanager
def system(say: Callable[[str], None]) -> Iterator[System]:
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
            made.stop("web", "worker", "scheduler", "naive")
            made.supervisor.stop(lambda name: name == "postgres")
            made.supervisor.stop(lambda name: name == "valkey")
            shutil.rmtree(made.postgres.identity.cluster, ignore_errors=True)
        shutil.rmtree(folder.path, ignore_errors=True)


def wait_for(condition: Callable[[], bool], seconds: float, every: float = POLL_SECONDS) -> bool:
    """Wait until a condition holds; False when it did not within the time."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(every)  # Conditions are questions to servers, which have no way to call back.
    return True
