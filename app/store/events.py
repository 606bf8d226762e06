"""Events: inserting them with their inbox rows, and reading them one by one."""

from collections.abc import Iterable
from typing import Any, LiteralString, TypedDict
from uuid import UUID

from app.db import Connection, id_array
from app.domain.events import Submission
from app.domain.ids import PARTITIONS
from app.domain.json import dumps


class Inserted(TypedDict):
    """What an insert returns of an event."""

    organization_id: UUID
    id: UUID
    partition: int
    participant_id: UUID


# One statement, rows as one JSON parameter; the sequence is drawn in the rows' order.
INSERT = """
WITH r AS MATERIALIZED (
    SELECT * FROM jsonb_to_recordset(%(rows)s::jsonb) AS r(
        o uuid, id uuid, p uuid, t text, pa uuid, gr uuid, re uuid, x text, rx text, k text,
        ts timestamptz, at timestamptz, d jsonb, pt smallint, ow uuid, dp smallint, cb uuid, au uuid)
), e AS (
    INSERT INTO events (organization_id, seq, id, program_id, event_type, participant_id, group_id,
        recipient_id, external_id, recipient_external_id, idempotency_key, event_timestamp, created_at,
        event_data, partition, depth, caused_by_event_id, automation_id)
    SELECT o, nextval('event_seq'), id, p, t, pa, gr, re, x, rx, k, ts, at, d, pt, dp, cb, au FROM r
    ON CONFLICT (organization_id, id) DO NOTHING
    RETURNING organization_id, seq, id, partition, COALESCE(participant_id, group_id, program_id) AS owner_id
), i AS (
    INSERT INTO inbox (partition, position, organization_id, event_seq, owner_id)
    SELECT partition, seq, organization_id, seq, owner_id FROM e
)
SELECT id, partition FROM e
"""

# Events of participants who are known and enrolled, in active programs: looked up and inserted at once. The
# look-ups are scalar, so that no plan reads a whole table; sorted, so that two statements cannot wait for
# each other in a circle.
_INSERT_PLAIN = f"""
WITH r AS MATERIALIZED (
    SELECT r.*, COALESCE(r.pa, (SELECT p.id FROM participants p
        WHERE p.organization_id = r.o AND p.external_id = r.x)) AS person
    FROM jsonb_to_recordset(%(rows)s::jsonb) AS r(
        o uuid, id uuid, p uuid, pa uuid, x text, k text, ts timestamptz, d jsonb)
), e AS (
    INSERT INTO events (organization_id, seq, id, program_id, event_type, participant_id, external_id,
        idempotency_key, event_timestamp, created_at, event_data, partition)
    SELECT r.o, nextval('event_seq'), r.id, r.p, 'EXTERNAL', r.person, r.x, r.k, r.ts,
        (SELECT read_clock()), r.d, get_byte(uuid_send(r.person), 14) %% {PARTITIONS}
    FROM r
    WHERE (SELECT g.status FROM programs g WHERE g.organization_id = r.o AND g.id = r.p) = 'ACTIVE'
        AND (SELECT n.status FROM enrollments n WHERE n.organization_id = r.o AND n.program_id = r.p
            AND n.participant_id = r.person) = 'ACTIVE'
    ORDER BY r.o, r.id
    ON CONFLICT (organization_id, id) DO NOTHING
    RETURNING organization_id, id, seq, partition, participant_id
), i AS (
    INSERT INTO inbox (partition, position, organization_id, event_seq, owner_id)
    SELECT partition, seq, organization_id, seq, participant_id FROM e
)
SELECT organization_id, id, partition, participant_id FROM e
"""

# The same for a batch of one organization, its data taken out of the request's own text: either all events
# are plain, or none is kept. Numbers are drawn in the order of the array, rows are inserted in the order of
# their ids: two batches cannot wait in a circle.
_INSERT_BATCH = f"""
WITH s AS MATERIALIZED (
    SELECT o.*, nextval('event_seq') AS seq, o.p = ANY (ARRAY(SELECT g.id FROM programs g
            WHERE g.organization_id = %(organization_id)s AND g.id = ANY (%(programs)s::uuid[])
                AND g.status = 'ACTIVE'))
        AND (SELECT n.status FROM enrollments n WHERE n.organization_id = %(organization_id)s
            AND n.program_id = o.p AND n.participant_id = o.person) = 'ACTIVE' AS plain
    FROM (
        SELECT b.id, b.ts, (b.item->>'program_id')::uuid AS p, b.item->>'external_id' AS x,
            b.item->>'idempotency_key' AS k, b.item->'event_data' AS d,
            COALESCE((b.item->>'participant_id')::uuid, (SELECT p.id FROM participants p
                WHERE p.organization_id = %(organization_id)s
                    AND p.external_id = b.item->>'external_id')) AS person
        FROM ROWS FROM (
            jsonb_array_elements(%(text)s::jsonb->'events'), unnest(%(ids)s::uuid[]),
            unnest(%(instants)s::timestamptz[])
        ) WITH ORDINALITY AS b(item, id, ts, place) ORDER BY b.place) o
), e AS (
    INSERT INTO events (organization_id, seq, id, program_id, event_type, participant_id, external_id,
        idempotency_key, event_timestamp, created_at, event_data, partition)
    SELECT %(organization_id)s, s.seq, s.id, s.p, 'EXTERNAL', s.person, s.x, s.k, s.ts,
        (SELECT read_clock()), s.d, get_byte(uuid_send(s.person), 14) %% {PARTITIONS}
    FROM s
    WHERE NOT EXISTS (SELECT 1 FROM s WHERE plain IS NOT TRUE)
    ORDER BY s.id
    ON CONFLICT (organization_id, id) DO NOTHING
    RETURNING seq, partition, participant_id
), i AS (
    INSERT INTO inbox (partition, position, organization_id, event_seq, owner_id)
    SELECT partition, seq, %(organization_id)s, seq, participant_id FROM e
)
SELECT count(*) AS inserted, string_agg(participant_id::text, ',' ORDER BY seq) AS people,
    array_agg(DISTINCT partition) AS partitions FROM e
"""

