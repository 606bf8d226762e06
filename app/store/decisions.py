"""Decisions: what a worker decided about events, written for a whole batch in one statement."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from app.db import Connection
from app.domain.json import dumps
from app.domain.names import EventErrorCode, EventStatus

_INSERT = """
INSERT INTO decisions (organization_id, event_seq, commit_order, decided_at, status, ruleset_version,
    error_code, error_message, evaluations, inputs)
SELECT o, s, c, at, st, v, ec, em, e, i
FROM jsonb_to_recordset(%s::jsonb) AS r(o uuid, s bigint, c bigint, at timestamptz, st text, v integer,
    ec text, em text, e jsonb, i jsonb)
"""


@dataclass(frozen=True, slots=True)
class DecisionRow:
    """One decision as stored; `evaluations` and `inputs` are packed (docs/explanation/schema.md)."""

    organization_id: UUID
    event_seq: int
    commit_order: int
    decided_at: datetime
    status: EventStatus
    ruleset_version: int
    error_code: EventErrorCode | None
    error_message: str | None
    evaluations: list[list[Any]]
    inputs: dict[str, Any]


def insert(c: Connection, rows: list[DecisionRow]) -> None:
    """Write decisions."""
    c.execute(_INSERT, (dumps([_packed(row) for row in rows]),))


def _packed(row: DecisionRow) -> dict[str, Any]:
    packed: dict[str, Any] = {
        "o": str(row.organization_id), "s": row.event_seq, "c": row.commit_order,
        "at": row.decided_at.isoformat(), "st": row.status, "v": row.ruleset_version,
    }
    if row.error_code is not None:
        packed["ec"], packed["em"] = row.error_code, row.error_message
    if row.evaluations:
        packed["e"] = row.evaluations
    if row.inputs:
        packed["i"] = row.inputs
    return packed
