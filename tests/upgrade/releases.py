"""Two releases of Florin on one database: the code of each in a folder, and processes of either.

The previous release is the oldest code whose migrations are all still there: the last commit before
migration 0007. It is taken from the history; where that is cut short there is none.
"""

import os
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import urllib3

from app.cli.datafolder import ROOT
from app.cli.servers_ports import free_port
from tests.waiting import wait_until

FIRST_AFTER = "migrations/versions/0007_report_details.py"
START_SECONDS, STOP_SECONDS = 60.0, 60.0


def previous_commit() -> str | None:
    """The last commit of the previous release; None where the history does not reach so far."""
    if not (ROOT / ".git").exists():
        return None
    told = _git("log", "--diff-filter=A", "--format=%H", "--", FIRST_AFTER)
    commits = told.stdout.split()
    if told.returncode or not commits or _git("cat-file", "-e", f"{commits[-1]}^").returncode:
        return None
    return f"{commits[-1]}^"


def unpack(commit: str, folder: Path) -> Path:
    """Write the code of a commit into a folder, without touching the checkout."""
    folder.mkdir(parents=True)
    packed = subprocess.run(["git", "archive", commit], cwd=ROOT, capture_output=True, check=True).stdout
    subprocess.run(["tar", "-x", "-C", str(folder)], input=packed, check=True)
    return folder


def _git(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)


@dataclass
class Release:
    """One release's code and settings; its processes while they run."""

    folder: Path
    values: dict[str, str]
    logs: Path
    port: int = 0
    processes: "list[subprocess.Popen[bytes]]" = field(default_factory=list)

    def migrate(self) -> "subprocess.CompletedProcess[bytes]":
        """Bring the database to this release's schema, as its release step does."""
        return subprocess.run(
            [sys.executable, "-m", "app.cli", "release"], cwd=self.folder, env=self._environment(),
            capture_output=True, check=False, timeout=120,
        )

    def start(self) -> None:
        """Start an API, a worker and a scheduler, and wait until the API answers."""
        self.port = free_port()
        for line in (
            ["gunicorn", "--bind", f"127.0.0.1:{self.port}", "--workers", "1", *self._worker_class(),
             "--threads", "4", "--no-control-socket", "--graceful-timeout", "30", "app.api:create_app()"],
            ["dramatiq", "workers", "--processes", "1", "--threads", "2"],
            ["scheduler"],
        ):
            log = (self.logs / f"{self.folder.name}-{line[0]}-{self.port}.log").open("wb")
            with log:
                self.processes.append(subprocess.Popen(
                    [sys.executable, "-m", *line], cwd=self.folder, env=self._environment(), stdout=log,
                    stderr=subprocess.STDOUT, start_new_session=True,
                ))
        wait_until(self.is_alive, f"the API of {self.folder.name}", START_SECONDS)

    def _worker_class(self) -> list[str]:
        """What the release's own Procfile names."""
        line = next(
            text for text in (self.folder / "Procfile").read_text(encoding="utf-8").splitlines()
            if text.startswith("web:")
        ).split()
        return line[line.index("--worker-class"):][:2]

    def is_alive(self) -> bool:
        """Whether the API answers."""
        assert all(process.poll() is None for process in self.processes), "a process ended by itself"
        return self.ask("/health/live") == 200

    def ask(self, path: str) -> int:
        """The status of a GET; 0 when nobody answers."""
        try:
            url = f"http://127.0.0.1:{self.port}{path}"
            return int(urllib3.request("GET", url, retries=False, timeout=5.0).status)
        except urllib3.exceptions.HTTPError:
            return 0

    def stop(self) -> None:
        """Stop its processes as an operator does: SIGTERM, and time to finish what they have in hand."""
        for process in self.processes:
            process.send_signal(signal.SIGTERM)
        for process in self.processes:
            process.wait(STOP_SECONDS)
        self.processes.clear()

    def kill(self) -> None:
        """Leave nothing behind, whatever went wrong."""
        for process in self.processes:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()

    def _environment(self) -> dict[str, str]:
        clean = {name: text for name, text in os.environ.items() if name not in ("PYTHONPATH", *self.values)}
        return {**clean, **self.values, "PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1"}
