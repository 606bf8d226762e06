"""Partitions: who drains one, and what was in hand when a worker died."""

from dataclasses import dataclass
from typing import Any

import psycopg

from app.db import Connection

LOCK_CLASS = 0x466C6F72  # "Flor": the class of the advisory locks that partitions are held by.
LOCK_WAIT = "50ms"  # A holder may have read its last rows already: wait this long, then ring again.


@dataclass(frozen=True, slots=True)
class Lease:
    """The batch that a worker had in hand: positions `first` to `last`, alone or together."""

    worker: str
    first: int
    last: int
    alone: bool
    crashes: int


def start_acquire(c: Connection, partition: int) -> Any:
    """Start taking the partition without waiting, for use in a pipeline; the row's `mine` tells."""
    return c.execute("SELECT pg_try_advisory_lock(%s, %s) AS mine", (LOCK_CLASS, partition))


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


def release(c: Connection, partition: int) -> None:
    """Give the partition back."""
    c.execute(releasing(partition))


def releasing(partition: int) -> bytes:
    """Return the command of `release`, for use behind a commit."""
    return b"SELECT pg_advisory_unlock(%d, %d)" % (LOCK_CLASS, partition)


def left_behind(c: Connection, partition: int) -> Lease | None:
    """Return the batch that a former holder did not finish, None where it finished in order."""
    return read_left_behind(start_left_behind(c, partition))


def start_left_behind(c: Connection, partition: int) -> Any:
    """Start the query of `left_behind`, for use in a pipeline."""
    return c.execute(
        "SELECT worker, from_position, to_position, alone, crashes FROM partition_leases"
        " WHERE partition = %s AND worker IS NOT NULL",
        (partition,),
    )


def read_left_behind(cursor: Any) -> Lease | None:
    """Finish the query of `left_behind`."""
    row = cursor.fetchone()
    if row is None:
        return None
    return Lease(row["worker"], row["from_position"], row["to_position"], row["alone"], row["crashes"])


MARK = (
    "UPDATE partition_leases SET worker = %s, from_position = %s, to_position = %s, alone = %s, crashes = %s"
    " WHERE partition = %s"
)


def mark(c: Connection, partition: int, lease: Lease) -> None:
    """Write down what is about to be worked on. Committed without waiting for the disk by its caller."""
    c.execute(MARK, (lease.worker, lease.first, lease.last, lease.alone, lease.crashes, partition))


def clear(c: Connection, partition: int) -> None:
    """Take the mark away: in the transaction that finished the batch, or after one that was undone."""
    c.execute("UPDATE partition_leases SET worker = NULL WHERE partition = %s", (partition,))


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
