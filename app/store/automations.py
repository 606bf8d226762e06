"""The SQL of automations: their definitions, what is due, and the list with the progress of their runs."""

from datetime import datetime
from typing import Any, LiteralString
from uuid import UUID

from app.db import Connection
from app.domain.automations import Automation, AutomationStatus, Reach, ScheduleType, Trigger
from app.domain.json import dumps
from app.store.pages import Column, Order, Page, Slice, Where, fetch

ORDER = Order((Column("a.created_at", "created_at", "timestamptz"), Column("a.id", "id", "uuid")))

_COLUMNS: LiteralString = """a.organization_id, a.id, a.program_id, a.name, a.description, a.event_name,
    a.payload, a.scope, a.trigger_type, a.cron_expression, a.timezone, a.trigger_at, a.schedule_type,
    a.schedule_config, a.participant_filter, a.guard_condition, a.filter_hints, a.participant_id, a.status,
    a.next_run_at, a.last_run_at, a.last_error, a.failures, a.processed_at, a.error_message,
    a.last_evaluated_at, a.refresh_at, a.refresh_cursor, a.created_at, a.updated_at"""
# The latest fan-out of an automation is its execution.
_WITH_RUN: LiteralString = f"""
SELECT {_COLUMNS}, f.status AS run_status, f.started_at AS run_started_at,
    f.completed_at AS run_completed_at, f.error AS run_error, f.participants_total,
    f.participants_processed, 'api' AS source
FROM automations a
LEFT JOIN LATERAL (
    SELECT * FROM firings f
    WHERE f.organization_id = a.organization_id AND f.automation_id = a.id AND f.kind = 'FAN_OUT'
    ORDER BY f.scheduled_for DESC LIMIT 1
) f ON true
"""
_INSERT = """
INSERT INTO automations (organization_id, id, program_id, name, description, event_name, payload, scope,
    trigger_type, cron_expression, timezone, trigger_at, schedule_type, schedule_config, participant_filter,
    guard_condition, filter_hints, participant_id, next_run_at, refresh_at, created_at, updated_at)
VALUES (%(organization_id)s, %(id)s, %(program_id)s, %(name)s, %(description)s, %(event_name)s, %(payload)s,
    %(scope)s, %(trigger_type)s, %(cron_expression)s, %(timezone)s, %(trigger_at)s, %(schedule_type)s,
    %(schedule_config)s, %(participant_filter)s, %(guard_condition)s, %(filter_hints)s, %(participant_id)s,
    %(next_run_at)s, %(refresh_at)s, %(created_at)s, %(updated_at)s)
"""
_UPDATE = """
UPDATE automations SET name = %(name)s, description = %(description)s, event_name = %(event_name)s,
    payload = %(payload)s, cron_expression = %(cron_expression)s, timezone = %(timezone)s,
    trigger_at = %(trigger_at)s, schedule_config = %(schedule_config)s,
    participant_filter = %(participant_filter)s, guard_condition = %(guard_condition)s,
    filter_hints = %(filter_hints)s, status = %(status)s, next_run_at = %(next_run_at)s,
    refresh_at = %(refresh_at)s, refresh_cursor = %(refresh_cursor)s, failures = %(failures)s,
    updated_at = %(updated_at)s
WHERE organization_id = %(organization_id)s AND id = %(id)s
"""
_RAN = """
UPDATE automations SET status = %(status)s, next_run_at = %(next_run_at)s, last_run_at = %(last_run_at)s,
    last_error = %(last_error)s, failures = %(failures)s, processed_at = %(processed_at)s,
    error_message = %(error_message)s
WHERE organization_id = %(organization_id)s AND id = %(id)s
"""
# One whose last fan-out is still under way waits for it: times that pass meanwhile are missed ones.
_DUE = f"""
SELECT {_COLUMNS} FROM automations a
JOIN programs p ON p.organization_id = a.organization_id AND p.id = a.program_id AND p.status = 'ACTIVE'
WHERE a.status = 'active' AND a.next_run_at <= %(now)s
    AND NOT EXISTS (SELECT 1 FROM firings f WHERE f.organization_id = a.organization_id
        AND f.automation_id = a.id AND f.status IN ('pending', 'executing'))
ORDER BY a.next_run_at, a.organization_id, a.id LIMIT %(limit)s FOR NO KEY UPDATE OF a
"""
_REFRESH_DUE = f"""
SELECT {_COLUMNS} FROM automations a
JOIN programs p ON p.organization_id = a.organization_id AND p.id = a.program_id AND p.status = 'ACTIVE'
WHERE a.status = 'active' AND a.refresh_at <= %(now)s
ORDER BY a.refresh_at, a.organization_id, a.id LIMIT 1 FOR NO KEY UPDATE OF a
"""
_REFRESHED = """
UPDATE automations SET refresh_cursor = %(cursor)s, refresh_at = %(refresh_at)s,
    last_evaluated_at = COALESCE(%(evaluated_at)s, last_evaluated_at)
WHERE organization_id = %(organization_id)s AND id = %(id)s
"""


def insert(c: Connection, automation: Automation) -> None:
    """Create an automation."""
    c.execute(_INSERT, _values(automation))


def update(c: Connection, automation: Automation) -> None:
    """Write what a change of an automation can change."""
    c.execute(_UPDATE, _values(automation))


def ran(c: Connection, automation: Automation) -> None:
    """Write what running an automation changes; `updated_at` is for changes of its definition."""
    c.execute(_RAN, _values(automation))


