"""Schedulers and workers as real processes on a database of a test, to be killed and started again."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import dict_row

from app.cli import procfile
from app.cli.datafolder import ROOT

START_SECONDS = 20.0


class Fleet:
    """Processes of the Procfile; whatever still runs at the end is stopped."""

    def __init__(self, values: dict[str, str], folder: Path) -> None:
        """Work on the servers that `values` name; the logs go to `folder`."""
        self.values = values
        self.folder = folder
        self.running: list[subprocess.Popen[bytes]] = []
        self.database = psycopg.connect(values["DATABASE_URL"], autocommit=True, row_factory=dict_row)

    def start(self, kind: str) -> subprocess.Popen[bytes]:
        """Start a process such as `scheduler` or `worker`."""
        log = (self.folder / f"{kind}-{len(self.running)}.log").open("wb")
        with log:
            process = subprocess.Popen(
                procfile.argv(procfile.commands()[kind]), cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log,
                stderr=log, env=procfile.environment({**self.values, "WORKER_THREADS": "2"}),
                start_new_session=True,
            )
        self.running.append(process)
        return process

    def kill(self, process: subprocess.Popen[bytes]) -> None:
        """Kill a process of ours with all its children, as the kernel does when memory runs out."""
        if process.poll() is None:
            os.killpg(process.pid, 9)
            process.wait()

    def ask(self, sql: str, *parameters: Any) -> Any:
        """Return the first column of the first row, None where there is none."""
        row = self.database.execute(sql, parameters).fetchone()
        return None if row is None else next(iter(row.values()))

    def leader(self) -> int | None:
        """Return the process id of the scheduler that leads."""
        holder = self.ask("SELECT holder FROM leaders WHERE duty = 'scheduler'")
        return None if holder is None else int(holder.split(":")[1])

    def next_minute(self) -> None:
        """Move the clock to the first second of the next minute: it is long until another one."""
        self.database.execute(
            "UPDATE clock SET ahead = ahead + (date_trunc('minute', read_clock()) + interval '61 s'"
            " - read_clock())"
        )

    def logs(self) -> str:
        """What the processes said, for a test that failed."""
        texts = [log.read_text(errors="replace")[-2000:] for log in sorted(self.folder.glob("*.log"))]
        return "\n".join(text for text in texts if text)

    def stop(self) -> None:
        """Kill whatever still runs."""
        for process in self.running:
            self.kill(process)
        self.database.close()


@contextmanager
def fleet_on(values: dict[str, str], folder: Path) -> Iterator[Fleet]:
    """Lend a fleet and stop it."""
    fleet = Fleet(values, folder)
    try:
        yield fleet
    finally:
        fleet.stop()
