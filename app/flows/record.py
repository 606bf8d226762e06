"""Writing decisions down: every table of a batch in one pipeline of set-based statements."""

from collections import Counter as Tally
from datetime import datetime
from typing import Any
from uuid import UUID

from app.book import post
from app.db import Connection
from app.domain.ids import TimeOrdered, in_order, new_id
from app.domain.names import EventStatus, EventType, OwnerType, WebhookType
from app.engine.decide import Decision
from app.engine.state import Draft, Owner
from app.flows import ingest, thresholds
from app.flows.announce import due_events
from app.flows.balance_messages import balance_messages
from app.flows.gather import Gathered
from app.flows.messages import event_decided
from app.queue import ringer
from app.store import decisions as decision_store
from app.store import firings, outbox, owner_states, spending, tier_states
from app.store.firings import Firing
from app.store.outbox import Message


def write(c: Connection, gathered: Gathered, decided: list[Decision]) -> None:
    """Write a batch of decisions; nothing is fetched, so that the pipeline carries all of it at once."""
    if not decided:
        return
    now = gathered.world.now
    ids = TimeOrdered(now)
    drafts = [(one, one.draft) for one in decided if one.draft is not None]
    plans = [moved.plan for _, draft in drafts for moved in draft.moved]
    post.write_plans(c, plans, now)
    decision_store.insert(c, [
        _row(one, now, gathered.commit_order + index) for index, one in enumerate(decided)
    ])
    messages = _messages(gathered, decided, ids)
    _write_owners(c, gathered, decided, drafts, messages)
    if gathered.watching and drafts:
        thresholds.note_known(
            c, drafts[0][0].event.organization_id, gathered.watching, _changes(gathered, drafts), now
        )
    owner_states.insert_history(c, [
        owner_states.history_row(
            one.event.organization_id, owner_id, ids.next(), now, changes,
            event_seq=one.event.seq, program_id=one.event.program_id,
        )
        for one, draft in drafts for owner_id, changes in draft.history.items()
    ])
    _write_rest(c, gathered, drafts, now)
    outbox.insert(c, messages)


def _changes(gathered: Gathered, drafts: list[tuple[Decision, Draft]]) -> list[thresholds.Change]:
    """Return what each event made of owners' counters, one after the other."""
    running, changes = dict(gathered.states), []
    for _, draft in drafts:
        for owner_id, after in draft.owners.items():
            if after.counters is not running[owner_id].counters:
                changes.append((running[owner_id], after))
            running[owner_id] = after
    return changes


def write_failure(c: Connection, decision: Decision, now: datetime, commit_order: int) -> None:
    """Write the end of an event that could not be decided."""
    event = decision.event
    decision_store.insert(c, [_row(decision, now, commit_order)])
    if outbox.wants(c, event.organization_id, WebhookType.EVENT_FAILED):
        person = event.participant_id
        numbers = outbox.number(c, event.organization_id, [person]) if person is not None else {}
        outbox.insert(c, [_told(decision, now, TimeOrdered(now), numbers.get(person) if person else None)])


def _row(one: Decision, now: datetime, commit_order: int) -> decision_store.DecisionRow:
    return decision_store.DecisionRow(
        one.event.organization_id, one.event.seq, commit_order, now, one.status, one.ruleset_version,
        one.error_code, one.error_message, [evaluation.packed() for evaluation in one.evaluations],
        one.inputs,
    )


def _messages(gathered: Gathered, decided: list[Decision], ids: TimeOrdered) -> list[Message]:
    """Return a batch's webhook messages, of the types that somebody subscribes to, numbered by owner."""
    subscribed = gathered.subscribed
    if not subscribed:
        return []
    now = gathered.world.now
    sequence = {owner: marks.webhook_sequence for owner, marks in gathered.marks.items()}

    def number(owner_id: UUID | None) -> int | None:
        last = None if owner_id is None else sequence.get(owner_id)
        if owner_id is None or last is None:
            return None
        sequence[owner_id] = last + 1
        return last + 1

    messages: list[Message] = []
    for one in decided:
        if one.draft is not None:
            for moved in one.draft.moved:
                for message in balance_messages(
                    moved.asset, moved.plan, subscribed, ids, event_id=one.event.id,
                    external_ids={moved.owner.id: moved.owner.external_id},
                ):
                    _stamp(message.data, number(message.participant_id))
                    messages.append(message)
            messages += _tier_messages(one, one.draft, subscribed, ids, now, number)
        kind = (
            WebhookType.EVENT_COMPLETED if one.status is EventStatus.COMPLETED else WebhookType.EVENT_FAILED
        )
        if kind in subscribed:
            messages.append(_told(one, now, ids, number(one.event.participant_id)))
    return messages


