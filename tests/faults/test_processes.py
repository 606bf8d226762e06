"""The fault matrix: processes, by the signal they get and the moment at which they get it."""

import os
import signal
import time
from contextlib import ExitStack

import pytest

from tests.faults.house import House
from tests.waiting import wait_until

KILL, HANG, TERM = "KILL", "STOP+CONT", "TERM"
IDLE, MID_BATCH, RECOVERING = "idle", "mid-batch", "during recovery"
IN_CI = {("worker", KILL, MID_BATCH)}
CELLS = [
    pytest.param(process, number, moment, marks=[] if cell in IN_CI else pytest.mark.nightly)
    for process in ("worker", "web", "scheduler")
    for number in (KILL, HANG, TERM)
    for moment in (IDLE, MID_BATCH, RECOVERING)
    if (cell := (process, number, moment))
]


def hit(house: House, process: str, number: str) -> list[int]:
    """Signal a process; returns those that hang now."""
    top = house.tops(process)[0]
    if number == HANG:
        # A master that hangs does not serve; of a server with several processes one of these hangs. One that
        # has only just started has none yet.
        if process == "web":
            wait_until(lambda: len(house.tree(top)) > 1, "a process of the API", 15)
        hung = [house.tree(top)[-1]] if process == "web" else house.tree(top)
        for each in hung:
            os.kill(each, signal.SIGSTOP)
        return hung
    os.kill(top, signal.Signals[f"SIG{number}"])
    return []


@pytest.mark.parametrize(("process", "number", "moment"), CELLS)
def test_a_process_is_hit(house: House, process: str, number: str, moment: str) -> None:
    with ExitStack() as stack:
        if moment != IDLE:
            stack.enter_context(house.backlog())
        if moment == RECOVERING:
            first = house.tops(process)[0]
            os.kill(first, signal.SIGKILL)
            house.replaced(process, first)
        hung = hit(house, process, number)
        struck_at = time.monotonic()
        try:
            seconds = house.new_events_are_decided(struck_at)
        finally:
            for each in hung:
                os.kill(each, signal.SIGCONT)
    print(f"{process} {number} {moment}: new events after {seconds:.2f} s")
    house.is_exact()
    count = 2 if process == "worker" else 1
    wait_until(lambda: len(house.tops(process)) == count, "all processes are back", 15)


HOLDER = """
import os, signal
from app import db
from app.flows.drain import drain, _Drain
with db.connection() as c:
    assert _Drain(c, range(0, 64, 2), False).enter() == []
    print("held", flush=True)
    signal.pause()
"""


def test_a_worker_hangs_while_it_holds_partitions(house: House) -> None:
    """Between two transactions only the session ends the hold; every other partition is held by it."""
    with house.process(HOLDER) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        seconds = house.new_events_are_decided(time.monotonic())
    print(f"worker hung between transactions: new events after {seconds:.2f} s")
    assert seconds > 1, "nothing was held"
    house.is_exact()
