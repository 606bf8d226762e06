"""Processing a batch: lock, load, decide each event, write everything, in one transaction.

What lives here: the transaction. Which events form a batch is flows/drain; what a decision is, engine/decide.
"""

from collections.abc import Collection
from datetime import datetime
from functools import partial
from typing import NamedTuple
from uuid import UUID

from app.book.accounts import AccountNumbers
from app.db import Connection, pipelined_on
from app.domain.events import Event
from app.domain.ids import TimeOrdered
from app.domain.names import EventErrorCode, EventStatus
from app.engine.decide import Decision, decide
from app.engine.ruleset import Ruleset
from app.engine.state import NeedsMore
from app.flows import record, rule_counts, rulesets
from app.flows.gather import Extras, Gathered, Wanted, gather
from app.store import inbox, leases, snapshot
from app.store.leases import Lease
from app.store.snapshot import ProgramFacts

Needs = dict[int, Extras]
Lane = tuple[UUID, UUID | None]


class Outdated(Exception):
    """A program's rules changed between planning and locking."""


class Planned(NamedTuple):
    """A program as its events are planned: its status, and the rules in force."""

    status: str
    ruleset: Ruleset


class Plans:
    """What claimed events are planned with, by program."""

    def __init__(self, programs: dict[UUID, Planned]) -> None:
        self.programs = programs
        self._last_id: UUID | None = None

    def of(self, event: Event) -> Planned:
        """Return what an event is planned with; mostly the same as the event before it."""
        if event.program_id is not self._last_id:
            self._last_id, self._last = event.program_id, self.programs[event.program_id]
        return self._last

    def lane(self, event: Event) -> Lane:
        """Return which events may share a batch: one organization, and one program where rows are shared.

        Tiers are known by their key, which is unique in a program: they are not mixed with another's either.
        """
        candidates = self.of(event).ruleset.candidates(event.event_data)
        own = candidates.shared or candidates.reads_tiers
        own = own or (event.participant_id is None and event.group_id is None)
        return event.organization_id, event.program_id if own else None


# What this process saw last of each program. It may be old: every batch compares it under its locks.
_seen: dict[UUID, ProgramFacts] = {}


def plan(c: Connection, events: list[Event], *, anew: bool = False) -> Plans:
    """Load the rule sets that were in force for the programs of claimed events when last seen.

    With `anew`, look again: a batch found that they have changed.
    """
    # Of each program one event stands for all.
    programs = list({event.program_id: event for event in events}.values())
    by_organization: dict[UUID, set[UUID]] = {}
    for event in programs:
        if anew or event.program_id not in _seen:
            by_organization.setdefault(event.organization_id, set()).add(event.program_id)
    for organization_id, program_ids in by_organization.items():
        _seen.update(
            snapshot.read_programs(snapshot.start_programs(c, organization_id, sorted(program_ids)))
        )
    found: dict[UUID, Planned] = {}
    for event in programs:
        fact = _seen[event.program_id]
        ruleset = rulesets.get(c, event.organization_id, event.program_id, fact.ruleset_version)
        found[event.program_id] = Planned(fact.status, ruleset)
    return Plans(found)


