"""Running the peer of bench/ledger: django-hordak, installed into a folder of its own under .data."""

import json
import re
import subprocess
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

from app.cli.datafolder import ROOT
from app.cli.failure import Failure
from bench.system import System

HORDAK = "django-hordak==2.0.0"


class Peer:
    """The peer's process, which waits to be told what to do and for how long."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        """Wait until its accounts are there."""
        self._process = process
        self._read()

    def transfer(self, kind: str, seconds: float) -> dict[str, float]:
        """Transfer `plain` or `checked` for so long; transfers per second and its CPU for each."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{kind} {seconds}\n")
        self._process.stdin.flush()
        return self._read()

    def _read(self) -> dict[str, float]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            assert self._process.stderr is not None
            raise Failure(f"django-hordak did not run.\n{self._process.stderr.read()[-1500:]}")
        found: dict[str, float] = json.loads(line)
        return found


@contextmanager
def peer(made: System, owner: "psycopg.Connection[Any]") -> Iterator[Peer]:
    """Run the peer on a database of its own on the same server."""
    owner.execute("DROP DATABASE IF EXISTS hordak")
    owner.execute("CREATE DATABASE hordak")
    url = re.sub(r"/[^/]*$", "/hordak", made.values["MIGRATION_DATABASE_URL"])
    process = subprocess.Popen(
        [_installed(), str(Path(__file__).parent / "hordak_peer.py"), url], text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )
    with process:
        try:
            yield Peer(process)
        finally:
            process.terminate()


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