def _told(one: Decision, now: datetime, ids: TimeOrdered, sequence: int | None) -> Message:
    kind = WebhookType.EVENT_COMPLETED if one.status is EventStatus.COMPLETED else WebhookType.EVENT_FAILED
    data = event_decided(one.event, one.status, now, one.error_code, one.error_message)
    _stamp(data, sequence)
    return Message(one.event.organization_id, ids.next(), kind, now, one.event.participant_id, data)


def _tier_messages(
    one: Decision, draft: Draft, subscribed: frozenset[WebhookType], ids: TimeOrdered, now: datetime,
    number: Any,
) -> list[Message]:
    if WebhookType.PARTICIPANT_TIER_CHANGED not in subscribed:
        return []
    messages = []
    for change in draft.tiers:
        old = change.before.level if change.before else None
        new = change.after.level if change.after else None
        if old == new:
            continue
        is_group = draft.owner(change.owner_id).kind is OwnerType.GROUP
        person = None if is_group else change.owner_id
        data: dict[str, Any] = {
            "group_id" if is_group else "participant_id": str(change.owner_id),
            "program_id": str(one.event.program_id), "tier": change.tier_key, "from": old, "to": new,
            "reason": change.reason,
        }
        _stamp(data, number(person))
        messages.append(Message(
            one.event.organization_id, ids.next(), WebhookType.PARTICIPANT_TIER_CHANGED, now, person, data
        ))
    return messages


def _stamp(data: dict[str, Any], sequence: int | None) -> None:
    if sequence is not None:
        data["sequence"] = sequence


def _write_owners(
    c: Connection, gathered: Gathered, decided: list[Decision], drafts: list[tuple[Decision, Draft]],
    messages: list[Message],
) -> None:
    """Write what changed on owners: state, the time value moved last, the last activity, messages counted."""
    now, world = gathered.world.now, gathered.world
    posted = {
        account.owner_id for _, draft in drafts for moved in draft.moved for account in moved.plan.accounts
    }
    active = {
        one.event.participant_id for one in decided
        if one.status is EventStatus.COMPLETED and one.event.event_type is EventType.EXTERNAL
    }
    told = Tally(message.participant_id for message in messages if message.participant_id is not None)
    before: dict[UUID, Owner] = {}
    for _, draft in drafts:
        for owner_id in draft.owners:
            before.setdefault(owner_id, gathered.states[owner_id])
    rows = []
    for owner_id in sorted({*before, *posted, *filter(None, active), *told}, key=in_order):
        owner = world.owners.get(owner_id)
        if owner is None:
            continue
        rows.append(owner_states.update_row(
            before.get(owner_id, owner), owner, posted_at=now if owner_id in posted else None,
            active_at=now if owner_id in active else None, messages=told[owner_id],
        ))
    owner_states.update(c, rows)


def _write_rest(
    c: Connection, gathered: Gathered, drafts: list[tuple[Decision, Draft]], now: datetime
) -> None:
    """Write what few batches have: tier levels, budgets, events to come, announcements of expired lots."""
    changes = [(one.event, change) for one, draft in drafts for change in draft.tiers]
    if changes:
        tier_states.write_changes(c, changes, now)
    spent = {key for _, draft in drafts for key in draft.budgets}
    if spent:
        organization_id = drafts[0][0].event.organization_id
        spending.write(c, organization_id, {key: gathered.world.budgets[key] for key in spent})
    emitted = [_firing(one, emission, now) for one, draft in drafts for emission in draft.emissions]
    firings.insert(c, emitted)
    due = [
        event for _, draft in drafts for moved in draft.moved if moved.plan.due
        for event in due_events(moved.owner.kind, moved.plan.due)
    ]
    if due:
        # The bell may be heard before the commit and find nothing; the sweeper rings again.
        ringer.ring(ingest.insert_system_events(c, due, now))


def _firing(one: Decision, emission: Any, now: datetime) -> Firing:
    event = one.event
    return Firing(
        event.organization_id, new_id(), None, event.program_id, "rule_action",
        "FAN_OUT" if emission.fan_out else "ONE", emission.event_name, dict(emission.payload),
        emission.scheduled_for, emission.participant_id, emission.group_id, event.depth + 1, event.id,
        emission.rule_id, now,
    )
