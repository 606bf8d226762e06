"""Firings: events that are to happen later or for many, made by rules and by automations.

A firing is unique by what fired and when; the cursor of a fan-out makes it resumable after any crash.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, LiteralString
from uuid import UUID

from app.db import Connection, limited
from app.domain.json import dumps
from app.store.pages import Column, Order, Page, Slice, Where, fetch

ORDER = Order((Column("f.created_at", "created_at", "timestamptz"), Column("f.id", "id", "uuid")))

_INSERT = """
INSERT INTO firings (organization_id, id, automation_id, program_id, source, kind, event_name, payload,
    scheduled_for, participant_id, group_id, depth, caused_by_event_id, caused_by_rule_id, created_at, status,
    started_at, completed_at)
SELECT o, i, au, p, so, k, n, pl, sf, pa, gr, d, cb, cr, at,
    CASE WHEN done THEN 'completed' ELSE 'pending' END, CASE WHEN done THEN at END, CASE WHEN done THEN at END
FROM jsonb_to_recordset(%s::jsonb) AS r(o uuid, i uuid, au uuid, p uuid, so text, k text, n text, pl jsonb,
    sf timestamptz, pa uuid, gr uuid, d smallint, cb uuid, cr uuid, at timestamptz,
    done boolean)
ON CONFLICT DO NOTHING
"""

_COLUMNS: LiteralString = """f.organization_id, f.id, f.automation_id, f.program_id, f.source, f.kind,
    f.event_name, f.payload, f.scheduled_for, f.participant_id, f.group_id, f.depth, f.caused_by_event_id,
    f.caused_by_rule_id, f.created_at"""
_DUE_ONES = f"""
SELECT {_COLUMNS}, p.status = 'ACTIVE' AS wanted FROM firings f
JOIN programs p ON p.organization_id = f.organization_id AND p.id = f.program_id
WHERE f.status IN ('pending', 'executing') AND NOT f.parked AND f.kind = 'ONE' AND f.scheduled_for <= %(now)s
ORDER BY f.scheduled_for, f.organization_id, f.id LIMIT %(limit)s FOR NO KEY UPDATE OF f
"""
_DUE_FAN_OUT = f"""
SELECT {_COLUMNS}, p.status = 'ACTIVE' AS wanted, f.status, f.fan_out_cursor, f.started_at,
    f.participants_processed, f.participants_failed, f.error
FROM firings f
JOIN programs p ON p.organization_id = f.organization_id AND p.id = f.program_id
WHERE f.status IN ('pending', 'executing') AND NOT f.parked AND f.kind = 'FAN_OUT'
    AND f.scheduled_for <= %(now)s
ORDER BY f.scheduled_for, f.organization_id, f.id LIMIT 1 FOR NO KEY UPDATE OF f
"""
_PARK = "UPDATE firings SET parked = true WHERE organization_id = %s AND id = ANY(%s::uuid[])"
_UNPARK = """
UPDATE firings f SET parked = false FROM programs p
WHERE f.parked AND p.organization_id = f.organization_id AND p.id = f.program_id AND p.status = 'ACTIVE'
"""
_DONE = """
UPDATE firings SET status = 'completed', started_at = %s, completed_at = %s
WHERE organization_id = %s AND id = ANY(%s::uuid[])
"""
_PROGRESS = """
UPDATE firings SET status = %(status)s, fan_out_cursor = %(cursor)s, started_at = %(started_at)s,
    participants_total = CASE WHEN %(completed_at)s::timestamptz IS NULL
        THEN COALESCE(%(total)s, participants_total) ELSE participants_processed + %(processed)s END,
    participants_processed = participants_processed + %(processed)s,
    participants_failed = participants_failed + %(failed)s, error = COALESCE(%(error)s, error),
    completed_at = %(completed_at)s
WHERE organization_id = %(organization_id)s AND id = %(id)s
"""
_CANCEL = """
UPDATE firings SET status = 'failed', error = 'cancelled', completed_at = %(now)s
WHERE organization_id = %(organization_id)s AND status IN ('pending', 'executing')
    AND (automation_id = %(id)s OR (id = %(id)s AND source = 'rule_action'))