def refreshed(
    c: Connection, automation: Automation, cursor: UUID | None, refresh_at: datetime,
    evaluated_at: datetime | None,
) -> None:
    """Note how far the look over the subscriptions has come."""
    c.execute(_REFRESHED, {
        "organization_id": automation.organization_id, "id": automation.id, "cursor": cursor,
        "refresh_at": refresh_at, "evaluated_at": evaluated_at,
    })


def get(
    c: Connection, organization_id: UUID, automation_id: UUID, *, lock: bool = False
) -> Automation | None:
    """Return an automation, locked where it is to be changed."""
    suffix = " FOR NO KEY UPDATE" if lock else ""
    row = c.execute(
        f"SELECT {_COLUMNS} FROM automations a WHERE a.organization_id = %s AND a.id = %s{suffix}",
        (organization_id, automation_id),
    ).fetchone()
    return None if row is None else automation_of(row)


def get_with_run(c: Connection, organization_id: UUID, automation_id: UUID) -> dict[str, Any] | None:
    """Return an automation with the progress of its latest fan-out."""
    return c.execute(
        f"{_WITH_RUN} WHERE a.organization_id = %s AND a.id = %s", (organization_id, automation_id)
    ).fetchone()


def count(c: Connection, organization_id: UUID, program_id: UUID) -> int:
    """Return how many automations of a program are not archived."""
    row = c.execute(
        "SELECT count(*) AS n FROM automations WHERE organization_id = %s AND program_id = %s"
        " AND status <> 'archived'", (organization_id, program_id),
    ).fetchone()
    return int(row["n"]) if row else 0


def page(
    c: Connection, organization_id: UUID, program_id: UUID, page: Page, *, search: str | None,
    trigger: str | None, scope: str | None, status: str | None,
) -> Slice:
    """Return one page of a program's automations, newest first; archived ones only where asked for."""
    where = Where.of(organization_id, "a.organization_id")
    where.equal("a.program_id", "program_id", program_id)
    where.equal("a.trigger_type", "trigger_type", trigger)
    where.equal("a.scope", "scope", scope)
    where.equal("a.status", "status", status)
    if status is None:
        where.add("a.status <> 'archived'")
    where.search(("a.name",), search)
    return fetch(c, f"{_WITH_RUN} WHERE {where.sql()}", where.parameters, ORDER, page)


def due(c: Connection, now: datetime, limit: int) -> list[Automation]:
    """Return the automations due longest, locked."""
    return [automation_of(row) for row in c.execute(_DUE, {"now": now, "limit": limit})]


def any_due(c: Connection, now: datetime) -> bool:
    """Say whether an automation is due."""
    row = c.execute(
        "SELECT EXISTS (SELECT 1 FROM automations WHERE status = 'active' AND next_run_at <= %s) AS due",
        (now,),
    ).fetchone()
    return bool(row and row["due"])


def any_refresh_due(c: Connection, now: datetime) -> bool:
    """Say whether the subscriptions of some automation are to be looked over."""
    row = c.execute(
        "SELECT EXISTS (SELECT 1 FROM automations WHERE status = 'active' AND refresh_at <= %s) AS due",
        (now,),
    ).fetchone()
    return bool(row and row["due"])


def refresh_due(c: Connection, now: datetime) -> Automation | None:
    """Return the automation whose subscriptions wait longest for a look, locked."""
    row = c.execute(_REFRESH_DUE, {"now": now}).fetchone()
    return None if row is None else automation_of(row)


def start_thresholds(c: Connection, organization_id: UUID) -> Any:
    """Start reading the automations that watch counters."""
    return c.execute(
        f"SELECT {_COLUMNS} FROM automations a WHERE a.organization_id = %s AND a.status = 'active'"
        " AND a.schedule_type = 'THRESHOLD'", (organization_id,),
    )


def read_thresholds(cursor: Any) -> list[Automation]:
    """Finish reading the automations that watch counters."""
    return [automation_of(row) for row in cursor.fetchall()]


def automation_of(row: dict[str, Any]) -> Automation:
    """Read a row."""
    kind = row["schedule_type"]
    return Automation(
        row["organization_id"], row["id"], row["program_id"], row["name"], row["event_name"],
        Reach(row["scope"]), Trigger(row["trigger_type"]), AutomationStatus(row["status"]),
        row["created_at"], row["updated_at"], row["description"], row["payload"], row["cron_expression"],
        row["timezone"], row["trigger_at"], None if kind is None else ScheduleType(kind),
        row["schedule_config"], row["participant_filter"], row["guard_condition"],
        tuple(row["filter_hints"] or ()), row["participant_id"], row["next_run_at"], row["last_run_at"],
        row["last_error"], row["failures"], row["processed_at"], row["error_message"],
        row["last_evaluated_at"], row["refresh_at"], row["refresh_cursor"],
    )


def _values(automation: Automation) -> dict[str, Any]:
    values = {name: getattr(automation, name) for name in Automation.__dataclass_fields__}
    values |= {
        "scope": automation.reach.value, "trigger_type": automation.trigger.value,
        "status": automation.status.value,
        "schedule_type": automation.schedule_type.value if automation.schedule_type else None,
        "payload": dumps(automation.payload or {}),
        "schedule_config": None if automation.schedule_config is None else dumps(automation.schedule_config),
        "filter_hints": dumps(list(automation.filter_hints)) if automation.filter_hints else None,
    }
    return values
