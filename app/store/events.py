"""Events: inserting them with their inbox rows, and reading them one by one."""

from typing import Any
from uuid import UUID

from app.db import Connection
from app.domain.events import Submission
from app.domain.ids import PARTITIONS
from app.domain.json import dumps

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

# An event of a participant who is known and enrolled, in an active program: looked up and inserted at once.
_INSERT_PLAIN = """
WITH e AS (
    INSERT INTO events (organization_id, seq, id, program_id, event_type, participant_id, external_id,
        idempotency_key, event_timestamp, created_at, event_data, partition)
    SELECT g.organization_id, nextval('event_seq'), %(id)s, g.id, 'EXTERNAL', n.participant_id,
        %(external_id)s, %(key)s, %(timestamp)s, read_clock(), %(data)s::jsonb,
        get_byte(uuid_send(n.participant_id), 14) %% {partitions}
    FROM programs g
    JOIN enrollments n ON n.organization_id = g.organization_id AND n.program_id = g.id
        AND n.participant_id = {participant} AND n.status = 'ACTIVE'
    WHERE g.organization_id = %(organization_id)s AND g.id = %(program_id)s AND g.status = 'ACTIVE'
    ON CONFLICT (organization_id, id) DO NOTHING
    RETURNING organization_id, seq, partition, participant_id
), i AS (
    INSERT INTO inbox (partition, position, organization_id, event_seq, owner_id)
    SELECT partition, seq, organization_id, seq, participant_id FROM e
)
SELECT partition, participant_id FROM e
"""
_INSERT_BY_ID = _INSERT_PLAIN.format(partitions=PARTITIONS, participant="%(participant_id)s")
_INSERT_BY_NAME = _INSERT_PLAIN.format(partitions=PARTITIONS, participant="""(
            SELECT p.id FROM participants p
            WHERE p.organization_id = %(organization_id)s AND p.external_id = %(external_id)s)""")

_COLUMNS = """
    e.organization_id, e.seq, e.id, e.program_id, e.event_type, e.participant_id, e.group_id, e.recipient_id,
    e.external_id, e.recipient_external_id, e.idempotency_key, e.event_timestamp, e.created_at,
    e.event_data, e.partition, e.depth, e.caused_by_event_id, e.automation_id,
    d.status AS decided, d.decided_at, d.error_code, d.error_message AS decision_error, d.commit_order,
    d.ruleset_version, i.attempts, i.position, i.error_message AS attempt_error,
    (l.worker IS NOT NULL AND i.position BETWEEN l.from_position AND l.to_position) AS leased
"""

_FROM = """
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


def insert_rows(c: Connection, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Insert events with their inbox rows; returns `id` and `partition` of those that were new."""
    return c.execute(INSERT, {"rows": dumps(rows)}).fetchall()


def insert_plain(
    c: Connection, organization_id: UUID, event_id: UUID, submission: Submission
) -> tuple[UUID, int] | None:
    """Insert an event; return its participant and partition.

    None, and nothing inserted, where the program is not active, the participant not known and enrolled, or
    the event exists.
    """
    row = c.execute(
        _INSERT_BY_NAME if submission.participant_id is None else _INSERT_BY_ID,
        {
            "organization_id": organization_id, "id": event_id, "program_id": submission.program_id,
            "participant_id": submission.participant_id, "external_id": submission.external_id,
            "key": submission.idempotency_key, "timestamp": submission.event_timestamp,
            "data": dumps(submission.event_data),
        },
    ).fetchone()
    return None if row is None else (row["participant_id"], row["partition"])


def existing(c: Connection, organization_id: UUID, ids: list[UUID]) -> dict[UUID, dict[str, Any]]:
    """Return the stored events among `ids`, with their status, by id."""
    rows = c.execute(
        f"SELECT {_COLUMNS} {_FROM} WHERE e.organization_id = %s AND e.id = ANY(%s)", (organization_id, ids)
    ).fetchall()
    return {row["id"]: row for row in rows}


def get(c: Connection, organization_id: UUID, event_id: UUID) -> dict[str, Any] | None:
    """Return one event with its status and latest decision."""
    return existing(c, organization_id, [event_id]).get(event_id)
