"""The SQL of audiences: a program's participants, window by window, partition by partition.

A cursor is a participant's id, from which its partition follows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, LiteralString
from uuid import UUID

from app.db import Connection

# The window is cut first and filtered after, so that a step is bounded however few are wanted.
_ENROLLED: LiteralString = """
WITH w AS MATERIALIZED (
    SELECT participant_id, status, enrolled_at FROM enrollments
    WHERE organization_id = %(organization_id)s AND program_id = %(program_id)s
        AND (partition_of(participant_id), participant_id) > (partition_of(%(after)s), %(after)s)
    ORDER BY partition_of(participant_id), participant_id LIMIT %(limit)s
)
SELECT w.participant_id, w.enrolled_at, w.status = 'ACTIVE' AND w.enrolled_at <= %(since)s{hints} AS wanted
FROM w{owners} ORDER BY partition_of(w.participant_id), w.participant_id
"""
_OWNERS: LiteralString = (
    " JOIN owners o ON o.organization_id = %(organization_id)s AND o.id = w.participant_id"
)
_SUBSCRIBED: LiteralString = """
SELECT s.participant_id, s.enrolled_at, e.status IS NOT DISTINCT FROM 'ACTIVE' AS wanted
FROM automation_subscriptions s
LEFT JOIN enrollments e ON e.organization_id = s.organization_id AND e.participant_id = s.participant_id
    AND e.program_id = %(program_id)s
WHERE s.organization_id = %(organization_id)s AND s.automation_id = %(automation_id)s
    AND s.status = 'active' AND s.participant_id > %(after)s
ORDER BY s.participant_id LIMIT %(limit)s
"""
_HINTS: dict[str, tuple[LiteralString, str]] = {
    "has_tag": (" AND o.tags @> %(tags)s::text[]", "tags"),
    "has_attribute": (" AND o.attributes ?& %(attributes)s::text[]", "attributes"),
    "has_counter": (" AND o.counters ?& %(counters)s::text[]", "counters"),
}


@dataclass(frozen=True, slots=True)
class Member:
    """One participant of a window; `wanted` where the enrollment is ACTIVE and the hints hold."""

    participant_id: UUID
    enrolled_at: datetime
    wanted: bool


def enrolled(
    c: Connection, organization_id: UUID, program_id: UUID, *, after: UUID, limit: int, since: datetime,
    hints: Sequence[dict[str, str]] = (),
) -> list[Member]:
    """Return the next participants of a program; those enrolled later than `since` are not wanted."""
    clauses: list[LiteralString] = []
    values: dict[str, Any] = {}
    for hint in hints:
        for name, value in hint.items():
            clause, parameter = _HINTS[name]
            if parameter not in values:
                clauses.append(clause)
            values.setdefault(parameter, []).append(value.lower() if name == "has_tag" else value)
    sql = _ENROLLED.format(hints="".join(clauses), owners=_OWNERS if clauses else "")
    return [Member(row["participant_id"], row["enrolled_at"], row["wanted"]) for row in c.execute(sql, {
        "organization_id": organization_id, "program_id": program_id, "after": after, "limit": limit,
        "since": since, **values,
    })]


def subscribed(
    c: Connection, organization_id: UUID, program_id: UUID, automation_id: UUID, *, after: UUID, limit: int
) -> list[Member]:
    """Return the next participants that an automation watches."""
    return [Member(row["participant_id"], row["enrolled_at"], row["wanted"]) for row in c.execute(
        _SUBSCRIBED, {
            "organization_id": organization_id, "program_id": program_id, "automation_id": automation_id,
            "after": after, "limit": limit,
        },
    )]


def size(c: Connection, organization_id: UUID, program_id: UUID, since: datetime) -> int:
    """Return how many participants of a program have an ACTIVE enrollment from before `since`."""
    row = c.execute(
        "SELECT count(*) AS n FROM enrollments WHERE organization_id = %s AND program_id = %s"
        " AND status = 'ACTIVE' AND enrolled_at <= %s", (organization_id, program_id, since),
    ).fetchone()
    return int(row["n"]) if row else 0


def subscribed_size(c: Connection, organization_id: UUID, automation_id: UUID) -> int:
    """Return how many participants an automation watches."""
    row = c.execute(
        "SELECT count(*) AS n FROM automation_subscriptions WHERE organization_id = %s"
        " AND automation_id = %s AND status = 'active'", (organization_id, automation_id),
    ).fetchone()
    return int(row["n"]) if row else 0
