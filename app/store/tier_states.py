"""Which level of a tier an owner is on."""

from datetime import datetime

from app.db import Connection
from app.domain.events import Event
from app.domain.json import dumps
from app.engine.state import TierChange

_WRITE = """
INSERT INTO tier_states (organization_id, owner_id, tier_id, program_id, level_key, acquired_at, expires_at)
SELECT o, w, t, p, l, a, x
FROM jsonb_to_recordset(%s::jsonb)
    AS r(o uuid, w uuid, t uuid, p uuid, l text, a timestamptz, x timestamptz)
ON CONFLICT (organization_id, owner_id, tier_id) DO UPDATE SET level_key = excluded.level_key,
    acquired_at = excluded.acquired_at, expires_at = excluded.expires_at, grace_until = NULL
"""


def write_changes(c: Connection, changes: list[tuple[Event, TierChange]], now: datetime) -> None:
    """Write the levels that a batch assigned; the last one of an owner and tier counts."""
    last = {(change.owner_id, change.tier_id): (event, change) for event, change in changes}
    rows = []
    for event, change in last.values():
        level = change.after
        rows.append({
            "o": str(event.organization_id), "w": str(change.owner_id), "t": str(change.tier_id),
            "p": str(event.program_id), "l": level.level if level else None,
            "a": now.isoformat() if level else None,
            "x": level.expires_at.isoformat() if level and level.expires_at else None,
        })
    c.execute(_WRITE, (dumps(rows),))
