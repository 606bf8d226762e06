"""Partitions: who drains one, and what was in hand when a worker died."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import psycopg

from app.db import Connection

LOCK_CLASS = 0x466C6F72  # "Flor": the class of the advisory locks that partitions are held by.
LOCK_WAIT = "50ms"  # A holder may have read its last rows already: wait this long, then ring again.


@dataclass(frozen=True, slots=True)
class Lease:
    """What a worker had in hand of a partition: positions `first` to `last`, alone or together."""

    partition: int
    worker: str
    first: int
    last: int
    alone: bool
    crashes: int


def start_acquire(c: Connection, partitions: Collection[int]) -> Any:
    """Start taking partitions without waiting, for use in a pipeline."""
    return c.execute(
        "SELECT partition, pg_try_advisory_lock(%s, partition) AS mine FROM unnest(%s::int[]) p(partition)",
        (LOCK_CLASS, list(partitions)),
    )


def read_acquired(cursor: Any) -> list[int]:
    """Finish `start_acquire`: the partitions that are this session's now, in order."""
    return sorted(row["partition"] for row in cursor if row["mine"])


def acquire(c: Connection, partition: int) -> bool:
    """Take the partition for this session; False while another session keeps it.

    The lock goes with the connection: when a worker dies, its partition is free at once.
    """
    try:
        with c.transaction():
            c.execute(f"SET LOCAL lock_timeout = '{LOCK_WAIT}'")
            c.execute("SELECT pg_advisory_lock(%s, %s)", (LOCK_CLASS, partition))
    except psycopg.errors.LockNotAvailable:
        return False
    return True


def release(c: Connection, partitions: Collection[int]) -> None:
    """Give partitions back."""
    c.execute(releasing(partitions))


def releasing(partitions: Collection[int]) -> bytes:
    """Return the command of `release`, for use behind a commit."""
    return b"SELECT " + b", ".join(
        b"pg_advisory_unlock(%d, %d)" % (LOCK_CLASS, partition) for partition in partitions
    )


def left_behind(c: Connection, partitions: Collection[int]) -> list[Lease]:
    """Return what former holders of partitions did not finish."""
    return read_left_behind(start_left_behind(c, partitions))


def start_left_behind(c: Connection, partitions: Collection[int]) -> Any:
    """Start the query of `left_behind`, for use in a pipeline."""
    return c.execute(
        "SELECT partition, worker, from_position AS first, to_position AS last, alone, crashes"
        " FROM partition_leases WHERE partition = ANY(%s::int[]) AND worker IS NOT NULL ORDER BY partition",
        (list(partitions),),
    )


def read_left_behind(cursor: Any) -> list[Lease]:
    """Finish the query of `left_behind`."""
    return [Lease(**row) for row in cursor]


MARK = """
UPDATE partition_leases l
SET worker = %s, from_position = m.first, to_position = m.last, alone = %s, crashes = %s
FROM unnest(%s::int[], %s::bigint[], %s::bigint[]) m(partition, first, last) WHERE l.partition = m.partition
"""


def mark(c: Connection, leases: Collection[Lease]) -> None:
    """Write down what is about to be worked on by one worker, all of it alone or none.

    Committed without waiting for the disk by its caller.
    """
    any_of_them = next(iter(leases))
    c.execute(MARK, (
        any_of_them.worker, any_of_them.alone, any_of_them.crashes,
        [lease.partition for lease in leases], [lease.first for lease in leases],
        [lease.last for lease in leases],
    ))


def clear(c: Connection, partitions: Collection[int]) -> None:
    """Take the marks away: in the transaction that finished the batch, or after one that was undone."""
    c.execute(
        "UPDATE partition_leases SET worker = NULL WHERE partition = ANY(%s::int[])", (list(partitions),)
    )


def forgive(c: Connection, worker: str) -> None:
    """Take away this worker's own marks after it lost its connection: it did not die."""
    c.execute("UPDATE partition_leases SET worker = NULL WHERE worker = %s", (worker,))


# PostgreSQL's own time-outs of idle sessions and transactions begin when it has said that it is ready; inside
# a pipeline it does not, and a holder that hangs there would keep its partition and its locks for ever. How
# long a session says nothing is a matter of real time: a test clock that jumps must not end it.
_FREE = """
SELECT pg_terminate_backend(a.pid) FROM pg_stat_activity a
WHERE a.datname = current_database() AND a.usename = current_user AND a.wait_event = 'ClientRead'
    AND a.query_start < clock_timestamp() - %s::interval
    AND (a.backend_xid IS NOT NULL OR EXISTS (
        SELECT FROM pg_locks l WHERE l.pid = a.pid AND l.locktype = 'advisory' AND l.granted
            AND l.classid = %s))
"""
HUNG_AFTER = "8s"


def free_from_hung(c: Connection) -> int:
    """End sessions that hold a partition or have written, and whose process has said nothing for long.

    Returns how many. A process that was only slow finds its connection lost and its batch undone.
    """
    return c.execute(_FREE, (HUNG_AFTER, LOCK_CLASS)).rowcount