"""
# The latest fan-out of an automation is told as its execution, however long ago it was.
_TRIM = """
DELETE FROM firings f USING (
    SELECT x.organization_id, x.id FROM firings x
    WHERE x.completed_at < %(before)s AND (x.kind = 'ONE' OR x.automation_id IS NULL OR EXISTS (
        SELECT 1 FROM firings later WHERE later.organization_id = x.organization_id
            AND later.automation_id = x.automation_id AND later.kind = 'FAN_OUT'
            AND later.scheduled_for > x.scheduled_for))
    ORDER BY x.completed_at LIMIT $limit FOR UPDATE SKIP LOCKED
) gone
WHERE f.organization_id = gone.organization_id AND f.id = gone.id
"""
# A firing that a rule made, in the shape of an automation (decision C11).
_AS_AUTOMATION: LiteralString = """
SELECT f.*, 'rule_action' AS automation_source FROM firings f
"""
_ACTIVE: LiteralString = "f.status IN ('pending', 'executing') AND f.archived_at IS NULL"
_STATUSES: dict[str, LiteralString] = {
    "active": _ACTIVE, "paused": "false", "archived": "f.archived_at IS NOT NULL",
    "completed": "f.status IN ('completed', 'failed') AND f.archived_at IS NULL",
}


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


def insert(c: Connection, firings: list[Firing], *, done: bool = False) -> int:
    """Write firings, waiting or done; one that exists already stays as it is. Returns how many were new."""
    if not firings:
        return 0
    rows = [
        {"o": str(f.organization_id), "i": str(f.id), "au": _text(f.automation_id), "p": str(f.program_id),
         "so": f.source, "k": f.kind, "n": f.event_name, "pl": f.payload,
         "sf": f.scheduled_for.isoformat(), "pa": _text(f.participant_id), "gr": _text(f.group_id),
         "d": f.depth, "cb": _text(f.caused_by_event_id), "cr": _text(f.caused_by_rule_id),
         "at": f.created_at.isoformat(), "done": done}
        for f in firings
    ]
    return c.execute(_INSERT, (dumps(rows),)).rowcount


@dataclass(frozen=True, slots=True)
class FanOut:
    """A fan-out in hand: its firing, how far it has come, and whether its program takes part in business."""

    firing: Firing
    wanted: bool
    cursor: UUID | None
    started_at: datetime | None
    processed: int
    failed: int
    error: str | None


def due_ones(c: Connection, now: datetime, limit: int) -> tuple[list[Firing], list[Firing]]:
    """Return the single events due longest, locked: those to make now, and those of inactive programs."""
    rows = c.execute(_DUE_ONES, {"now": now, "limit": limit}).fetchall()
    wanted = [_firing(row) for row in rows if row["wanted"]]
    return wanted, [_firing(row) for row in rows if not row["wanted"]]


def due_fan_out(c: Connection, now: datetime) -> FanOut | None:
    """Return the fan-out due longest, locked."""
    row = c.execute(_DUE_FAN_OUT, {"now": now}).fetchone()
    if row is None:
        return None
    return FanOut(
        _firing(row), row["wanted"], row["fan_out_cursor"], row["started_at"], row["participants_processed"],
        row["participants_failed"], row["error"],
    )


def any_due(c: Connection, now: datetime) -> bool:
    """Say whether a firing is due, or one that was set aside can go on."""
    row = c.execute(
        "SELECT EXISTS (SELECT 1 FROM firings WHERE status IN ('pending', 'executing') AND NOT parked"
        " AND kind IN ('ONE', 'FAN_OUT') AND scheduled_for <= %s)"
        " OR EXISTS (SELECT 1 FROM firings f JOIN programs p"
        "   ON p.organization_id = f.organization_id AND p.id = f.program_id AND p.status = 'ACTIVE'"
        "   WHERE f.parked) AS due",
        (now,),
    ).fetchone()
    return bool(row and row["due"])


def park(c: Connection, firings: list[Firing]) -> None:
    """Set firings of inactive programs aside, so that they do not stand before others."""
    for organization_id, ids in _by_organization(firings).items():
        c.execute(_PARK, (organization_id, ids))


def unpark(c: Connection) -> int:
    """Bring the firings of programs that are active again back; returns how many."""
    return c.execute(_UNPARK).rowcount


def done(c: Connection, firings: list[Firing], now: datetime) -> None:
    """Mark firings as completed."""
    for organization_id, ids in _by_organization(firings).items():
        c.execute(_DONE, (now, now, organization_id, ids))


def progress(
    c: Connection, firing: Firing, *, status: str, cursor: UUID | None, started_at: datetime,
    total: int | None = None, processed: int = 0, failed: int = 0, error: str | None = None,
    completed_at: datetime | None = None,
) -> None:
    """Write how far a fan-out has come."""
    c.execute(_PROGRESS, {
        "organization_id": firing.organization_id, "id": firing.id, "status": status, "cursor": cursor,
        "started_at": started_at, "total": total, "processed": processed, "failed": failed, "error": error,
        "completed_at": completed_at,
    })


def cancel(c: Connection, organization_id: UUID, subject_id: UUID, now: datetime) -> int:
    """End what waits or runs of an automation, or one firing of a rule; returns how many were ended."""
    return c.execute(
        _CANCEL, {"organization_id": organization_id, "id": subject_id, "now": now}
    ).rowcount


def is_running(c: Connection, organization_id: UUID, automation_id: UUID) -> bool:
    """Say whether a fan-out of an automation waits or runs."""
    row = c.execute(
        "SELECT EXISTS (SELECT 1 FROM firings WHERE organization_id = %s AND automation_id = %s"
        " AND status IN ('pending', 'executing')) AS found", (organization_id, automation_id),
    ).fetchone()
    return bool(row and row["found"])


def of_rule(c: Connection, organization_id: UUID, program_id: UUID, firing_id: UUID) -> dict[str, Any] | None:
    """Return a firing that a rule made."""
    return c.execute(
        f"{_AS_AUTOMATION} WHERE f.organization_id = %s AND f.program_id = %s AND f.id = %s"
        " AND f.source = 'rule_action'", (organization_id, program_id, firing_id),
    ).fetchone()


def archive(c: Connection, organization_id: UUID, firing_id: UUID, now: datetime) -> None:
    """Take a firing that a rule made out of the list."""
    c.execute(
        "UPDATE firings SET archived_at = COALESCE(archived_at, %s) WHERE organization_id = %s AND id = %s",
        (now, organization_id, firing_id),
    )


def trim(c: Connection, before: datetime, limit: int) -> int:
    """Delete up to `limit` firings of all organizations that ended before an instant; returns how many."""
    return c.execute(limited(_TRIM, limit), {"before": before}).rowcount


def page_of_rules(
    c: Connection, organization_id: UUID, program_id: UUID, page: Page, *, search: str | None,
    trigger: str | None, scope: str | None, status: str | None,
) -> Slice:
    """Return one page of the firings that a program's rules made, newest first."""
    where = Where.of(organization_id, "f.organization_id")
    where.equal("f.program_id", "program_id", program_id)
    where.add("f.source = 'rule_action'")
    if trigger is not None:
        where.equal("f.kind", "kind", {"one_time": "ONE", "immediate": "FAN_OUT"}.get(trigger, ""))
    if scope is not None:
        where.equal("f.kind", "reach", "ONE" if scope == "program" else "FAN_OUT")
    where.add(_STATUSES[status] if status is not None else "f.archived_at IS NULL")
    where.search(("f.event_name",), search)
    return fetch(c, f"{_AS_AUTOMATION} WHERE {where.sql()}", where.parameters, ORDER, page)


def _firing(row: dict[str, Any]) -> Firing:
    return Firing(
        row["organization_id"], row["id"], row["automation_id"], row["program_id"], row["source"],
        row["kind"], row["event_name"], row["payload"], row["scheduled_for"], row["participant_id"],
        row["group_id"], row["depth"], row["caused_by_event_id"], row["caused_by_rule_id"],
        row["created_at"],
    )


def _by_organization(firings: list[Firing]) -> dict[UUID, list[UUID]]:
    found: dict[UUID, list[UUID]] = {}
    for firing in firings:
        found.setdefault(firing.organization_id, []).append(firing.id)
    return found


def _text(value: UUID | None) -> str | None:
    return None if value is None else str(value)
