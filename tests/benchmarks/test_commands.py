"""Each command at a tiny size, as a user would call it, on a system of its own."""

import json
import os
import subprocess
import sys

import pytest

from app.cli.datafolder import ROOT

SECONDS_MAX = 240


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command of dev.py without the addresses of the tests' servers."""
    environ = {
        name: value for name, value in os.environ.items()
        if name not in ("DATABASE_URL", "MIGRATION_DATABASE_URL", "REDIS_URL", "SECRET_KEY")
    }
    return subprocess.run(
        [sys.executable, "-m", "app.cli", *arguments], cwd=ROOT, env=environ, capture_output=True,
        text=True, timeout=SECONDS_MAX, check=False,
    )


@pytest.mark.nightly
def test_a_storm_loses_nothing_doubles_nothing_and_keeps_the_order() -> None:
    done = command("chaos", "--seconds", "20", "--seed", "3", "--events", "600")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "600 events accepted" in done.stdout
    assert "Nothing lost, nothing doubled, order kept." in done.stdout


@pytest.mark.nightly
def test_the_main_path_is_measured_beside_its_limit() -> None:
    done = command("bench", "--quick", "--json", "--only", "accept batches", "drain 2", "sustained")
    assert done.returncode == 0, done.stdout + done.stderr
    found = {line["name"]: line for line in map(json.loads, done.stdout.splitlines())}
    limits = {"limit accept", "limit process", "limit mix"}
    assert limits | {"accept batches", "drain 2", "sustained"} <= set(found)
    assert found["drain 2"]["events"] == 5_000
    assert found["drain 2"]["events_per_second"] > 0
    # The limit writes what the product writes: the logs of both have about the same size.
    assert 0.8 < found["limit accept"]["wal_bytes"] / found["accept batches"]["wal_bytes"] < 1.25
