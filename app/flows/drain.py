"""Draining partitions: claim, split into batches, recover what a dead worker left, isolate what fails.

What lives here: who works on which events when. Deciding a batch in one transaction is flows/process.
"""

import os
import socket
import threading
import time
from collections import deque
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from typing import Any
from uuid import UUID

import psycopg
import structlog

from app import db
from app.book.accounts import AccountNumbers
from app.db import Connection
from app.domain.events import Event
from app.domain.names import EventErrorCode
from app.flows import process
from app.queue import together
from app.store import inbox, leases
from app.store.inbox import Claimed
from app.store.leases import Lease

BATCH_EVENTS_MAX = 400  # Bounds how long owners stay locked while much waits: some tens of milliseconds.
DRAIN_SECONDS = 0.5  # Then other partitions get a turn.
ATTEMPTS_MAX = 5
LONE_DEATHS_MAX = 2  # Workers that may die over one event that runs alone (decision C5).
LOW_MARK_SECONDS = 5.0  # Requests commit within this; what is older than that and done stays done.

log = structlog.get_logger("drain")
_thread = threading.local()


class LowMarks:
    """Up to where a partition was found empty some seconds ago: dead index entries before it are not walked.

    An event that commits late with a lower number than others is found all the same: within the lag, or by
    the sweeper, which drains from the beginning.
    """

    def __init__(self) -> None:
        self._marks: dict[int, deque[tuple[float, int]]] = {}
        self._lock = threading.Lock()

    def after(self, partitions: Collection[int]) -> int:
        """Return the position after which to claim from partitions."""
        limit = time.monotonic() - LOW_MARK_SECONDS
        with self._lock:
            return min(self._after(partition, limit) for partition in partitions)

    def _after(self, partition: int, limit: float) -> int:
        marks = self._marks.get(partition)
        if not marks:
            return 0
        while len(marks) > 1 and marks[1][0] < limit:
            marks.popleft()
        return marks[0][1] if marks[0][0] < limit else 0

    def note(self, partitions: Collection[int], position: int) -> None:
        """Remember that everything up to `position` was done or blocked just now."""
        now = time.monotonic()
        with self._lock:
            for partition in partitions:
                marks = self._marks.setdefault(partition, deque())
                if not marks or now - marks[-1][0] > 1.0:
                    marks.append((now, position))


low_marks = LowMarks()


def account_numbers() -> AccountNumbers:
    """Return this thread's block of account numbers."""
    if not hasattr(_thread, "numbers"):
        _thread.numbers = AccountNumbers()
    found: AccountNumbers = _thread.numbers
    return found


def worker_name() -> str:
    """Return the name of this thread's leases; a process that was forked has names of its own."""
    return f"{_host()}:{os.getpid()}:{threading.get_ident()}"


# Asked for with every batch, and as expensive as a statement.
_host = lru_cache(maxsize=1)(socket.gethostname)


def drain(partitions: Collection[int], *, full: bool = False) -> list[list[int]]:
    """Decide waiting events of partitions for a while; return those to ring again, by message.

    Where little waits in each, several share batches: a batch costs much the same however few are in it.
    Where much waits they part, so that other workers may help.

    Lost connections, deadlocks and time-outs are raised after the batch is undone: they are no attempts,
    and the sweeper rings again.
    """
    with db.connection() as c:
        if getattr(_thread, "lost_connection", False):
            leases.forgive(c, worker_name())
            _thread.lost_connection = False
        stay = _Drain(c, partitions, full)
        try:
            others = stay.enter()
            again = stay.run() if stay.held else []
            return [*again, others] if others else again
        except psycopg.OperationalError:
            _thread.lost_connection = True
            if stay.held and not c.closed:
                leases.clear(c, stay.held)
            raise
        finally:
            if stay.held and not c.closed and not c.broken:
                leases.release(c, stay.held)


def exhaust(partitions: Iterable[int]) -> None:
    """Drain partitions until nothing is left to do in any, for whoever has no bells."""
    waiting = together(partitions)
    while waiting:
        waiting += drain(waiting.pop(), full=True)


