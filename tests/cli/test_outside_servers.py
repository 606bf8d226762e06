"""Servers that the environment names: when they do not answer, nothing takes their place in silence."""

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from app.cli.datafolder import ROOT
from app.cli.servers_ports import free_port

ANSWER_SECONDS = 5.0
START_SECONDS = 3.0


def _run(folder: Path, **variables: str) -> tuple[subprocess.CompletedProcess[str], float]:
    environ = {**os.environ, "DATA_DIR": str(folder), "PORT": str(free_port()), **variables}
    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, "dev.py", "run"],
        cwd=ROOT,
        env=environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return done, time.monotonic() - started


@pytest.mark.parametrize(
    ("variable", "url"),
    [
        ("DATABASE_URL", "postgresql://someone:hidden@127.0.0.1:{port}/florin"),
        # An address that swallows every packet: the slowest way of not answering.
        ("DATABASE_URL", "postgresql://someone:hidden@203.0.113.1:5432/florin"),
        ("REDIS_URL", "redis://:hidden@127.0.0.1:{port}/1"),
        ("REDIS_URL", "redis://:hidden@203.0.113.1:6379/1"),
    ],
    ids=["database refuses", "database is silent", "redis refuses", "redis is silent"],
)
def test_a_named_server_that_does_not_answer_ends_the_start_within_five_seconds(
    tmp_path: Path, variable: str, url: str
) -> None:
    named = {"DATABASE_URL": "", "MIGRATION_DATABASE_URL": "", "REDIS_URL": ""}
    named[variable] = url.format(port=free_port())
    done, seconds = _run(tmp_path, **named)
    assert done.returncode == 1
    assert seconds < ANSWER_SECONDS + START_SECONDS
    message = done.stderr.strip()
    assert len(message.splitlines()) == 1
    assert message.startswith(f"dev.py run: {variable} is set, but ")
    assert "does not answer" in message
    assert "hidden" not in done.stdout + done.stderr
    assert not (tmp_path / "postgres").exists()


def test_a_setting_that_cannot_be_used_is_named_before_anything_starts(tmp_path: Path) -> None:
    done, _ = _run(tmp_path, WORKER_PROCESSES="many")
    assert done.returncode == 1
    assert "WORKER_PROCESSES must be a whole number from 1 to 64, not 'many'" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_taken_port_is_named_and_nothing_is_left_running(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        done, _ = _run(tmp_path, PORT=str(port))
    assert done.returncode == 1
    assert f"Port {port} is taken by another program; choose one with --port." in done.stderr
    assert not (tmp_path / "postgres").exists()
