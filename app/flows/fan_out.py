"""Making what firings stand for: single events in order, and fan-outs window by window.

One lane for all: first what is single, then one window of the oldest fan-out, again and again. The cursor
moves in the transaction that inserts a window's events, and each event's key names the firing and the
participant: wherever a worker dies, nobody is left out and nobody is addressed twice.
"""

from datetime import datetime
from uuid import UUID

from app.db import Connection, read_clock
from app.domain.automations import Automation, Trigger
from app.domain.events import SystemEvent
from app.engine.audience import Occasion
from app.flows import lanes
from app.flows.audience import conditions_of, examine
from app.flows.fire_automation import failed, succeeded
from app.flows.ingest import insert_system_events
from app.flows.lanes import FULL, NOTHING, Turn
from app.store import audience, automations, firings
from app.store.audience import Member
from app.store.firings import FanOut, Firing

BATCH_EVENTS_MAX = 80  # A live event stands behind a window: about as long as it takes by itself.
# What is single falls into all partitions, each a batch of its own: four times as many cost little more.
BATCH_ONES_MAX = 600
_NOBODY = UUID(int=0)


def make_due(c: Connection) -> Turn:
    """Make the events that have been due longest."""
    now = read_clock(c)
    if not lanes.has_room(c, lanes.FAIR_EVENTS_MAX):
        return FULL if firings.any_due(c, now) else NOTHING
    firings.unpark(c)
    ones, unwanted = firings.due_ones(c, now, BATCH_ONES_MAX)
    partitions = insert_system_events(c, [_event(one, one.participant_id, one.group_id) for one in ones], now)
    firings.done(c, ones, now)
    fan_out = firings.due_fan_out(c, now) if len(ones) < BATCH_ONES_MAX else None
    if fan_out is not None and fan_out.wanted:
        partitions |= _step(c, fan_out, now)
    elif fan_out is not None:
        unwanted.append(fan_out.firing)
    firings.park(c, unwanted)
    return Turn(more=bool(ones or unwanted or fan_out), partitions=partitions)


def _step(c: Connection, fan_out: FanOut, now: datetime) -> set[int]:
    """Address the next window of participants."""
    firing, started_at = fan_out.firing, fan_out.started_at or now
    automation = None
    if firing.automation_id is not None:
        automation = automations.get(c, firing.organization_id, firing.automation_id, lock=True)
    members = _window(c, fan_out, automation, started_at)
    ids = [member.participant_id for member in members if member.wanted]
    addressed, errors = ids, []
    if automation is not None:
        occasion = Occasion(firing.program_id, automation.event_data, firing.scheduled_for)
        verdicts = examine(c, automation, conditions_of(automation), occasion, ids)
        addressed = [one for one in ids if verdicts[one].wanted]
        errors = [verdict.error for verdict in verdicts.values() if verdict.error is not None]
    partitions = insert_system_events(c, [_event(firing, one, None) for one in addressed], now)
    ended = len(members) < BATCH_EVENTS_MAX
    error = errors[0] if errors else None
    everyone_failed = ended and error is not None and _all_failed(fan_out, len(ids), len(errors))
    firings.progress(
        c, firing, status="failed" if everyone_failed else "completed" if ended else "executing",
        cursor=members[-1].participant_id if members else fan_out.cursor, started_at=started_at,
        total=_size(c, fan_out, automation, started_at) if fan_out.started_at is None else None,
        processed=len(ids), failed=len(errors), error=error, completed_at=now if ended else None,
    )
    if ended and automation is not None:
        _close(c, automation, everyone_failed, error, now)
    return partitions


def _all_failed(fan_out: FanOut, processed: int, errors: int) -> bool:
    """Say whether the guard failed for every single participant: then nothing was emitted."""
    return fan_out.failed + errors == fan_out.processed + processed


def _window(
    c: Connection, fan_out: FanOut, automation: Automation | None, started_at: datetime
) -> list[Member]:
    firing, after = fan_out.firing, fan_out.cursor or _NOBODY
    if automation is not None and automation.trigger is Trigger.PARTICIPANT_STATE:
        return audience.subscribed(
            c, firing.organization_id, firing.program_id, automation.id, after=after, limit=BATCH_EVENTS_MAX
        )
    return audience.enrolled(
        c, firing.organization_id, firing.program_id, after=after, limit=BATCH_EVENTS_MAX, since=started_at,
        hints=[dict(hint) for hint in automation.filter_hints] if automation is not None else (),
    )


def _size(
    c: Connection, fan_out: FanOut, automation: Automation | None, started_at: datetime
) -> int:
    firing = fan_out.firing
    if automation is not None and automation.trigger is Trigger.PARTICIPANT_STATE:
        return audience.subscribed_size(c, firing.organization_id, automation.id)
    return audience.size(c, firing.organization_id, firing.program_id, started_at)


def _close(
    c: Connection, automation: Automation, everyone_failed: bool, error: str | None, now: datetime
) -> None:
    """Tell the automation how its run ended."""
    if not everyone_failed:
        automations.ran(c, succeeded(automation, now))
        return
    assert error is not None
    automations.ran(c, failed(automation, error, now))


def _event(firing: Firing, participant_id: UUID | None, group_id: UUID | None) -> SystemEvent:
    key = f"firing:{firing.id}" if firing.kind == "ONE" else f"firing:{firing.id}:{participant_id}"
    return SystemEvent(
        firing.organization_id, firing.program_id, key, firing.scheduled_for,
        {**firing.payload, "type": firing.event_name}, participant_id=participant_id, group_id=group_id,
        depth=firing.depth, caused_by_event_id=firing.caused_by_event_id, automation_id=firing.automation_id,
    )