class _Drain:
    """One stay in some partitions."""

    def __init__(self, c: Connection, partitions: Collection[int], full: bool) -> None:
        self.c = c
        # Held, perhaps: a partition is given back once too often rather than never.
        self.held = sorted(partitions)
        self.after = 0 if full else low_marks.after(partitions)
        self.leaves = False  # Whether nothing stands behind the events in hand.
        self.left_behind: list[Lease] = []
        self.claimed: Claimed | None = None
        self.worker = worker_name()
        self.numbers = account_numbers()
        # Owners whose event failed in this stay: their later events stay in the inbox.
        self.stuck: set[UUID] = set()

    def enter(self) -> list[int]:
        """Take the partitions, look for what dead workers left and claim, in one round trip.

        Each statement sees what was committed before it, so the claim sees what the last holder committed.
        Returns the partitions that somebody else holds; where that is all of them, after a moment's wait.
        """
        with db.gathered(self.c):
            locks = leases.start_acquire(self.c, self.held)
            left_behind = leases.start_left_behind(self.c, self.held)
            claim = self.start_claim()
        mine = leases.read_acquired(locks)
        if mine == self.held:
            self.left_behind = leases.read_left_behind(left_behind)
            self.claimed = inbox.read_claim(claim, BATCH_EVENTS_MAX)
            return []
        others = [partition for partition in self.held if partition not in mine]
        if not mine and leases.acquire(self.c, others[0]):
            mine = [others.pop(0)]
        self.held = mine
        if mine:
            self.left_behind = leases.left_behind(self.c, mine)
        return others

    def start_claim(self) -> Any:
        return inbox.start_claim(self.c, self.held, after=self.after, limit=BATCH_EVENTS_MAX)

    def run(self) -> list[list[int]]:
        deadline = time.monotonic() + DRAIN_SECONDS
        for lease in self.left_behind:
            self.recover(lease)
            self.after, self.claimed = 0, None
        while True:
            claimed = self.claimed or inbox.read_claim(self.start_claim(), BATCH_EVENTS_MAX)
            self.claimed = None
            if not claimed.events:
                window_end = inbox.last_in_window(self.c, self.held, self.after)
                if window_end is None:
                    return []
                self.after = window_end
                continue
            self.leaves, held = not claimed.more, self.held
            self.work_off(claimed.events)
            self.stuck.clear()
            self.after = claimed.events[-1].position
            low_marks.note(held, self.after)
            if not claimed.more:
                return []
            if len(held) > 1:
                half = len(held) // 2
                return [held[:half], held[half:]]
            if time.monotonic() > deadline:
                return [held]

    def recover(self, lease: Lease) -> None:
        """Run what a dead worker had in hand once more, event by event, each under a mark of its own."""
        log.warning("lease_left_behind", partition=lease.partition, worker=lease.worker, alone=lease.alone)
        deaths = lease.crashes + 1 if lease.alone else 0
        left = inbox.claim(self.c, [lease.partition], after=lease.first - 1, limit=BATCH_EVENTS_MAX)
        for event in left.events:
            if event.position > lease.last:
                break
            if deaths >= LONE_DEATHS_MAX and event.position == lease.first:
                what = "processing this event stopped its worker twice"
                process.fail(self.c, event, EventErrorCode.POISON_EVENT, what)
                continue
            crashes = deaths if event.position == lease.first else 0
            if event.owner_id not in self.stuck:
                self.work_off([event], alone=True, crashes=crashes)
        self.stuck.clear()
        leases.clear(self.c, [lease.partition])

    def work_off(self, events: list[Event], *, alone: bool = False, crashes: int = 0) -> None:
        """Decide claimed events in lanes: what shares no row together, what shares one by program.

        Within a lane the order of each owner is kept: behind an event that waits for its own lane, its
        owner's later ones wait as well.
        """
        waiting = list(events)
        needs: process.Needs = {}
        plans = process.plan(self.c, waiting)
        while waiting := self.not_stuck(waiting):
            lane = plans.lane(waiting[0])
            batch: list[Event] = []
            rest: list[Event] = []
            skipped: set[UUID] = set()
            for event in waiting:
                if plans.lane(event) == lane and not (skipped and event.owner_id in skipped):
                    batch.append(event)
                else:
                    rest.append(event)
                    skipped.add(event.owner_id)
            try:
                leave = self.leaves and not rest
                left = self.attempt(_Attempt(batch, plans, needs, alone, crashes, leave))
            except process.Outdated:
                plans = process.plan(self.c, waiting, anew=True)
                # Halves of this batch may be done; what is still in the inbox is claimed again.
                waiting = self.still_waiting(waiting)
                continue
            waiting = sorted(rest + left, key=lambda event: event.position)

    def not_stuck(self, events: list[Event]) -> list[Event]:
        """Return the events of owners of whom none failed in this stay."""
        return [event for event in events if event.owner_id not in self.stuck] if self.stuck else events

    def still_waiting(self, events: list[Event]) -> list[Event]:
        """Return those of some claimed events that nobody has decided yet."""
        there = inbox.present(self.c, events)
        return [event for event in events if event.position in there]

    def attempt(self, it: "_Attempt") -> list[Event]:
        """Decide a batch; where it fails as a whole, halve it until the events at fault are alone.

        Returns the events that need more rows locked. A failed lone event is counted, and its owner waits.
        """
        marks = self.marks(it)
        try:
            leave = self.held if it.leave else ()
            left = process.batch(self.c, marks, it.events, it.plans, it.needs, self.numbers, leave=leave)
            if it.leave and not left:
                self.held = []
            return left
        except (psycopg.OperationalError, psycopg.InterfaceError, process.Outdated):
            raise
        except Exception as error:
            if self.c.closed or self.c.broken:
                raise
            leases.clear(self.c, [mark.partition for mark in marks])
            if len(it.events) == 1:
                self.count_failure(it.events[0], error)
                return []
        half = len(it.events) // 2
        left = self.attempt(it.part(it.events[:half]))
        # Behind an event that needs more, its owner's later ones go with it; behind a failed one they stay.
        leaving = {event.owner_id for event in left}
        left += [event for event in it.events[half:] if event.owner_id in leaving]
        rest = [event for event in it.events[half:] if event.owner_id not in leaving | self.stuck]
        return left + (self.attempt(it.part(rest)) if rest else [])

    def marks(self, it: "_Attempt") -> list[Lease]:
        """Return what of each partition is in a batch."""
        first: dict[int, int] = {}
        last: dict[int, int] = {}
        for event in it.events:
            first.setdefault(event.partition, event.position)
            last[event.partition] = event.position
        return [
            Lease(partition, self.worker, first[partition], last[partition], it.alone, it.crashes)
            for partition in first
        ]

    def count_failure(self, event: Event, error: Exception) -> None:
        """Count a failure isolated to one event; its owner waits 2, 4, 8, 16 seconds, then the event ends."""
        attempts = event.attempts + 1
        message = f"{type(error).__name__}: {error}".replace("\x00", "")[:500]
        log.error("event_attempt_failed", event_id=str(event.id), attempts=attempts, exc_info=error)
        if attempts >= ATTEMPTS_MAX:
            process.fail(self.c, event, EventErrorCode.ATTEMPTS_EXHAUSTED, message)
            return
        self.stuck.add(event.owner_id)
        with self.c.transaction():
            until = db.read_clock(self.c) + timedelta(seconds=2**attempts)
            inbox.failed_attempt(self.c, event, attempts, until, message)


@dataclass(frozen=True, slots=True)
class _Attempt:
    """A batch with what it is planned with, under what mark it runs, and whether it is the last of a stay."""

    events: list[Event]
    plans: process.Plans
    needs: process.Needs
    alone: bool
    crashes: int
    leave: bool

    def part(self, events: list[Event]) -> "_Attempt":
        return _Attempt(events, self.plans, self.needs, self.alone, self.crashes, leave=False)