COLUMNS: LiteralString = """
    e.organization_id, e.seq, e.id, e.program_id, e.event_type, e.participant_id, e.group_id, e.recipient_id,
    e.external_id, e.recipient_external_id, e.idempotency_key, e.event_timestamp, e.created_at,
    e.event_data, e.partition, e.depth, e.caused_by_event_id, e.automation_id,
    d.status AS decided, d.decided_at, d.error_code, d.error_message AS decision_error, d.commit_order,
    d.ruleset_version, i.attempts, i.position, i.error_message AS attempt_error,
    (l.worker IS NOT NULL AND i.position BETWEEN l.from_position AND l.to_position) AS leased
"""

FROM: LiteralString = """
FROM events e
LEFT JOIN LATERAL (
    SELECT * FROM decisions d WHERE d.organization_id = e.organization_id AND d.event_seq = e.seq
    ORDER BY d.commit_order DESC LIMIT 1) d ON true
LEFT JOIN LATERAL (
    SELECT * FROM inbox w WHERE w.partition = e.partition AND w.position = e.seq
    UNION ALL
    SELECT * FROM inbox w WHERE w.event_seq = e.seq AND w.position <> w.event_seq LIMIT 1) i ON true
LEFT JOIN partition_leases l ON l.partition = e.partition AND i.position IS NOT NULL
"""


# Each id looked up by its whole key, whatever the planner believes about the size of the table.
FROM_IDS: LiteralString = FROM.replace("FROM events e", """
FROM unnest(%(ids)s::uuid[]) AS x(id)
CROSS JOIN LATERAL (SELECT * FROM events e
    WHERE e.organization_id = %(organization_id)s AND e.id = x.id OFFSET 0) e""")


def insert_rows(c: Connection, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Insert events with their inbox rows; returns `id` and `partition` of those that were new."""
    return c.execute(INSERT, {"rows": dumps(rows)}).fetchall()


def insert_plain(
    c: Connection, submitted: list[tuple[UUID, UUID, Submission]]
) -> dict[tuple[UUID, UUID], Inserted]:
    """Insert events given as (organization, id, submission); return rows by organization and id.

    Left out is what is not plain: an event that exists, a program that is not active, a participant who is
    not known and enrolled, a recipient.
    """
    rows = [
        {"o": organization_id, "id": event_id, "p": one.program_id, "pa": one.participant_id,
         "x": one.external_id, "k": one.idempotency_key, "ts": one.event_timestamp, "d": one.event_data}
        for organization_id, event_id, one in submitted
    ]
    found: list[Any] = c.execute(_INSERT_PLAIN, {"rows": dumps(rows)}).fetchall()
    return {(row["organization_id"], row["id"]): row for row in found}


def insert_batch(
    c: Connection, organization_id: UUID, text: str, ids: list[str], instants: list[str],
    programs: Iterable[UUID],
) -> tuple[list[str], list[int]]:
    """Insert the events of a request's text, under these ids; return their people in order, and partitions.

    All of them are plain (see `insert_plain`), or none is inserted. Those that exist are left out, and their
    participants with them.
    """
    row = c.execute(_INSERT_BATCH, {
        "organization_id": organization_id, "text": text, "ids": _array(ids), "instants": _array(instants),
        "programs": id_array(programs),
    }).fetchone()
    assert row is not None
    return (row["people"].split(","), row["partitions"]) if row["inserted"] else ([], [])


def _array(plain: list[str]) -> str:
    """Return texts without any character that means something there as the text of an array."""
    return "{" + ",".join(plain) + "}"


def existing(c: Connection, organization_id: UUID, ids: list[UUID]) -> dict[UUID, dict[str, Any]]:
    """Return the stored events among `ids`, with their status, by id."""
    rows = c.execute(
        f"SELECT {COLUMNS} {FROM_IDS}", {"organization_id": organization_id, "ids": ids}
    ).fetchall()
    return {row["id"]: row for row in rows}


def get(c: Connection, organization_id: UUID, event_id: UUID) -> dict[str, Any] | None:
    """Return one event with its status and its latest decision, the packed evaluations and inputs too."""
    return c.execute(
        f"SELECT {COLUMNS}, d.evaluations, d.inputs {FROM} WHERE e.organization_id = %s AND e.id = %s",
        (organization_id, event_id),
    ).fetchone()


def lock(c: Connection, organization_id: UUID, event_id: UUID) -> bool:
    """Make others who want to change what becomes of an event wait; False where there is none."""
    row = c.execute(
        "SELECT 1 FROM events WHERE organization_id = %s AND id = %s FOR NO KEY UPDATE",
        (organization_id, event_id),
    ).fetchone()
    return row is not None
