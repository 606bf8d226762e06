"""Participants under participant_state automations: whom one watches, and the events when their turn comes.

The filter is looked over window by window, every fifteen minutes and on demand. A turn that was missed comes
once, for the latest missed time. Events have a key of subscription and time: none is made twice.
"""

from dataclasses import replace
from datetime import datetime
from uuid import UUID

from app.db import Connection, read_clock
from app.domain.automations import (
    REFRESH_EVERY,
    AttributeDate,
    Automation,
    AutomationStatus,
    Schedule,
    Threshold,
)
from app.domain.events import SystemEvent
from app.domain.ids import TimeOrdered
from app.domain.instants import format_instant
from app.engine.audience import Occasion, Verdict
from app.engine.automations import MOMENT, Facts, latest_trigger, next_trigger
from app.engine.state import EMPTY
from app.flows import lanes
from app.flows.audience import conditions_of, examine, states
from app.flows.ingest import insert_system_events
from app.flows.lanes import FULL, NOTHING, Turn
from app.store import audience, automations, subscriptions
from app.store.audience import Member
from app.store.subscriptions import Due, Subscription

BATCH_MAX = 250  # Of a look.
BATCH_TURNS_MAX = 600  # They fall into all partitions, as single firings do.
RETRIES_MAX = 5  # Consecutive failures of the guard after which a subscription has failed.
_NOBODY = UUID(int=0)


def fire_due(c: Connection) -> Turn:
    """Make the events of the subscriptions that have been due longest."""
    now = read_clock(c)
    if not lanes.has_room(c, lanes.FAIR_EVENTS_MAX):
        return FULL if subscriptions.any_due(c, now) else NOTHING
    due = subscriptions.due(c, now, BATCH_TURNS_MAX)
    grouped: dict[tuple[UUID, UUID], list[Due]] = {}
    for one in due:
        grouped.setdefault((one.organization_id, one.subscription.automation_id), []).append(one)
    events: list[SystemEvent] = []
    for (organization_id, automation_id), group in grouped.items():
        automation = subscriptions.automations_of(c, organization_id, [automation_id])[automation_id]
        changed = _fire_group(c, automation, group, events, now)
        subscriptions.write(c, organization_id, changed, now)
    events.sort(key=lambda event: event.event_timestamp)  # Groups were looked at one after the other.
    partitions = insert_system_events(c, events, now)
    return Turn(more=len(due) == BATCH_TURNS_MAX, partitions=partitions)


def _fire_group(
    c: Connection, automation: Automation, group: list[Due], events: list[SystemEvent], now: datetime
) -> list[Subscription]:
    """Return the subscriptions of one automation after their turn; adds their events."""
    active, schedule = automation.status is AutomationStatus.ACTIVE, automation.schedule
    waiting = [one.subscription for one in group if active and not one.open]
    if isinstance(schedule, Threshold):
        changed = [replace(one, next_trigger_at=now + REFRESH_EVERY) for one in waiting]
    else:
        changed = []
        subscriptions.park(c, automation.organization_id, [one.id for one in waiting])
    turns = [one.subscription for one in group if active and one.open and one.wanted]
    # What is paused goes on from its resumption, who is frozen from being active again.
    changed += [
        replace(one.subscription, next_trigger_at=None) for one in group
        if not active or (one.open and not one.wanted)
    ]
    if not turns:
        return changed
    ids = [one.participant_id for one in turns]
    facts = _facts(c, automation, schedule, {one.participant_id: one for one in turns})
    occasion = Occasion(
        automation.program_id, automation.event_data, now, skip_filter=not isinstance(schedule, Threshold)
    )
    verdicts = examine(c, automation, conditions_of(automation), occasion, ids)
    for one in turns:
        fact = facts[one.participant_id]
        if _is_stale(schedule, one, fact):
            seen = max(_last_look(automation), one.updated_at)
            changed.append(replace(one, next_trigger_at=next_trigger(schedule, fact, seen)))
            continue
        assert one.next_trigger_at is not None, "only what has a time is due"
        at = latest_trigger(schedule, fact, one.next_trigger_at, now)
        verdict = verdicts[one.participant_id]
        if verdict.wanted:
            events.append(_event(automation, one, at))
        changed.append(_after_turn(one, schedule, verdict, next_trigger(schedule, fact, now), now))
    return changed


def _is_stale(schedule: Schedule, one: Subscription, fact: Facts) -> bool:
    """Say whether the time was worked out from a definition or an attribute that has changed since."""
    if isinstance(schedule, Threshold) or one.next_trigger_at is None:
        return False
    return next_trigger(schedule, fact, one.next_trigger_at - MOMENT) != one.next_trigger_at


def _after_turn(
    one: Subscription, schedule: Schedule, verdict: Verdict, following: datetime | None, now: datetime
) -> Subscription:
    """Return a subscription whose turn has come."""
    if verdict.error is not None:
        retries = one.retry_count + 1
        return replace(
            one, retry_count=retries, last_error=verdict.error, next_trigger_at=following,
            status="failed" if retries >= RETRIES_MAX else one.status,
        )
    if not verdict.wanted:
        return replace(one, next_trigger_at=following, retry_count=0)
    once = (isinstance(schedule, Threshold) and not schedule.repeat) or (
        isinstance(schedule, AttributeDate) and not schedule.yearly
    )
    return replace(
        one, next_trigger_at=None if once else following, last_triggered_at=now, retry_count=0,
        trigger_count=one.trigger_count + 1, last_error=None, status="completed" if once else one.status,
    )


