"""Lanes: work that time made due is done in its order, by one worker at a time, in short transactions.

A lane has its backlog in a table of its own, read by the time it is due; a message only says "look". Events
are inserted only while few wait (decision C17), so that a million due rows never stand before a live event.
"""

import contextlib
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from enum import StrEnum

import redis
from dramatiq.errors import BrokerError

from app.db import Connection, transaction
from app.queue import client, ringer, send
from app.store import inbox

ROOM_EVENTS_MAX = 2_000  # Events that may wait before a lane adds some (decision C17).
# Where a backlog may be of millions: a live event stands behind what the lane has added, some hundredths of a
# second of work. While that is decided the lane rests, which leaves room on the machine as well.
FAIR_EVENTS_MAX = 25
TURN_SECONDS = 0.5  # Then the worker takes other work; the lane is rung again.
REST_SECONDS = 0.015  # How long a lane that found no room waits before it looks again.
BELL_MILLISECONDS = 2_000  # A bell that was lost with its message rings again after this.
LOCK_CLASS = 0x466C4C61  # The first of the two numbers of a lane's advisory lock; partitions have another.


class Lane(StrEnum):
    """The kinds of due work that have an order of their own."""

    AUTOMATIONS = "automations"
    FIRINGS = "firings"
    SUBSCRIPTIONS = "subscriptions"
    REFRESHES = "refreshes"
    TIER_REVIEWS = "tier_reviews"
    TIER_CHANGES = "tier_changes"
    ERASURES = "erasures"
    IMPORTS = "imports"


@dataclass(frozen=True, slots=True)
class Turn:
    """What one transaction did: whether more is due, and which partitions have new events.

    `full` says that there was no room for the events of what is due.
    """

    more: bool
    partitions: Collection[int] = ()
    full: bool = False


NOTHING = Turn(more=False)
FULL = Turn(more=True, full=True)
Step = Callable[[Connection], Turn]


def run(lane: Lane, step: Step, seconds: float = TURN_SECONDS) -> bool:
    """Take steps, one transaction each, until nothing is due or the turn is over; True where more is due.

    Does nothing where another worker is at it: then that one goes on.
    """
    end = time.monotonic() + seconds
    while True:
        with transaction() as c:
            if not _alone(c, lane):
                return False
            turn = step(c)
        ringer.ring(turn.partitions)
        if not turn.more:
            return False
        if time.monotonic() > end:
            return True
        if turn.full:
            time.sleep(REST_SECONDS)  # Room comes with what the workers decide; nobody rings for it.


def has_room(c: Connection, most: int = ROOM_EVENTS_MAX) -> bool:
    """Say whether a lane may insert events now: while fewer than `most` wait."""
    return inbox.count(c, most) < most


def ring(lane: Lane) -> None:
    """Have a worker look at a lane; at most one message is under way. Raises redis.RedisError."""
    if client().set(bell_key(lane), 1, nx=True, px=BELL_MILLISECONDS):
        send("work_off", lane=str(lane))


def ring_softly(lane: Lane) -> None:
    """Ring after a request; where it fails, the scheduler rings within a second."""
    with contextlib.suppress(redis.RedisError, BrokerError, OSError):
        ring(lane)


def bell_key(lane: Lane) -> str:
    """Return the key that is set while a message for the lane is under way."""
    return f"florin:bell:lane:{lane}"


def _alone(c: Connection, lane: Lane) -> bool:
    row = c.execute(
        "SELECT pg_try_advisory_xact_lock(%s, %s) AS mine", (LOCK_CLASS, _number(lane))
    ).fetchone()
    return bool(row and row["mine"])


def _number(lane: Lane) -> int:
    return list(Lane).index(lane)
