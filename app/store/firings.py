"""Firings: events that are to happen later or for many, made by rules and by automations."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from app.db import Connection
from app.domain.json import dumps

_INSERT = """
INSERT INTO firings (organization_id, id, automation_id, program_id, source, kind, event_name, payload,
    scheduled_for, participant_id, group_id, depth, caused_by_event_id, caused_by_rule_id, created_at)
SELECT o, i, au, p, so, k, n, pl, sf, pa, gr, d, cb, cr, at
FROM jsonb_to_recordset(%s::jsonb) AS r(o uuid, i uuid, au uuid, p uuid, so text, k text, n text, pl jsonb,
    sf timestamptz, pa uuid, gr uuid, d smallint, cb uuid, cr uuid, at timestamptz)
ON CONFLICT DO NOTHING
"""


@dataclass(frozen=True, slots=True)
class Firing:
    """One event (`ONE`) or one for each enrolled participant (`FAN_OUT`), due at `scheduled_for`."""

    organization_id: UUID
    id: UUID
    automation_id: UUID | None
    program_id: UUID
    source: str
    kind: str
    event_name: str
    payload: dict[str, Any]
    scheduled_for: datetime
    participant_id: UUID | None
    group_id: UUID | None
    depth: int
    caused_by_event_id: UUID | None
    caused_by_rule_id: UUID | None
    created_at: datetime


def insert(c: Connection, firings: list[Firing]) -> None:
    """Write firings; one that exists already stays as it is."""
    if not firings:
        return
    rows = [
        {"o": str(f.organization_id), "i": str(f.id), "au": _text(f.automation_id), "p": str(f.program_id),
         "so": f.source, "k": f.kind, "n": f.event_name, "pl": f.payload,
         "sf": f.scheduled_for.isoformat(), "pa": _text(f.participant_id), "gr": _text(f.group_id),
         "d": f.depth, "cb": _text(f.caused_by_event_id), "cr": _text(f.caused_by_rule_id),
         "at": f.created_at.isoformat()}
        for f in firings
    ]
    c.execute(_INSERT, (dumps(rows),))


def _text(value: UUID | None) -> str | None:
    return None if value is None else str(value)
