"""The inbox: claiming waiting events in order, blocking owners that wait for a retry, counting."""

from collections.abc import Collection
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple

from psycopg.rows import tuple_row

from app.db import Connection, limited
from app.domain.events import Event
from app.domain.ids import id_of
from app.domain.json import loads_all
from app.domain.names import EventType

_TYPES = {kind.value: kind for kind in EventType}
WINDOW = 1_000  # Inbox rows looked at in one claim, so that blocked owners cannot make a claim long.

# The window is cut first and filtered after, so that the scan is bounded whatever is blocked.
_CLAIM = """
WITH w AS MATERIALIZED ($window)
SELECT e.event_data::text, (SELECT count(*) FROM w), w.attempts, w.partition, w.position,
    NULLIF(w.owner_id, e.participant_id), e.organization_id::text, e.program_id::text, e.participant_id::text,
    e.event_type, e.seq, e.id, e.group_id, e.recipient_id, e.external_id, e.idempotency_key,
    e.event_timestamp, e.created_at, e.depth
FROM (SELECT * FROM w
      WHERE NOT EXISTS (SELECT 1 FROM blocked_owners b
          WHERE b.owner_id = w.owner_id AND b.until > (SELECT read_clock()))
      ORDER BY position LIMIT $limit) w
JOIN events e ON e.organization_id = w.organization_id AND e.seq = w.event_seq
ORDER BY w.position
"""


# The limit of each is none that tells; without it the planner would sort partitions instead of merging them
# along the primary key, no further than the window.
_WAITING = "(SELECT * FROM inbox WHERE partition = %s AND position > %s ORDER BY position LIMIT $limit)"


class Claimed(NamedTuple):
    """Waiting events in order; `more` says that others may stand behind the rows that were looked at."""

    events: list[Event]
    more: bool


def claim(c: Connection, partitions: Collection[int], *, after: int, limit: int) -> Claimed:
    """Return the next waiting events of partitions, in order, without those of blocked owners."""
    return read_claim(start_claim(c, partitions, after=after, limit=limit), limit)


def start_claim(c: Connection, partitions: Collection[int], *, after: int, limit: int) -> Any:
    """Start the query of `claim`, for use in a pipeline."""
    return c.cursor(row_factory=tuple_row).execute(
        _claim(len(partitions), limit), _places(partitions, after)
    )


@cache
def _claim(partitions: int, limit: int) -> str:
    return limited(_CLAIM, limit).replace("$window", _window(partitions, max(WINDOW, limit)))


def _window(partitions: int, rows: int) -> str:
    """Return the query of the next rows of so many partitions."""
    each = " UNION ALL ".join([_WAITING] * partitions)
    return limited(f"SELECT * FROM ({each}) i ORDER BY position LIMIT $limit", rows)


def _places(partitions: Collection[int], after: int) -> list[int]:
    """Return the parameters of `_window`."""
    return [number for partition in partitions for number in (partition, after)]


def read_claim(cursor: Any, limit: int) -> Claimed:
    """Finish the query of `claim`. Where no event was found, `more` is not known and False."""
    rows = cursor.fetchall()
    more = bool(rows) and (len(rows) == limit or rows[0][1] >= WINDOW)
    return Claimed(list(map(_event, rows, loads_all(row[0] for row in rows))), more)


def _event(row: tuple[Any, ...], event_data: dict[str, Any]) -> Event:
    (_, _, attempts, partition, position, owner_id, organization, program, person, kind, seq, event_id,
     group_id, recipient_id, external_id, key, happened_at, created_at, depth) = row
    participant_id: Any = None if person is None else id_of(person)
    return Event(
        id_of(organization), seq, event_id, id_of(program), _TYPES[kind], participant_id, group_id,
        recipient_id, external_id, key, happened_at, created_at, event_data, depth,
        owner_id or participant_id, attempts, partition, position,
    )


def last_in_window(c: Connection, partitions: Collection[int], after: int) -> int | None:
    """Return the last position of a full window in which every owner was blocked, else None."""
    row = c.execute(
        f"SELECT max(position) AS last, count(*) AS n FROM ({_window(len(partitions), WINDOW)}) w",
        _places(partitions, after),
    ).fetchone()
    return row["last"] if row and row["n"] == WINDOW else None


def present(c: Connection, events: Collection[Event]) -> set[int]:
    """Return the positions of those events that are still waiting."""
    rows = c.execute(
        "SELECT i.position FROM inbox i JOIN unnest(%s::int[], %s::bigint[]) e(partition, position)"
        " ON i.partition = e.partition AND i.position = e.position",
        ([event.partition for event in events], [event.position for event in events]),
    )
    return {row["position"] for row in rows}


_DONE = """
WITH gone AS (
    DELETE FROM inbox i USING unnest(%(partitions)s::int[], %(positions)s::bigint[]) e(partition, position)
    WHERE i.partition = e.partition AND i.position = e.position RETURNING 1)
SELECT expect(count(*) = cardinality(%(positions)s::bigint[]), 'somebody else decided these events') FROM gone
"""


def done(c: Connection, events: Collection[Event]) -> None:
    """Delete the rows of decided events; where one is gone already, the transaction fails."""
    partitions = ",".join([str(event.partition) for event in events])
    positions = ",".join([str(event.position) for event in events])
    c.execute(_DONE, {"partitions": f"{{{partitions}}}", "positions": f"{{{positions}}}"})


def failed_attempt(c: Connection, event: Event, attempts: int, until: datetime, message: str) -> None:
    """Note a failed attempt and block the event's owner until the next one."""
    c.execute(
        "UPDATE inbox SET attempts = %s, error_message = %s WHERE partition = %s AND position = %s",
        (attempts, message, event.partition, event.position),
    )
    c.execute(
        "INSERT INTO blocked_owners (owner_id, partition, until) VALUES (%s, %s, %s)"
        " ON CONFLICT (owner_id) DO UPDATE SET until = excluded.until",
        (event.owner_id, event.partition, until),
    )


def unblock(c: Connection, owners: list[Any]) -> None:
    """Remove the blocks of owners whose head event is decided."""
    c.execute("DELETE FROM blocked_owners WHERE owner_id = ANY(%s::uuid[])", (owners,))


def requeue(c: Connection, row: dict[str, Any]) -> None:
    """Put a failed event back at the tail of its partition, with fresh attempts."""
    c.execute(
        "INSERT INTO inbox (partition, position, organization_id, event_seq, owner_id)"
        " VALUES (%s, nextval('event_seq'), %s, %s, %s)",
        (row["partition"], row["organization_id"], row["seq"],
         row["participant_id"] or row["group_id"] or row["program_id"]),
    )


def waiting_partitions(c: Connection, older_than: datetime) -> list[int]:
    """Return the partitions with an event that has waited since before `older_than` and may run."""
    rows = c.execute(
        "SELECT p.partition FROM partition_leases p WHERE EXISTS (SELECT 1 FROM (SELECT i.* FROM inbox i"
        "   WHERE i.partition = p.partition ORDER BY i.position LIMIT 1) i"
        "   JOIN events e ON e.organization_id = i.organization_id AND e.seq = i.event_seq"
        "   WHERE e.created_at <= %s) ORDER BY p.partition",
        (older_than,),
    ).fetchall()
    return [row["partition"] for row in rows]


def count(c: Connection, limit: int) -> int:
    """Return how many events wait, counted no further than `limit`."""
    row = c.execute("SELECT count(*) AS n FROM (SELECT 1 FROM inbox LIMIT %s) w", (limit,)).fetchone()
    return int(row["n"]) if row else 0


