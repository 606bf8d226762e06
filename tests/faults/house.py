"""A whole system under `dev.py run` for the cells of the fault matrix: its processes, and its end."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import redis

from app.cli.chaos_faults import children, command, descendants
from app.cli.datafolder import ROOT
from app.cli.servers_ports import own_port
from tests.faults.traffic import START_SECONDS, Traffic
from tests.waiting import wait_until

NAMES = {"worker": ("dramatiq",), "web": ("gunicorn",), "scheduler": ("-m scheduler",),
         "postgres": ("postgres",), "valkey": ("valkey-server", "redis-server")}
OURS = (
    "DATABASE_URL", "MIGRATION_DATABASE_URL", "REDIS_URL", "SECRET_KEY", "FLORIN_ENV", "APP_DATABASE_ROLE",
)


class House(Traffic):
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
        super().__init__([f"http://127.0.0.1:{self.port}"])
        try:
            wait_until(self._is_up, "the system is up", START_SECONDS)
        except BaseException:
            self.stop()
            print(self.log.read_text(errors="replace")[-3000:])
            raise
        self.values = _environment(folder / "env")
        self.redis = values.get("DIRECT_REDIS_URL", self.values["REDIS_URL"])
        self.open_program(
            values.get("DIRECT_DATABASE_URL", self.values["MIGRATION_DATABASE_URL"]),
            (folder / "first-api-key").read_text(encoding="utf-8").strip(),
        )

    def _is_up(self) -> bool:
        assert self.run.poll() is None, self.log.read_text(errors="replace")[-3000:]
        return b"Florin is running" in self.log.read_bytes()

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
