"""The fault matrix: PostgreSQL stopped, out of connections, its disk full."""

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psycopg
import pytest

from tests.faults.conftest import FOLDER, Network
from tests.faults.house import House, house_in
from tests.waiting import wait_until

DISK_MB = 400
FILLING = 1 << 16


@pytest.mark.parametrize("number", [
    signal.SIGQUIT, pytest.param(signal.SIGINT, marks=pytest.mark.nightly),
    pytest.param(signal.SIGKILL, marks=pytest.mark.nightly),
], ids=["immediate", "fast", "kill"])
def test_postgres_is_stopped(house: House, number: signal.Signals) -> None:
    with house.backlog():
        os.kill(house.tops("postgres")[0], number)
        seconds = house.new_events_are_decided(time.monotonic())
    print(f"PostgreSQL {number.name}: new events after {seconds:.2f} s")
    house.is_exact()


DRAWER = """
import signal
from app import db
from app.book.accounts import draw_block
with db.transaction() as c:
    # A sequence writes down 32 draws at once: among these is one that does.
    print(max(draw_block(c).start for _ in range(33)), flush=True)
    signal.pause()
"""


@pytest.mark.nightly
def test_no_account_number_is_given_out_again(house: House) -> None:
    """A process keeps its block of numbers over a crash, though the transaction that drew it is undone."""
    with house.process(DRAWER) as drawer:
        assert drawer.stdout is not None
        drawn = int(drawer.stdout.readline())
        os.kill(house.tops("postgres")[0], signal.SIGKILL)
        seconds = house.new_events_are_decided(time.monotonic())
    assert house.rows("SELECT nextval('account_id') AS next")[0]["next"] > drawn
    print(f"PostgreSQL killed after a draw: new events after {seconds:.2f} s")
    house.is_exact()


@pytest.mark.nightly
def test_postgres_has_no_connection_left(network: Network) -> None:
    """Somebody else takes every place; what has none answers 503, and all goes on when they leave."""
    house = network.house
    with ExitStack() as stack:
        network.postgres.reset()
        with contextlib.suppress(psycopg.OperationalError):
            while True:
                stack.enter_context(psycopg.connect(house.database, connect_timeout=5))
        network.postgres.reset()
        events = house.events(1)
        refused = house.ask("/v1/events/batch", {"events": events}) is None
    seconds = house.new_events_are_decided(time.monotonic())
    house.deliver(events)
    assert refused
    print(f"PostgreSQL out of connections: new events after {seconds:.2f} s")
    house.is_exact()


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """A disk of its own in memory, where this machine lets us mount one."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small disk needs root")
    folder.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m,mode=0777", "florin-faults", str(folder)],
        capture_output=True, text=True, check=False,
    )
    if done.returncode != 0:
        pytest.skip(f"this machine mounts no disk: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.mark.nightly
def test_the_disk_of_postgres_is_full(tmp_path: Path) -> None:
    with small_disk(FOLDER / "disk") as disk, house_in(disk / "house") as house:
        house.new_events_are_decided(time.monotonic())
        ballast = disk / "ballast"
        free = shutil.disk_usage(disk).free
        # Others write as well, so the disk may be full a little before.
        with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as file:
            while file.write(bytes(FILLING)):
                pass
        print(f"{free >> 20} MiB filled")
        sent = []

        def refused() -> bool:
            sent.append(house.events(100))
            return house.ask("/v1/events/batch", {"events": sent[-1]}) is None

        # It cannot write its log any more: requests are refused rather than acknowledged in vain.
        wait_until(refused, "the disk is full", 60)
        ballast.unlink()
        struck_at = time.monotonic()
        for batch in sent:
            house.deliver(batch)
        seconds = house.new_events_are_decided(struck_at)
        print(f"disk full: new events after there was room {seconds:.2f} s")
        house.is_exact()
