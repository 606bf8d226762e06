"""The verdicts of `bench mixed` can fail: each on readings made for it."""

import mmap
import os
import time
from pathlib import Path
from typing import Any

from bench.mixed_watch import Watch, grew, memory_kib, processor_seconds, slope_per_10_minutes

MINUTE: list[tuple[float, int]] = [(10.0 * n, 80_000) for n in range(180)]


def watch(**readings: Any) -> Watch:
    """Readings without a system behind them."""
    return Watch(None, None, **readings)


def test_memory_that_grows_by_two_percent_in_ten_minutes_is_told() -> None:
    growing = [(at, 80_000 + round(at / 600 * 1_600)) for at, _ in MINUTE]
    assert 0.015 < slope_per_10_minutes(growing) < 0.025
    told = list(watch(memory={"worker 1": growing}).problems(30))
    assert len(told) == 1
    assert told[0].startswith("memory of worker 1 grows by 1.9%")
    assert list(watch(memory={"worker 1": MINUTE}).problems(30)) == []


def test_processors_are_busy_while_somebody_works() -> None:
    before, begun = processor_seconds(), time.process_time()
    while time.process_time() - begun < 0.3:
        sum(range(1_000))
    busy, whole = (after - at for after, at in zip(processor_seconds(), before, strict=True))
    ticks = os.sysconf("SC_CLK_TCK")
    assert 0.2 * ticks <= busy <= whole


def test_the_memory_of_a_process_is_its_own_not_that_of_files(tmp_path: Path) -> None:
    file = tmp_path / "library"
    file.write_bytes(bytes(64 << 20))
    before = memory_kib(os.getpid())
    with file.open("rb") as opened, mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        assert mapped.find(b"x") == -1  # Every page of it is there now.
        assert memory_kib(os.getpid()) < before + (16 << 10)
    before = memory_kib(os.getpid())
    # Not from the heap, which may have that much left over from another test.
    with mmap.mmap(-1, 32 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as kept:
        for page in range(0, 32 << 20, mmap.PAGESIZE):
            kept[page] = 1
        assert memory_kib(os.getpid()) > before + (24 << 10)


def test_a_cache_that_fills_in_the_first_minutes_is_no_leak() -> None:
    filling = [(at, 60_000 if at < 300 else 80_000) for at, _ in MINUTE]
    assert slope_per_10_minutes(filling) == 0


def test_dead_rows_queues_and_connections_are_judged() -> None:
    assert list(watch(dead={"owners": [0.1, 0.2, 0.25, 0.3]}).problems(30)) == ["25% of owners are dead rows"]
    until_the_next_vacuum = [0.1, 0.1, 0.5, 0.1, 0.5]
    assert list(watch(dead={"owners": until_the_next_vacuum}).problems(30)) == []
    assert list(watch(bytes={"inbox": [65 << 20]}).problems(30)) == ["inbox has grown to 65 MiB"]
    steady = {"inbox": [100, 900, 100], "connections": [20, 21, 22]}
    assert list(watch(queues=steady).problems(30)) == []
    growing = {"inbox": [100, 400, 900], "connections": [20, 21, 23]}
    assert list(watch(queues=growing).problems(30)) == [
        "inbox grows from 100 to 900", "connections grow from 20 to 23",
    ]


def test_a_percentile_that_doubles_is_told_and_noise_is_not() -> None:
    assert grew([500, 40, 42, 41, 60, 120, 130, 125])
    assert not grew([500, 40, 42, 41, 60, 41, 55, 62])
