"""Firing automations that are due: the event of a program at once, the fan-out to participants as a firing.

Each firing is a unique row of automation and time, and each event has a key made from them: a step that is
repeated, by a second worker or after a crash, changes nothing.
"""

from dataclasses import replace
from datetime import datetime, timedelta

import psycopg
import structlog

from app.db import Connection, read_clock
from app.domain.automations import FAILURES_MAX, Automation, AutomationStatus, Reach, Trigger
from app.domain.events import SystemEvent
from app.domain.ids import new_id
from app.domain.instants import format_instant
from app.engine.automations import due_run
from app.flows import lanes
from app.flows.ingest import insert_system_events
from app.flows.lanes import NOTHING, Lane, Turn
from app.store import automations, enrollments, firings
from app.store.firings import Firing

BATCH_AUTOMATIONS_MAX = 50
RETRY_AFTER = timedelta(minutes=1)  # Of a one-time automation that could not be fired.

log = structlog.get_logger("fire_automation")


class EmissionError(Exception):
    """An automation cannot make its event."""


def fire_due(c: Connection) -> Turn:
    """Fire the automations that have been due longest."""
    if not lanes.has_room(c):
        return NOTHING
    now = read_clock(c)
    due = automations.due(c, now, BATCH_AUTOMATIONS_MAX)
    partitions: set[int] = set()
    for automation in due:
        try:
            with c.transaction():
                partitions |= fire(c, automation, now)
        except psycopg.OperationalError:
            raise
        except Exception as error:
            if not isinstance(error, EmissionError):
                log.exception("automation_failed", automation_id=str(automation.id))
            automations.ran(c, failed(automation, str(error), now))
    if any(automation.reach is Reach.PARTICIPANTS for automation in due):
        lanes.ring_softly(Lane.FIRINGS)
    return Turn(more=len(due) == BATCH_AUTOMATIONS_MAX, partitions=partitions)


def fire(c: Connection, automation: Automation, now: datetime) -> set[int]:
    """Make what is due of one automation; returns partitions to ring. Raises EmissionError."""
    scheduled_for, next_run_at = due_run(automation, now)
    if automation.reach is Reach.PARTICIPANTS:
        start_fan_out(c, automation, scheduled_for, now)
        automations.ran(c, replace(automation, next_run_at=next_run_at, last_run_at=now))
        return set()
    _check_participant(c, automation)
    firings.insert(c, [firing_of(automation, scheduled_for, now)], done=True)
    partitions = insert_system_events(c, [SystemEvent(
        automation.organization_id, automation.program_id,
        f"automation:{automation.id}:{format_instant(scheduled_for)}", scheduled_for, automation.event_data,
        participant_id=automation.participant_id, automation_id=automation.id,
    )], now)
    automations.ran(c, succeeded(replace(automation, next_run_at=next_run_at, last_run_at=now), now))
    return partitions


def start_fan_out(
    c: Connection, automation: Automation, scheduled_for: datetime, now: datetime
) -> None:
    """Write the firing that addresses the participants, window by window."""
    firings.insert(c, [firing_of(automation, scheduled_for, now)])


def firing_of(automation: Automation, scheduled_for: datetime, now: datetime) -> Firing:
    """Return the unique row of an automation and a time."""
    return Firing(
        automation.organization_id, new_id(), automation.id, automation.program_id, "api",
        "ONE" if automation.reach is Reach.PROGRAM else "FAN_OUT", automation.event_name,
        dict(automation.payload or {}), scheduled_for, automation.participant_id, None, 0, None, None, now,
    )


def _check_participant(c: Connection, automation: Automation) -> None:
    """Participants who take no part in the program are left out, those named one by one as well."""
    if automation.participant_id is None:
        return
    enrollment = enrollments.get(
        c, automation.organization_id, automation.program_id, automation.participant_id
    )
    if enrollment is None or enrollment["status"] != "ACTIVE":
        raise EmissionError("the participant has no active enrollment in the program")


def succeeded(automation: Automation, now: datetime) -> Automation:
    """Return an automation whose event is made: one that fires once is completed."""
    once = automation.trigger in (Trigger.ONE_TIME, Trigger.IMMEDIATE)
    return replace(
        automation, failures=0, last_error=None, error_message=None,
        status=AutomationStatus.COMPLETED if once else automation.status,
        processed_at=now if once else automation.processed_at,
    )


def failed(automation: Automation, error: str, now: datetime) -> Automation:
    """Return an automation that could not make its event; after five in a row it is paused (decision F3)."""
    failures = automation.failures + 1
    if automation.trigger is Trigger.CRON:
        _, next_run_at = due_run(automation, now) if _is_due(automation, now) else (None, None)
        next_run_at = next_run_at or automation.next_run_at
    else:
        next_run_at = now + RETRY_AFTER if automation.trigger is Trigger.ONE_TIME else None
    status = automation.status
    if automation.trigger is Trigger.IMMEDIATE:
        status = AutomationStatus.COMPLETED
    elif failures >= FAILURES_MAX and status is AutomationStatus.ACTIVE:
        status = AutomationStatus.PAUSED
    return replace(
        automation, failures=failures, last_error=error, error_message=error, next_run_at=next_run_at,
        last_run_at=now, status=status,
    )


def _is_due(automation: Automation, now: datetime) -> bool:
    return automation.next_run_at is not None and automation.next_run_at <= now