def batch(
    c: Connection, marks: list[Lease], events: list[Event], plans: Plans, needs: Needs,
    numbers: AccountNumbers, ids: TimeOrdered | None = None, *, leave: Collection[int] = (),
) -> list[Event]:
    """Decide events of one lane in one transaction; return those that need more rows locked, in order.

    What they need is noted in `needs`. Raises Outdated where the rules changed; then nothing is written.
    The partitions to `leave` are given back as well where none is returned.
    A replay, which takes the events of a batch one by one, gives the `ids` that all of them draw from.
    """
    wanted = Wanted(events[0].organization_id)
    for event in events:
        ruleset = plans.of(event).ruleset
        wanted.add(event, ruleset, ruleset.candidates(event.event_data), needs.get(event.seq))
    with pipelined_on(c) as pipeline:
        # The mark must be there when the worker dies, not when the disk does.
        pipeline.tell(b"SET LOCAL synchronous_commit = off")
        leases.mark(c, marks)
        pipeline.tell(b"COMMIT AND CHAIN")
        gathered = gather(c, wanted)
        _check_versions(gathered, plans)
        decisions, left = _decide_all(c, events, plans, gathered, needs, numbers, ids)
        record.write(c, gathered, decisions)
        inbox.done(c, [decision.event for decision in decisions])
        tried = [d.event.owner_id for d in decisions if d.event.attempts]
        if tried:
            inbox.unblock(c, tried)
        # What leaves is marked anew in a moment, by itself.
        leaving = {event.partition for event in left}
        done = [mark.partition for mark in marks if mark.partition not in leaving]
        if done:
            leases.clear(c, done)
        if leave and not left:
            pipeline.after_commit = leases.releasing(leave)
    rule_counts.note(decisions)
    return left


def _check_versions(gathered: Gathered, plans: Plans) -> None:
    for program_id, facts in gathered.programs.items():
        planned = plans.programs[program_id]
        if facts.ruleset_version != planned.ruleset.version or facts.status != planned.status:
            raise Outdated


def _decide_all(
    c: Connection, events: list[Event], plans: Plans, gathered: Gathered, needs: Needs,
    numbers: AccountNumbers, ids: TimeOrdered | None,
) -> tuple[list[Decision], list[Event]]:
    """Decide in order on the running state. An event that needs more leaves with its owner's later ones."""
    world = gathered.world
    ids = ids or TimeOrdered(world.now)
    account_number = partial(numbers.next, c)
    decisions: list[Decision] = []
    left: list[Event] = []
    leaving: set[UUID] = set()
    for event in events:
        if leaving and event.owner_id in leaving:
            left.append(event)
            continue
        status, ruleset = plans.of(event)
        if status == "ARCHIVED":
            decisions.append(_refused(event, ruleset))
            continue
        try:
            decision = decide(event, world, ruleset, ids, account_number)
        except NeedsMore as more:
            _note(needs, event, more)
            left.append(event)
            leaving.add(event.owner_id)
            continue
        if decision.draft is not None:
            decision.draft.commit()
        decisions.append(decision)
    return decisions, left


def _refused(event: Event, ruleset: Ruleset) -> Decision:
    """An event of a program that was archived after accepting it (decision B8)."""
    return Decision(
        event, EventStatus.FAILED, ruleset.version,
        error_code=EventErrorCode.PROGRAM_INACTIVE, error_message="the program is ARCHIVED",
    )


def _note(needs: Needs, event: Event, more: NeedsMore) -> None:
    extras = needs.setdefault(event.seq, Extras())
    before = len(extras.owners) + len(extras.external_ids) + len(extras.lots)
    extras.owners |= more.owners
    extras.external_ids |= more.external_ids
    extras.lots |= more.lots
    after = len(extras.owners) + len(extras.external_ids) + len(extras.lots)
    assert after > before, "an event asks again for what was loaded for it"


def fail(c: Connection, event: Event, code: EventErrorCode, message: str) -> None:
    """End an event as FAILED without deciding it: it cannot be processed."""
    with c.transaction():
        row = c.execute("SELECT read_clock() AS now, nextval('commit_order') AS commit_order").fetchone()
        assert row is not None
        now: datetime = row["now"]
        facts = snapshot.read_programs(
            snapshot.start_programs(c, event.organization_id, [event.program_id])
        )
        version = facts[event.program_id].ruleset_version
        decision = Decision(event, EventStatus.FAILED, version, error_code=code, error_message=message)
        record.write_failure(c, decision, now, row["commit_order"])
        inbox.done(c, [event])
        inbox.unblock(c, [event.owner_id])
        leases.clear(c, [event.partition])
