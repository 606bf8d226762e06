"""Creating, changing, triggering, cancelling and archiving automations.

Firings that rules made are shown as automations too (decision C11): they can be cancelled and archived, and
nothing else. Locks: firings before automations, as the fan-out takes them.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from uuid import UUID

from psycopg.errors import UniqueViolation

from app.db import Connection, read_clock, transaction
from app.domain.automations import (
    AUTOMATIONS_MAX,
    Automation,
    AutomationStatus,
    Reach,
    ScheduleType,
    Trigger,
)
from app.domain.errors import (
    AutomationArchived,
    AutomationCompleted,
    InvalidRequest,
    KeyExists,
    LimitExceeded,
    NotFound,
    ProgramArchived,
    ProgramSuspended,
    ValidationError,
)
from app.domain.ids import new_id
from app.engine.automation_check import faults_of
from app.engine.automations import first_run
from app.flows import lanes
from app.flows.fire_automation import start_fan_out
from app.flows.lanes import Lane
from app.store import automations, firings, participants, programs

_RESCHEDULES = frozenset(("cron_expression", "timezone", "trigger_at", "status"))
_RESUBSCRIBES = frozenset(("schedule_config", "participant_filter", "filter_hints", "status"))
_FINAL = (AutomationStatus.ARCHIVED, AutomationStatus.COMPLETED)


def create(organization_id: UUID, program_id: UUID, fields: Mapping[str, Any]) -> UUID:
    """Create an automation, active from now on; `fields` are those of Automation. Returns its id."""
    try:
        with transaction() as c:
            _open_program(c, organization_id, program_id)
            now = read_clock(c)
            reach, trigger = Reach(fields["reach"]), Trigger(fields["trigger"])
            kind = fields.get("schedule_type")
            automation = Automation(
                **{**fields, "reach": reach, "trigger": trigger,
                   "schedule_type": None if kind is None else ScheduleType(kind)},
                organization_id=organization_id, id=new_id(), program_id=program_id,
                status=AutomationStatus.ACTIVE, created_at=now, updated_at=now,
            )
            if trigger is Trigger.PARTICIPANT_STATE:
                automation = replace(
                    automation, refresh_at=now, schedule_config=automation.schedule_config or {}
                )
            given = frozenset(Automation.__dataclass_fields__)
            _refuse(faults_of(automation, given, now, "trigger."))
            _check_participant(c, automation)
            if automations.count(c, organization_id, program_id) >= AUTOMATIONS_MAX:
                raise LimitExceeded(f"A program has at most {AUTOMATIONS_MAX} automations")
            if trigger is not Trigger.IMMEDIATE:
                automation = replace(automation, next_run_at=first_run(automation, now))
            automations.insert(c, automation)
            if trigger is Trigger.IMMEDIATE:
                start_fan_out(c, automation, now, now)
    except UniqueViolation:
        raise _taken() from None
    _ring(automation)
    return automation.id


def change(
    organization_id: UUID, program_id: UUID, automation_id: UUID, changes: Mapping[str, Any]
) -> None:
    """Change the given fields. Pausing stops what is to come, not a fan-out that runs."""
    try:
        with transaction() as c:
            before = _lock(c, organization_id, program_id, automation_id)
            _refuse_final(before)
            _open_program(c, organization_id, program_id)
            now = read_clock(c)
            fields = dict(changes)
            if "status" in fields:
                fields["status"] = AutomationStatus(fields["status"])
            after = replace(before, **fields, updated_at=now)
            _refuse(faults_of(after, frozenset(changes), now, ""))
            if changes.keys() & _RESCHEDULES and after.trigger in (Trigger.CRON, Trigger.ONE_TIME):
                after = _rescheduled(before, after, changes, now)
            if changes.keys() & _RESUBSCRIBES and after.trigger is Trigger.PARTICIPANT_STATE:
                after = replace(after, refresh_at=now, refresh_cursor=None)
            if before.status is AutomationStatus.PAUSED and after.status is AutomationStatus.ACTIVE:
                after = replace(after, failures=0)
            automations.update(c, after)
    except UniqueViolation:
        raise _taken() from None
    _ring(after)


def _rescheduled(before: Automation, after: Automation, changes: Mapping[str, Any], now: Any) -> Automation:
    """Return an automation with the time of its next run; what passed while it was paused is not made up."""
    if after.trigger is Trigger.CRON:
        return replace(after, next_run_at=first_run(after, now))
    resumed = before.status is AutomationStatus.PAUSED and after.status is AutomationStatus.ACTIVE
    if "trigger_at" in changes or (resumed and before.next_run_at is not None):
        return replace(after, next_run_at=after.trigger_at)
    return after


def trigger(organization_id: UUID, program_id: UUID, automation_id: UUID) -> None:
    """Fire now. Raises InvalidRequest where the automation cannot be, ProgramSuspended, ProgramArchived."""
    with transaction() as c:
        found = _lock(c, organization_id, program_id, automation_id)
        if _open_program(c, organization_id, program_id) == "SUSPENDED":
            raise ProgramSuspended()
        now = read_clock(c)
        many = found.reach is Reach.PARTICIPANTS
        ready = found.status is AutomationStatus.ACTIVE and (
            not firings.is_running(c, organization_id, automation_id) if many
            else found.trigger is Trigger.CRON
        )
        if not ready:
            raise InvalidRequest("Automation cannot be triggered (must be active and idle or cron+program)")
        if many:
            start_fan_out(c, found, now, now)
            once = found.trigger is Trigger.ONE_TIME
            automations.ran(c, replace(
                found, last_run_at=now, next_run_at=None if once else found.next_run_at
            ))
        else:
            automations.ran(c, replace(found, next_run_at=now))
    lanes.ring_softly(Lane.FIRINGS if many else Lane.AUTOMATIONS)


def cancel(organization_id: UUID, program_id: UUID, subject_id: UUID) -> None:
    """End what waits or runs; what was made stays. One that fires once is archived with it."""
    with transaction() as c:
        now = read_clock(c)
        ended = firings.cancel(c, organization_id, subject_id, now)
        if firings.of_rule(c, organization_id, program_id, subject_id) is None:
            found = _lock(c, organization_id, program_id, subject_id)
            once = found.trigger in (Trigger.ONE_TIME, Trigger.IMMEDIATE)
            waiting = once and found.next_run_at is not None and found.status not in _FINAL
            if once and (ended or waiting):
                automations.update(c, replace(
                    found, status=AutomationStatus.ARCHIVED, next_run_at=None, updated_at=now
                ))
            ended += int(waiting)
        if not ended:
            raise InvalidRequest("Automation has no pending or running execution")


def archive(organization_id: UUID, program_id: UUID, subject_id: UUID) -> None:
    """Archive for good: it fires no more, and a fan-out that runs ends."""
    with transaction() as c:
        now = read_clock(c)
        firings.cancel(c, organization_id, subject_id, now)
        if firings.of_rule(c, organization_id, program_id, subject_id) is not None:
            firings.archive(c, organization_id, subject_id, now)
            return
        found = _lock(c, organization_id, program_id, subject_id)
        if found.status is not AutomationStatus.ARCHIVED:
            automations.update(c, replace(
                found, status=AutomationStatus.ARCHIVED, next_run_at=None, refresh_at=None, updated_at=now
            ))


def refresh_subscriptions(organization_id: UUID, program_id: UUID, automation_id: UUID) -> None:
    """Have the filter looked over soon. Raises InvalidRequest where there is none to look over."""
    with transaction() as c:
        found = _lock(c, organization_id, program_id, automation_id)
        if found.trigger is not Trigger.PARTICIPANT_STATE:
            raise InvalidRequest("Only participant_state automations have subscriptions")
        if found.status is not AutomationStatus.ACTIVE:
            raise InvalidRequest(f"Automation is {found.status}")
        automations.refreshed(c, found, None, read_clock(c), None)
    lanes.ring_softly(Lane.REFRESHES)


def _refuse_final(automation: Automation) -> None:
    match automation.status:
        case AutomationStatus.ARCHIVED:
            raise AutomationArchived()
        case AutomationStatus.COMPLETED:
            raise AutomationCompleted()


def _open_program(c: Connection, organization_id: UUID, program_id: UUID) -> str:
    program = programs.get(c, organization_id, program_id)
    if program is None:
        raise NotFound("Program not found")
    if program["status"] == "ARCHIVED":
        raise ProgramArchived()
    return str(program["status"])


def _lock(c: Connection, organization_id: UUID, program_id: UUID, automation_id: UUID) -> Automation:
    found = automations.get(c, organization_id, automation_id, lock=True)
    if found is None or found.program_id != program_id:
        raise NotFound("Automation not found")
    return found


def _check_participant(c: Connection, automation: Automation) -> None:
    if automation.participant_id is None:
        return
    known = participants.full(c, automation.organization_id, [automation.participant_id])
    if automation.participant_id not in known:
        raise ValidationError(details={"participant_id": "is unknown"})


def _refuse(faults: Mapping[str, str]) -> None:
    if faults:
        raise ValidationError(details=faults)


def _taken() -> KeyExists:
    return KeyExists("The program has an automation of this name", {"name": "is already used"})


def _ring(automation: Automation) -> None:
    """Have a worker look at once where something may be due."""
    match automation.trigger:
        case Trigger.IMMEDIATE:
            lanes.ring_softly(Lane.FIRINGS)
        case Trigger.PARTICIPANT_STATE:
            lanes.ring_softly(Lane.REFRESHES)
        case Trigger.CRON | Trigger.ONE_TIME:
            pass
