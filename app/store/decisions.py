"""Decisions: what a worker decided about events, written for a whole batch in one statement."""

from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from app.db import Connection
from app.domain.json import dumps
from app.domain.names import EventErrorCode, EventStatus

_INSERT = """
INSERT INTO decisions (organization_id, event_seq, commit_order, decided_at, status, ruleset_version,
    error_code, error_message, evaluations, inputs)
SELECT COALESCE(o, %(organization_id)s), s, c, COALESCE(at, %(now)s), COALESCE(st, 'COMPLETED'), v, ec, em,
    e, i
FROM jsonb_to_recordset(%(rows)s::jsonb) AS r(o uuid, s bigint, c bigint, at timestamptz, st text, v integer,
    ec text, em text, e jsonb, i jsonb)
"""


class DecisionRow(NamedTuple):
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
    usual = rows[0]
    values = {"organization_id": usual.organization_id, "now": usual.decided_at}
    c.execute(_INSERT, {"rows": dumps([_packed(row, usual) for row in rows]), **values})


def _packed(row: DecisionRow, usual: DecisionRow) -> dict[str, Any]:
    """Return a row without what nearly all rows of a batch have in common."""
    packed: dict[str, Any] = {"s": row.event_seq, "c": row.commit_order, "v": row.ruleset_version}
    if row.organization_id is not usual.organization_id and row.organization_id != usual.organization_id:
        packed["o"] = row.organization_id
    if row.decided_at is not usual.decided_at and row.decided_at != usual.decided_at:
        packed["at"] = row.decided_at.isoformat()
    if row.status is not EventStatus.COMPLETED:
        packed["st"] = row.status
    if row.error_code is not None:
        packed["ec"], packed["em"] = row.error_code, row.error_message
    if row.evaluations:
        packed["e"] = row.evaluations
    if row.inputs:
        packed["i"] = row.inputs
    return packed
