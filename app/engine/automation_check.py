"""What is wrong with an automation that somebody wants to save: every fault by its field."""

from datetime import datetime

from app.domain.automations import AttributeDate, Automation, Cron, Reach, ScheduleFault, Trigger
from app.engine.audience import compile_conditions
from app.engine.automations import ZoneFault, zone
from app.engine.cel import CelError
from app.engine.schedules import ScheduleError, check_cron

_OWN_FIELDS = {
    "cron_expression": Trigger.CRON, "timezone": Trigger.CRON, "trigger_at": Trigger.ONE_TIME,
    "schedule_type": Trigger.PARTICIPANT_STATE, "schedule_config": Trigger.PARTICIPANT_STATE,
}
_REQUIRED = {
    Trigger.CRON: ("cron_expression",), Trigger.ONE_TIME: ("trigger_at",), Trigger.IMMEDIATE: (),
    Trigger.PARTICIPANT_STATE: ("schedule_type",),
}


def faults_of(automation: Automation, given: frozenset[str], now: datetime, prefix: str) -> dict[str, str]:
    """Return what is wrong, by field. `given` are the fields being set; trigger fields get the prefix."""
    faults: dict[str, str] = {}
    for name, trigger in _OWN_FIELDS.items():
        if name in given and getattr(automation, name) is not None and automation.trigger is not trigger:
            faults[prefix + name] = f"is for trigger type {trigger}"
    for name in _REQUIRED[automation.trigger]:
        if getattr(automation, name) is None:
            faults[prefix + name] = f"is required with trigger type {automation.trigger}"
    _check_reach(automation, given, faults)
    if not faults:
        _check_times(automation, given, now, prefix, faults)
        _check_conditions(automation, given, faults)
    return faults


def _check_reach(automation: Automation, given: frozenset[str], faults: dict[str, str]) -> None:
    if automation.reach is Reach.PROGRAM:
        if automation.trigger in (Trigger.IMMEDIATE, Trigger.PARTICIPANT_STATE):
            faults["scope"] = f"must be participants with trigger type {automation.trigger}"
        for name in ("participant_filter", "guard_condition", "filter_hints"):
            if name in given and getattr(automation, name):
                faults[name] = "is for scope participants"
    if automation.participant_id is not None and (
        automation.reach is not Reach.PROGRAM or automation.trigger is not Trigger.ONE_TIME
    ):
        faults["participant_id"] = "is for trigger type one_time with scope program"


def _check_times(
    automation: Automation, given: frozenset[str], now: datetime, prefix: str, faults: dict[str, str]
) -> None:
    if "trigger_at" in given and automation.trigger_at is not None and automation.trigger_at <= now:
        faults[prefix + "trigger_at"] = "must not be in the past"
    if automation.cron_expression is not None and "cron_expression" in given:
        _check_cron(automation.cron_expression, prefix + "cron_expression", faults)
    if automation.timezone is not None and "timezone" in given:
        _check_zone(automation.timezone, prefix + "timezone", faults)
    if automation.trigger is not Trigger.PARTICIPANT_STATE or "schedule_config" not in given:
        return
    path = prefix + "schedule_config."
    try:
        schedule = automation.schedule
    except ScheduleFault as fault:
        faults[path + fault.field] = fault.message
        return
    if isinstance(schedule, Cron):
        _check_cron(schedule.expression, path + "cron_expression", faults)
    if isinstance(schedule, Cron | AttributeDate):
        _check_zone(schedule.timezone, path + "timezone", faults)


def _check_cron(expression: str, path: str, faults: dict[str, str]) -> None:
    try:
        check_cron(expression)
    except ScheduleError as error:
        faults[path] = str(error)


def _check_zone(name: str, path: str, faults: dict[str, str]) -> None:
    try:
        zone(name)
    except ZoneFault as error:
        faults[path] = str(error)


def _check_conditions(automation: Automation, given: frozenset[str], faults: dict[str, str]) -> None:
    for name in ("participant_filter", "guard_condition"):
        text = getattr(automation, name)
        if name in given and text is not None:
            try:
                compile_conditions(*((text, None) if name == "participant_filter" else (None, text)))
            except CelError as error:
                faults[name] = str(error)
