"""Running the clients of bench/ledger; its peer, django-hordak, is installed into a folder under .data."""

import json
import re
import subprocess
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import psycopg

from app.cli.datafolder import ROOT
from app.cli.failure import Failure
from bench.system import System

HORDAK = "django-hordak==2.0.0"
ACCOUNTS = 200


class Peers:
    """Processes that post transfers, which wait to be told what to do and for how long; they end with it."""

    def __init__(self, name: str) -> None:
        """Begin with none; `name` is what an error calls them."""
        self._name = name
        self._processes: list[subprocess.Popen[str]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *of: object) -> None:
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            process.communicate()

    def start(self, command: list[str], first_line: str = "") -> None:
        """Start one more, say a line to it where there is one, and wait until it is ready."""
        process = subprocess.Popen(
            command, text=True, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self._processes.append(process)
        if first_line:
            self._say(process, first_line)
        self._read(process)

    def transfer(self, kind: str, seconds: float, streams: int | None = None) -> float:
        """Transfer for so long with all of them at once, or the first few; transfers per second."""
        asked = self._processes[:streams]
        for process in asked:
            self._say(process, f"{kind} {seconds}")
        return sum(self._read(process)["transfers_per_second"] for process in asked)

    def _say(self, process: "subprocess.Popen[str]", line: str) -> None:
        assert process.stdin is not None
        process.stdin.write(f"{line}\n")
        process.stdin.flush()

    def _read(self, process: "subprocess.Popen[str]") -> dict[str, float]:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            assert process.stderr is not None
            raise Failure(f"{self._name} did not run.\n{process.stderr.read()[-1500:]}")
        found: dict[str, float] = json.loads(line)
        return found


@contextmanager
def peers(made: System, owner: "psycopg.Connection[Any]", copies: int) -> Iterator[Peers]:
    """Run so many clients of the peer on a database of its own on the same server."""
    owner.execute("DROP DATABASE IF EXISTS hordak")
    owner.execute("CREATE DATABASE hordak")
    url = re.sub(r"/[^/]*$", "/hordak", made.values["MIGRATION_DATABASE_URL"])
    command = [_installed(), str(Path(__file__).parent / "hordak_peer.py"), url, str(ACCOUNTS)]
    with Peers("django-hordak") as started:
        started.start([*command, "0", str(copies)])  # It makes the accounts that the others find.
        for number in range(1, copies):
            started.start([*command, str(number), str(copies)])
        yield started


def _installed() -> str:
    folder = ROOT / ".data" / "bench" / "hordak"
    python = str(folder / "bin" / "python")
    if not (folder / "installed").exists():
        venv.create(folder, with_pip=True)
        subprocess.run(
            [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", HORDAK,
             "psycopg[binary]"],
            check=True,
        )
        (folder / "installed").touch()
    return python
