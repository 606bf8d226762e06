"""The dry run of a program: the whole decision about an imagined event, as a worker would take it.

It loads what a worker loads, from one snapshot and without locks, and calls the same `decide`. Nothing is
written. The participant may be real or imagined, or it is an event of a group or of the program itself, as
the system makes them; the rules are those in force or candidates for them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from itertools import count
from typing import Any
from uuid import UUID

from app.db import Connection, connection, read_clock
from app.domain import errors
from app.domain.events import Event
from app.domain.ids import TimeOrdered, new_id
from app.domain.names import EventErrorCode, EventStatus, EventType, OwnerType, ProgramStatus
from app.domain.rules import RuleStatus
from app.engine.compiled import compile_rule
from app.engine.decide import Decision, decide
from app.engine.ruleset import NumberedRule, Ruleset, make_ruleset
from app.engine.state import BudgetState, Counter, NeedsMore, Owner, World
from app.flows import review_tiers, rulesets
from app.flows.gather import Extras, Wanted, look
from app.flows.rules import RuleDraft, check_candidates
from app.store import groups, participants, programs, snapshot

ROUNDS_MAX = 10  # Each round loads more; an event that still wants more is broken.


@dataclass(frozen=True, slots=True)
class Person:
    """Who the event is of: a real participant by one of the ids, or an imagined one with this state."""

    id: UUID | None = None
    external_id: str | None = None
    tags: tuple[str, ...] = ()
    counters: Mapping[str, Decimal] = field(default_factory=dict)
    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Trial:
    """What to try. `at` is the wall clock of the decision, `event_timestamp` what expressions call `now`.

    With `group_id` it is the SYSTEM event of a group, with `of_program` the program's own; and of no person.
    """

    event_data: dict[str, Any]
    person: Person
    recipient: Person | None = None
    event_timestamp: datetime | None = None
    at: datetime | None = None
    rules: tuple[RuleDraft, ...] | None = None
    group_id: UUID | None = None
    of_program: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """The decision, the rules it was taken under, and the state it started from."""

    decision: Decision
    ruleset: Ruleset
    world: World


def simulate_event(organization_id: UUID, program_id: UUID, trial: Trial) -> Outcome:
    """Decide the event of a trial. Raises NotFound, ParticipantNotFound, ValidationError of candidates."""
    with connection() as c, c.transaction():
        # One snapshot for all statements, and a transaction that cannot write.
        c.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        program = programs.get(c, organization_id, program_id)
        if program is None:
            raise errors.NotFound("Program not found")
        facts = snapshot.read_programs(snapshot.start_programs(c, organization_id, [program_id]))
        ruleset = rulesets.get(c, organization_id, program_id, facts[program_id].ruleset_version)
        now = trial.at or read_clock(c)
        if trial.rules is not None:
            ruleset = _with_candidates(c, ruleset, trial.rules, now)
        imagined: dict[UUID, Owner] = {}
        event = _event(c, organization_id, program_id, trial, now, imagined)
        if program["status"] == ProgramStatus.ARCHIVED:
            refused = Decision(
                event, EventStatus.FAILED, ruleset.version,
                error_code=EventErrorCode.PROGRAM_INACTIVE, error_message="the program is ARCHIVED",
            )
            return Outcome(refused, ruleset, World(now))
        return _decide(c, event, ruleset, imagined, trial.at)


def _event(
    c: Connection, organization_id: UUID, program_id: UUID, trial: Trial, now: datetime,
    imagined: dict[UUID, Owner],
) -> Event:
    """Return the event as it would be accepted, of real people or of such as are noted in `imagined`."""
    person = recipient = None
    if trial.group_id is None and not trial.of_program:
        person = _person(c, organization_id, trial.person, now, imagined)
        if trial.recipient is not None:
            recipient = _person(c, organization_id, trial.recipient, now, imagined)
    elif trial.group_id is not None and groups.get(c, organization_id, trial.group_id) is None:
        raise errors.NotFound("Group not found")
    return Event(
        organization_id=organization_id, seq=0, id=new_id(), program_id=program_id,
        event_type=EventType.EXTERNAL if person else EventType.SYSTEM, participant_id=person,
        group_id=trial.group_id, recipient_id=recipient, external_id=None, idempotency_key="dry-run",
        event_timestamp=trial.event_timestamp or now, created_at=now, event_data=trial.event_data, depth=0,
        owner_id=person or trial.group_id or program_id,
    )


def _decide(
    c: Connection, event: Event, ruleset: Ruleset, imagined: Mapping[UUID, Owner], at: datetime | None
) -> Outcome:
    """Load and decide, and again with more while the decision asks for more."""
    extras, numbers = Extras(), count(1)
    for _ in range(ROUNDS_MAX):
        wanted = Wanted(event.organization_id)
        wanted.add(event, ruleset, ruleset.candidates(event.event_data), extras)
        world = look(c, wanted).world
        world.now = at or world.now
        # A worker reviews whoever is due before it decides; so that this is foretold, nothing is written.
        world.owners.update(review_tiers.foresee(
            c, event.organization_id, (event.program_id,),
            {key: one for key, one in world.owners.items() if one.kind is not OwnerType.PROGRAM}, world.now,
        ))
        world.owners.update(imagined)
        for rule in ruleset.rules:
            for budget in rule.compiled.rule.budgets:
                world.budgets.setdefault(
                    (rule.compiled.rule.id, budget.asset_id), BudgetState(Decimal(0), None)
                )
        try:
            decision = decide(event, world, ruleset, TimeOrdered(world.now), lambda: next(numbers))
        except NeedsMore as more:
            extras.owners |= more.owners
            extras.external_ids |= more.external_ids
            extras.lots |= more.lots
            continue
        return Outcome(decision, ruleset, world)
    raise AssertionError("a dry run asks for more and more rows")


def _with_candidates(
    c: Connection, ruleset: Ruleset, drafts: tuple[RuleDraft, ...], now: datetime
) -> Ruleset:
    """Return the rule set with candidates in place of its rules; they are numbered as they were given."""
    rules = [
        replace(rule, id=new_id(), history_id=new_id())
        for rule in check_candidates(c, ruleset.organization_id, drafts, now)
    ]
    numbered = [
        NumberedRule(number, compile_rule(rule)) for number, rule in enumerate(rules, 1)
        if rule.status is RuleStatus.ACTIVE
    ]
    numbered.sort(key=lambda one: (one.compiled.rule.order, one.number))
    return make_ruleset(
        ruleset.organization_id, ruleset.program_id, ruleset.version, ruleset.program_name,
        tuple(numbered), ruleset.assets, ruleset.tiers,
    )


def _person(
    c: Connection, organization_id: UUID, person: Person, now: datetime, imagined: dict[UUID, Owner]
) -> UUID:
    """Return the id of a real participant, or of one made up for this trial."""
    if person.id is not None:
        if not participants.exists(c, organization_id, person.id):
            raise errors.ParticipantNotFound()
        return person.id
    if person.external_id is not None:
        found = participants.ids_of(c, organization_id, [person.external_id]).get(person.external_id)
        if found is not None:
            return found
    made = new_id()
    imagined[made] = Owner(
        organization_id, made, OwnerType.PARTICIPANT, "ACTIVE", now, person.external_id,
        tags=person.tags,
        counters={key: Counter(value) for key, value in person.counters.items()},
        attributes=dict(person.attributes),
    )
    return made