def _event(automation: Automation, one: Subscription, at: datetime) -> SystemEvent:
    return SystemEvent(
        automation.organization_id, automation.program_id, f"subscription:{one.id}:{format_instant(at)}", at,
        automation.event_data, participant_id=one.participant_id, automation_id=automation.id,
    )


def refresh_some(c: Connection) -> Turn:
    """Look over one window of the automation that has waited longest."""
    now = read_clock(c)
    automation = automations.refresh_due(c, now)
    if automation is None:
        return NOTHING
    after = automation.refresh_cursor or _NOBODY
    members = audience.enrolled(
        c, automation.organization_id, automation.program_id, after=after, limit=BATCH_MAX, since=now,
        hints=[dict(hint) for hint in automation.filter_hints],
    )
    ids = [member.participant_id for member in members if member.wanted]
    conditions = replace(conditions_of(automation), guard=None)
    occasion = Occasion(automation.program_id, automation.event_data, now)
    matching = {one for one, verdict in examine(c, automation, conditions, occasion, ids).items()
                if verdict.wanted}
    known = subscriptions.of_participants(
        c, automation.organization_id, automation.id, [member.participant_id for member in members]
    )
    schedule, fresh, since = automation.schedule, TimeOrdered(now), _last_look(automation)
    everyone: dict[UUID, Subscription] = {}
    for member in members:
        one = known.get(member.participant_id)
        if member.participant_id not in matching:
            if one is not None and one.status == "active":
                everyone[member.participant_id] = replace(one, status="cancelled", next_trigger_at=None)
        elif one is None:
            begun = _begun(automation, member, since, now)
            everyone[member.participant_id] = Subscription(
                fresh.next(), automation.id, member.participant_id, "active", None, None, 0, 0, None,
                member.enrolled_at, begun, begun,
            )
        elif one.status == "cancelled":
            everyone[member.participant_id] = replace(
                one, status="active", retry_count=0, last_error=None, enrolled_at=member.enrolled_at,
                updated_at=now,
            )
        elif one.status in ("active", "completed"):
            everyone[member.participant_id] = one
    facts = _facts(c, automation, schedule, everyone)
    changed = [
        after_look for who, one in everyone.items()
        if (after_look := _looked_over(automation, schedule, one, facts[who], now)) != known.get(who)
        or one.updated_at < automation.updated_at
    ]
    subscriptions.write(c, automation.organization_id, changed, now)
    _note_progress(c, automation, [member.participant_id for member in members], now)
    return Turn(more=True)


def _last_look(automation: Automation) -> datetime:
    """Return until when surely everybody has been looked over: what came up later may not be seen yet.

    A look itself takes a while. From a change of the automation on, all is new.
    """
    if automation.last_evaluated_at is None:
        return automation.updated_at
    return max(automation.last_evaluated_at - REFRESH_EVERY, automation.updated_at)


def _begun(automation: Automation, member: Member, since: datetime, now: datetime) -> datetime:
    """Return since when a new match is watched: not only from this look on, which may come late."""
    if member.enrolled_at > since:
        return member.enrolled_at
    return since if automation.last_evaluated_at is None else now


def _looked_over(
    automation: Automation, schedule: Schedule, one: Subscription, fact: Facts, now: datetime
) -> Subscription:
    """Return a subscription with the time of its next turn; one that is due already keeps its time.

    A turn that came after the last look, of somebody new or of a date that was set since, is not missed.
    """
    if one.status == "cancelled" or isinstance(schedule, Threshold):
        return one
    changed = one.updated_at < automation.updated_at
    if one.next_trigger_at is not None and not changed:
        overdue = one.next_trigger_at <= now
        if overdue or not isinstance(schedule, AttributeDate) or not _is_stale(schedule, one, fact):
            return one
    following = next_trigger(schedule, fact, max(_last_look(automation), one.updated_at))
    if one.status == "completed":
        # A date that was moved into the future comes once more.
        return one if following is None else replace(one, status="active", next_trigger_at=following)
    return replace(one, next_trigger_at=following)


def _note_progress(c: Connection, automation: Automation, ids: list[UUID], now: datetime) -> None:
    if len(ids) == BATCH_MAX:
        assert automation.refresh_at is not None, "it was due"
        automations.refreshed(c, automation, ids[-1], automation.refresh_at, None)
        return
    subscriptions.cancel_left(c, automation.organization_id, automation.program_id, automation.id, now)
    automations.refreshed(c, automation, None, now + REFRESH_EVERY, now)


def _facts(
    c: Connection, automation: Automation, schedule: Schedule, everyone: dict[UUID, Subscription]
) -> dict[UUID, Facts]:
    """Return what each schedule goes by; attributes are read only where it goes by them."""
    attributes = {}
    if isinstance(schedule, AttributeDate) and everyone:
        world = states(c, automation, list(everyone))
        attributes = {who: world.owner(who).attributes for who in everyone}
    return {
        who: Facts(attributes.get(who, EMPTY), one.created_at, one.enrolled_at)
        for who, one in everyone.items()
    }
