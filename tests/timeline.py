"""Driving the system through time in one process: move the clock, then do all that is due.

Nothing waits: the lanes, the partitions and the clock are the product's own, only rung by hand. The system's
clock never runs behind the real one, so timelines are laid in the next century.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from app import db
from app.domain.ids import PARTITIONS
from app.flows import drain, lanes
from app.flows.due import STEPS
from app.store import inbox

ROUNDS_MAX = 10_000  # A timeline that still has work after so many rounds goes in circles.


def at(text: str) -> datetime:
    """Read `2026-01-31` or `2026-01-31T09:30`, in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


class Timeline:
    """The clock of the tests' database, and everybody who works by it."""

    def __init__(self, start: str) -> None:
        """Begin at an instant; the clock goes on from there as clocks do."""
        self.go(start)

    @property
    def now(self) -> datetime:
        """What the system takes for the time."""
        with db.connection() as c:
            return db.read_clock(c)

    def go(self, to: str | datetime) -> None:
        """Move the clock, without doing anything that is due; backwards as well."""
        instant = at(to) if isinstance(to, str) else to
        with db.connection() as c:
            real = c.execute("SELECT clock_timestamp() AS now").fetchone()
            assert real is not None
            c.execute("UPDATE clock SET ahead = %s", (instant - real["now"],))

    def until(self, to: str | datetime) -> None:
        """Move the clock and do everything that is due by then."""
        self.go(to)
        self.work()

    def step(self, to: str | datetime, by: timedelta) -> None:
        """Reach an instant in steps, working after each."""
        end = at(to) if isinstance(to, str) else to
        now = self.now
        while now + by < end:
            now += by
            self.until(now)
        self.until(end)

    def work(self) -> None:
        """Do all that is due, in every lane and partition, until nothing is left."""
        for _ in range(ROUNDS_MAX):
            more = [lanes.run(lane, step, seconds=0.0) for lane, step in STEPS.items()]
            busy = self.drain()
            if not busy and not any(more):
                return
        raise AssertionError("there is always more to do")

    def drain(self) -> bool:
        """Decide the events that wait; returns whether there were any."""
        with db.connection() as c:
            waiting = inbox.count(c, 1)
        if waiting:
            drain.exhaust(range(PARTITIONS))
        return bool(waiting)


@contextmanager
def real_clock_after() -> Iterator[None]:
    """Put the clock back when a test is over."""
    try:
        yield
    finally:
        with db.connection() as c:
            c.execute("UPDATE clock SET ahead = '0'")
