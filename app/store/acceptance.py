"""What accepting events reads and writes besides the events: programs, people, enrollments."""

from datetime import datetime
from typing import Any
from uuid import UUID

from app.db import Connection
from app.domain.json import dumps

_PROGRAMS = """
SELECT id, status, on_unknown_participant FROM programs
WHERE organization_id = %(organization_id)s AND id = ANY(%(ids)s::uuid[])
"""

# Equalities for each one asked for, kept apart by OFFSET 0: whatever the planner believes of the size of the
# tables, it looks every row up by its whole key.
_ENROLLED = """
LEFT JOIN LATERAL (SELECT e.program_id FROM enrollments e
    WHERE e.organization_id = %(organization_id)s AND e.participant_id = p.id AND e.status = 'ACTIVE'
        AND e.program_id = ANY(%(programs)s::uuid[]) OFFSET 0) e ON true
"""

_BY_EXTERNAL_ID = f"""
SELECT p.id, p.external_id, e.program_id
FROM unnest(%(external_ids)s::text[]) AS x(external_id)
CROSS JOIN LATERAL (SELECT p.id, p.external_id FROM participants p
    WHERE p.organization_id = %(organization_id)s AND p.external_id = x.external_id OFFSET 0) p
{_ENROLLED}
"""

_BY_ID = f"""
SELECT p.id, p.external_id, e.program_id
FROM unnest(%(ids)s::uuid[]) AS x(id)
CROSS JOIN LATERAL (SELECT p.id, p.external_id FROM participants p
    WHERE p.organization_id = %(organization_id)s AND p.id = x.id AND p.erased_at IS NULL OFFSET 0) p
{_ENROLLED}
"""

_CREATE = """
WITH r AS MATERIALIZED (
    SELECT * FROM jsonb_to_recordset(%(rows)s::jsonb) AS r(id uuid, x text)
), o AS (
    INSERT INTO owners (organization_id, id, kind) SELECT %(organization_id)s, id, 'PARTICIPANT' FROM r
)
INSERT INTO participants (organization_id, id, external_id, created_at, updated_at)
SELECT %(organization_id)s, id, x, %(at)s, %(at)s FROM r
ON CONFLICT (organization_id, external_id) DO NOTHING RETURNING id
"""

_ENROLL = """
INSERT INTO enrollments (organization_id, program_id, participant_id, enrolled_at, updated_at)
SELECT %(organization_id)s, r.p, r.i, %(at)s, %(at)s
FROM jsonb_to_recordset(%(rows)s::jsonb) AS r(p uuid, i uuid)
ORDER BY r.i, r.p
ON CONFLICT (organization_id, participant_id, program_id)
    DO UPDATE SET status = 'ACTIVE', updated_at = excluded.updated_at WHERE enrollments.status <> 'ACTIVE'
"""


def programs(c: Connection, organization_id: UUID, ids: list[UUID]) -> Any:
    """Start reading programs by id; the cursor yields `id`, `status`, `on_unknown_participant`."""
    return c.execute(_PROGRAMS, {"organization_id": organization_id, "ids": ids})


def people_by_external_id(
    c: Connection, organization_id: UUID, external_ids: list[str], program_ids: list[UUID]
) -> Any:
    """Start reading participants by external id, a row for each ACTIVE enrollment among the programs."""
    return c.execute(
        _BY_EXTERNAL_ID,
        {"organization_id": organization_id, "external_ids": external_ids, "programs": program_ids},
    )


def people_by_id(c: Connection, organization_id: UUID, ids: list[UUID], program_ids: list[UUID]) -> Any:
    """Do the same by id; who was erased is unknown."""
    return c.execute(_BY_ID, {"organization_id": organization_id, "ids": ids, "programs": program_ids})


def create_people(
    c: Connection, organization_id: UUID, people: list[tuple[UUID, str]], at: datetime
) -> int:
    """Create participants from (id, external id); returns how many were new, the rest lost a race."""
    rows = dumps([{"id": str(person), "x": external_id} for person, external_id in people])
    return c.execute(_CREATE, {"organization_id": organization_id, "rows": rows, "at": at}).rowcount


def enroll(c: Connection, organization_id: UUID, pairs: list[tuple[UUID, UUID]], at: datetime) -> None:
    """Enroll (program, participant) pairs; an inactive enrollment becomes active again."""
    rows = dumps([{"p": str(program), "i": str(person)} for program, person in pairs])
    c.execute(_ENROLL, {"organization_id": organization_id, "rows": rows, "at": at})
