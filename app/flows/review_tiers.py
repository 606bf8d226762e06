"""Doing what a tier's lifecycle has due: period ends, grace, lapses and expiries, as soon as anybody looks.

A worker reviews owners by the time they are due. An event that meets an owner first reviews it itself, in its
own transaction (`settle`), so that no counter of the new period is taken for one of the old. The effect is
never undone; the SYSTEM event `tier_review` only lets rules react (decision C14).
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import psycopg
import structlog

from app.db import Connection, read_clock
from app.domain.events import SystemEvent
from app.domain.ids import TimeOrdered
from app.domain.instants import format_instant
from app.domain.names import OwnerType, ProgramStatus, WebhookType
from app.domain.tiers import Tier, tier_from_json
from app.engine.lifecycle import Review, Standing, Step, run
from app.engine.state import Owner, TierState, with_state
from app.flows import lanes, thresholds
from app.flows.ingest import insert_system_events
from app.flows.lanes import FULL, NOTHING, Turn
from app.flows.locks import lock_owners
from app.flows.tier_messages import tier_changed
from app.store import outbox, owner_states, snapshot, tier_states, tiers

BATCH_OWNERS_MAX = 200

log = structlog.get_logger("review_tiers")


@dataclass(slots=True)
class _Loaded:
    """What a review of some owners of one organization needs."""

    organization_id: UUID
    now: datetime
    tiers: dict[UUID, Tier]
    programs: dict[UUID, UUID]
    active_programs: set[UUID]
    owners: dict[UUID, Owner]
    sequences: dict[UUID, int]
    activity: dict[UUID, datetime | None]
    subscribed: bool


def review_due(c: Connection) -> Turn:
    """Review the owners that have been due longest."""
    now = read_clock(c)
    if not lanes.has_room(c, lanes.FAIR_EVENTS_MAX):
        return FULL if tier_states.due(c, now, 1) else NOTHING
    due = tier_states.due(c, now, BATCH_OWNERS_MAX)
    by_organization: dict[UUID, list[UUID]] = {}
    for organization_id, owner_id in sorted(due):
        by_organization.setdefault(organization_id, []).append(owner_id)
    partitions: set[int] = set()
    reviewed = 0
    for organization_id, owner_ids in by_organization.items():
        lock_owners(c, organization_id, owner_ids)
        try:
            with c.transaction():
                partitions |= settle(c, organization_id, owner_ids)
                reviewed += len(owner_ids)
        except psycopg.OperationalError:
            raise
        except Exception:
            reviewed += _one_by_one(c, organization_id, owner_ids, partitions)
    return Turn(more=reviewed > 0 and len(due) == BATCH_OWNERS_MAX, partitions=partitions)


def _one_by_one(
    c: Connection, organization_id: UUID, owner_ids: list[UUID], partitions: set[int]
) -> int:
    """Review owners singly after a failure, so that one that cannot be reviewed holds up nobody else."""
    done = 0
    for owner_id in owner_ids:
        try:
            with c.transaction():
                partitions |= settle(c, organization_id, [owner_id])
            done += 1
        except psycopg.OperationalError:
            raise
        except Exception:
            log.exception("tier_review_failed", owner_id=str(owner_id))
    return done


def settle_first(c: Connection, organization_id: UUID, owner_id: UUID) -> bool:
    """Review a locked owner before a call changes it: what it changes belongs to the new period.

    Returns whether anything was due. The sweeper rings for the events of the review, of which there are any
    but rarely.
    """
    due = tier_states.read_due_among(tier_states.start_due_among(c, organization_id, [owner_id]))
    if due:
        settle(c, organization_id, due)
    return bool(due)


def settle(c: Connection, organization_id: UUID, owner_ids: list[UUID]) -> set[int]:
    """Review owners that the caller has locked; returns partitions to ring after its commit."""
    standings = tier_states.of_owners(c, organization_id, owner_ids)
    loaded = _load(c, organization_id, owner_ids, standings)
    ids = TimeOrdered(loaded.now)
    changed: dict[tuple[UUID, UUID], Standing] = {}
    rows, history, messages, events, counted = [], [], [], [], []
    for owner_id, before in standings.items():
        owner = loaded.owners[owner_id]
        review = Review(loaded.tiers, dict(before), dict(owner.counters), loaded.activity.get(owner_id))
        run(review, loaded.now)
        changed |= {
            (owner_id, tier_id): standing for tier_id, standing in review.standings.items()
            if standing != before[tier_id]
        }
        told = _messages(loaded, owner, review, ids) if loaded.subscribed else []
        counters = None if review.counters == owner.counters else review.counters
        if counters is not None or told:
            after = owner if counters is None else with_state(owner, counters=counters)
            counted.append((owner, after))
            rows.append(owner_states.update_row(
                owner, after, posted_at=None, active_at=None, messages=len(told)
            ))
        for program_id in dict.fromkeys(loaded.programs[tier_id] for tier_id, _ in review.changes):
            history.append(owner_states.history_row(
                organization_id, owner_id, ids.next(), loaded.now,
                [one for tier_id, one in review.changes if loaded.programs[tier_id] == program_id],
                program_id=program_id,
            ))
        messages += told
        events += [_event(loaded, owner, step) for step in review.steps if _heard(loaded, owner, step)]
    tier_states.write(c, organization_id, changed, loaded.programs)
    owner_states.update(c, rows)
    owner_states.insert_history(c, history)
    outbox.insert(c, messages)
    thresholds.note(c, organization_id, counted, loaded.now)
    return insert_system_events(c, events, loaded.now)


def foresee(
    c: Connection, organization_id: UUID, program_ids: Collection[UUID], owners: Mapping[UUID, Owner],
    now: datetime,
) -> dict[UUID, Owner]:
    """Return the owners whose review is due at `now` as it would leave them; writes nothing.

    Their levels are those of the programs named. For dry runs, at any time.
    """
    found: dict[UUID, Owner] = {}
    standings = tier_states.of_owners(c, organization_id, list(owners))
    due = {
        owner_id: of_owner for owner_id, of_owner in standings.items()
        if any(at is not None and at <= now for at in (one.review_at for one in of_owner.values()))
    }
    if not due:
        return found
    stored = tiers.by_id(c, organization_id, sorted({key for of_owner in due.values() for key in of_owner}))
    known = {row["id"]: tier_from_json(row) for row in stored}
    shown = {row["id"] for row in stored if row["program_id"] in program_ids}
    activity = tier_states.activity(c, organization_id, list(due))
    for owner_id, before in due.items():
        owner = owners[owner_id]
        review = Review(known, dict(before), dict(owner.counters), activity.get(owner_id))
        run(review, now)
        levels = {}
        for tier_id, standing in review.standings.items():
            level = known[tier_id].level(standing.level)
            if level is not None and tier_id in shown:
                levels[known[tier_id].key] = TierState(
                    level.key, level.rank, level.benefits, standing.acquired_at, standing.expires_at
                )
        tracked = frozenset(key for key, one in review.standings.items() if one.checks_at is not None)
        found[owner_id] = with_state(owner, counters=review.counters, tiers=levels, tracked=tracked)
    return found


def _load(
    c: Connection, organization_id: UUID, owner_ids: list[UUID],
    standings: dict[UUID, dict[UUID, Standing]],
) -> _Loaded:
    tier_ids = {tier_id for of_owner in standings.values() for tier_id in of_owner}
    stored = tiers.by_id(c, organization_id, sorted(tier_ids))
    programs = {row["id"]: row["program_id"] for row in stored}
    facts = snapshot.read_programs(
        snapshot.start_programs(c, organization_id, sorted(set(programs.values())))
    )
    owners, marks = snapshot.read_owners(
        snapshot.start_owners(c, organization_id, owner_ids), organization_id
    )
    return _Loaded(
        organization_id, read_clock(c), {row["id"]: tier_from_json(row) for row in stored}, programs,
        {one for one, fact in facts.items() if fact.status == ProgramStatus.ACTIVE}, owners,
        {owner_id: mark.webhook_sequence for owner_id, mark in marks.items()},
        tier_states.activity(c, organization_id, owner_ids),
        outbox.wants(c, organization_id, WebhookType.PARTICIPANT_TIER_CHANGED),
    )


def _messages(
    loaded: _Loaded, owner: Owner, review: Review, ids: TimeOrdered
) -> list[outbox.Message]:
    messages: list[outbox.Message] = []
    for step in review.steps:
        if step.before != step.after:
            messages.append(tier_changed(
                owner, loaded.programs[step.tier.id], step.tier.key, (step.before, step.after), step.reason,
                ids, loaded.now, loaded.sequences[owner.id] + len(messages) + 1,
            ))
    return messages


def _heard(loaded: _Loaded, owner: Owner, step: Step) -> bool:
    """Say whether rules react: not those of inactive programs, nor for inactive owners."""
    return owner.status == "ACTIVE" and loaded.programs[step.tier.id] in loaded.active_programs


def _event(loaded: _Loaded, owner: Owner, step: Step) -> SystemEvent:
    return SystemEvent(
        loaded.organization_id, loaded.programs[step.tier.id],
        f"tier_review:{step.tier.id}:{owner.id}:{format_instant(step.at)}:{step.outcome}", step.at,
        {"type": "tier_review", "tier": step.tier.key, "outcome": str(step.outcome),
         "reason": str(step.reason), "from": step.before, "to": step.after},
        participant_id=owner.id if owner.kind is OwnerType.PARTICIPANT else None,
        group_id=owner.id if owner.kind is OwnerType.GROUP else None,
    )
