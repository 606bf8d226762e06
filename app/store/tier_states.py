"""The SQL of where owners stand in tiers: levels, periods, grace, and what is due for review."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from app.db import Connection, id_array, limited
from app.domain.events import Event
from app.domain.json import dumps
from app.engine.lifecycle import Standing
from app.engine.state import TierChange

_ROWS = """
FROM jsonb_to_recordset(%(rows)s::jsonb) AS r(o uuid, w uuid, t uuid, p uuid, l text, a timestamptz,
    x timestamptz, k timestamptz, g timestamptz, f text)
"""
_WRITE = f"""
INSERT INTO tier_states (organization_id, owner_id, tier_id, program_id, level_key, acquired_at, expires_at,
    checks_at, grace_until, falls_to)
SELECT o, w, t, p, l, a, x, k, g, f {_ROWS}
ORDER BY o, w, t
ON CONFLICT (organization_id, owner_id, tier_id) DO UPDATE SET level_key = excluded.level_key,
    acquired_at = excluded.acquired_at, expires_at = excluded.expires_at, checks_at = excluded.checks_at,
    grace_until = excluded.grace_until, falls_to = excluded.falls_to
"""
# Began to count: nothing else of a row that is there already may change.
_TRACK = f"""
INSERT INTO tier_states (organization_id, owner_id, tier_id, program_id, checks_at)
SELECT o, w, t, p, k {_ROWS}
ORDER BY o, w, t
ON CONFLICT (organization_id, owner_id, tier_id) DO UPDATE SET checks_at = excluded.checks_at
    WHERE tier_states.checks_at IS NULL AND tier_states.level_key IS NULL
"""
_OF_OWNERS = """
SELECT s.owner_id, s.tier_id, s.level_key, s.acquired_at, s.expires_at, s.checks_at, s.grace_until, s.falls_to
FROM tier_states s
WHERE s.organization_id = %(organization_id)s AND s.owner_id = ANY(%(ids)s::uuid[])
"""
_LEVELS = """
SELECT t.key, s.level_key AS level, v.rank, v.benefits, s.acquired_at, s.expires_at
FROM tier_states s
JOIN tiers t ON t.organization_id = s.organization_id AND t.id = s.tier_id
JOIN tier_levels v ON v.organization_id = s.organization_id AND v.tier_id = s.tier_id AND v.key = s.level_key
WHERE s.organization_id = %(organization_id)s AND s.owner_id = %(owner_id)s
    AND s.program_id = %(program_id)s AND (s.expires_at IS NULL OR s.expires_at > %(now)s)
"""
_DUE = """
SELECT organization_id, owner_id FROM tier_states
WHERE review_at <= %(now)s ORDER BY review_at, organization_id, owner_id LIMIT %(limit)s
"""
# The rows of one tier, a bounded number, when its lifecycle has changed; the owners are locked, so that no
# event under the old lifecycle writes after this.
_REARM = """
WITH w AS (
    SELECT s.owner_id, o.last_activity_at FROM tier_states s
    JOIN owners o ON o.organization_id = s.organization_id AND o.id = s.owner_id
    WHERE s.organization_id = %(organization_id)s AND s.tier_id = %(tier_id)s
        AND s.owner_id > %(after)s
    ORDER BY s.owner_id LIMIT $limit FOR NO KEY UPDATE OF o
), u AS (
    UPDATE tier_states s SET grace_until = NULL, falls_to = NULL, checks_at = CASE
        WHEN s.level_key IS NULL AND %(period_end)s::timestamptz IS NULL THEN NULL
        WHEN %(span)s::interval IS NULL THEN %(period_end)s
        ELSE greatest(s.acquired_at, w.last_activity_at) + %(span)s::interval END
    FROM w
    WHERE s.organization_id = %(organization_id)s AND s.tier_id = %(tier_id)s AND s.owner_id = w.owner_id
)
SELECT (array_agg(owner_id ORDER BY owner_id DESC))[1] AS last, count(*) AS n FROM w
"""
_BEGIN = """
WITH w AS (
    SELECT e.participant_id, o.counters ?| %(counters)s::text[] AS counts FROM enrollments e
    JOIN owners o ON o.organization_id = e.organization_id AND o.id = e.participant_id
    WHERE e.organization_id = %(organization_id)s AND e.program_id = %(program_id)s
        AND e.participant_id > %(after)s
    ORDER BY e.participant_id LIMIT $limit FOR NO KEY UPDATE OF o
), i AS (
    INSERT INTO tier_states (organization_id, owner_id, tier_id, program_id, checks_at)
    SELECT %(organization_id)s, w.participant_id, %(tier_id)s, %(program_id)s, %(period_end)s
    FROM w WHERE w.counts ORDER BY w.participant_id
    ON CONFLICT (organization_id, owner_id, tier_id) DO NOTHING
)
SELECT (array_agg(participant_id ORDER BY participant_id DESC))[1] AS last, count(*) AS n FROM w
"""


def write_changes(c: Connection, changes: list[tuple[Event, TierChange]], now: datetime) -> None:
    """Write the levels that a batch assigned and the periods it began; of an owner's tier the last."""
    last: dict[tuple[UUID, UUID], tuple[Event, TierChange]] = {}
    for event, change in changes:
        last[change.owner_id, change.tier_id] = (event, change)
    assigned: list[dict[str, Any]] = []
    begun: list[dict[str, Any]] = []
    for event, change in last.values():
        level = change.after
        standing = Standing(checks_at=change.checks_at) if level is None else Standing(
            level.level, level.acquired_at or now, level.expires_at, change.checks_at
        )
        row = _row(event.organization_id, change.owner_id, change.tier_id, event.program_id, standing)
        (begun if level is None else assigned).append(row)
    if assigned:
        c.execute(_WRITE, {"rows": dumps(assigned)})
    if begun:
        c.execute(_TRACK, {"rows": dumps(begun)})


def write(
    c: Connection, organization_id: UUID, standings: Mapping[tuple[UUID, UUID], Standing],
    programs: Mapping[UUID, UUID],
) -> None:
    """Write where owners stand, by (owner, tier); `programs` maps tiers to their programs."""
    if standings:
        rows = [
            _row(organization_id, owner_id, tier_id, programs[tier_id], standing)
            for (owner_id, tier_id), standing in standings.items()
        ]
        c.execute(_WRITE, {"rows": dumps(rows)})


def track(
    c: Connection, organization_id: UUID, owner_id: UUID, checks: Mapping[UUID, datetime],
    programs: Mapping[UUID, UUID],
) -> None:
    """Have tiers look at an owner at the end of their periods, where nothing is known of it yet."""
    rows = [
        _row(organization_id, owner_id, tier_id, programs[tier_id], Standing(checks_at=at))
        for tier_id, at in checks.items()
    ]
    if rows:
        c.execute(_TRACK, {"rows": dumps(rows)})


def of_owners(
    c: Connection, organization_id: UUID, owner_ids: list[UUID]
) -> dict[UUID, dict[UUID, Standing]]:
    """Return where owners stand in all tiers, by owner and tier."""
    found: dict[UUID, dict[UUID, Standing]] = {}
    for row in c.execute(_OF_OWNERS, {"organization_id": organization_id, "ids": owner_ids}):
        found.setdefault(row["owner_id"], {})[row["tier_id"]] = Standing(
            row["level_key"], row["acquired_at"], row["expires_at"], row["checks_at"], row["grace_until"],
            row["falls_to"],
        )
    return found


def levels(
    c: Connection, organization_id: UUID, owner_id: UUID, program_id: UUID, now: datetime,
    key: str | None = None,
) -> list[dict[str, Any]]:
    """Return the levels of an owner in a program by tier key, as the API shows them; expired ones not."""
    narrowed = " AND t.key = %(key)s" if key is not None else ""
    return c.execute(f"{_LEVELS}{narrowed} ORDER BY t.key", {
        "organization_id": organization_id, "owner_id": owner_id, "program_id": program_id, "now": now,
        "key": key,
    }).fetchall()


def due(c: Connection, now: datetime, limit: int) -> list[tuple[UUID, UUID]]:
    """Return the owners, by organization, whose review is due longest."""
    rows = c.execute(_DUE, {"now": now, "limit": limit}).fetchall()
    return list(dict.fromkeys((row["organization_id"], row["owner_id"]) for row in rows))


def start_due_among(c: Connection, organization_id: UUID, ids: list[UUID]) -> Any:
    """Start asking which of these owners have a review that is due."""
    return c.execute(
        "SELECT DISTINCT owner_id FROM tier_states WHERE organization_id = %s AND owner_id = ANY(%s::uuid[])"
        # Looked up once: most organizations have no tiers, and their batches ask for nobody.
        " AND review_at <= read_clock() AND EXISTS (SELECT 1 FROM tiers WHERE organization_id = %s)",
        (organization_id, id_array(ids), organization_id),
    )


def read_due_among(cursor: Any) -> list[UUID]:
    """Finish asking which owners have a review that is due."""
    return [row["owner_id"] for row in cursor.fetchall()]


def activity(c: Connection, organization_id: UUID, ids: list[UUID]) -> dict[UUID, datetime | None]:
    """Return when owners were last active: when a client's event of theirs was completed."""
    rows = c.execute(
        "SELECT id, last_activity_at FROM owners WHERE organization_id = %s AND id = ANY(%s::uuid[])",
        (organization_id, ids),
    )
    return {row["id"]: row["last_activity_at"] for row in rows}


def rearm(
    c: Connection, organization_id: UUID, tier_id: UUID, *, period_end: datetime | None, span: Any,
    after: UUID, limit: int,
) -> UUID | None:
    """Give some owners of a tier the checks of its changed lifecycle; returns where to go on.

    Either `period_end` is set, or `span` is the time since acquisition or activity; neither: no checks.
    """
    row = c.execute(limited(_REARM, limit), {
        "organization_id": organization_id, "tier_id": tier_id, "period_end": period_end, "span": span,
        "after": after,
    }).fetchone()
    return row["last"] if row and row["n"] == limit else None


def begin(
    c: Connection, organization_id: UUID, program_id: UUID, tier_id: UUID, *, counters: list[str],
    period_end: datetime, after: UUID, limit: int,
) -> UUID | None:
    """Have a tier look at some of the participants who have its counters already; returns where to go on."""
    row = c.execute(limited(_BEGIN, limit), {
        "organization_id": organization_id, "program_id": program_id, "tier_id": tier_id,
        "counters": counters, "period_end": period_end, "after": after,
    }).fetchone()
    return row["last"] if row and row["n"] == limit else None


def _row(
    organization_id: UUID, owner_id: UUID, tier_id: UUID, program_id: UUID, standing: Standing
) -> dict[str, Any]:
    return {
        "o": organization_id, "w": owner_id, "t": tier_id, "p": program_id, "l": standing.level,
        "a": standing.acquired_at, "x": standing.expires_at, "k": standing.checks_at,
        "g": standing.grace_until, "f": standing.falls_to,
    }
