"""Creating and changing participants: profile, tags and attributes, status, enrollment.

One path serves one participant and five hundred: read all, lock in the global order, change values in memory,
write all. What is refused for one leaves the others alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg.errors import UniqueViolation

from app.db import Connection, read_clock, transaction
from app.domain.errors import (
    DomainError,
    KeyExists,
    NotFound,
    ParticipantInactive,
    ProgramArchived,
    TooManyRequests,
)
from app.domain.ids import TimeOrdered, new_id
from app.domain.names import OwnerType, ParticipantStatus, ProgramStatus, WebhookType
from app.engine.state import Owner, StateChange
from app.engine.state_edits import merge_attributes, replace_tags
from app.flows.locks import lock_owners
from app.flows.messages import participant_created
from app.store import acceptance, outbox, owner_states, participants, snapshot
from app.store.participants import PROFILE

RACES_MAX = 5  # Requests that create the same participant at once: the losers look again.


@dataclass(frozen=True, slots=True)
class Upsert:
    """What one participant shall be; fields that are None stay as they are."""

    external_id: str
    program_id: UUID | None = None
    status: ParticipantStatus | None = None
    profile: Mapping[str, str] = field(default_factory=dict)
    attributes: Mapping[str, str] | None = None
    tags: Sequence[str] | None = None


@dataclass(frozen=True, slots=True)
class Saved:
    """A participant after its upsert."""

    id: UUID
    external_id: str
    created: bool


Outcome = Saved | DomainError


class _Raced(Exception):
    """Another request created one of our participants first."""


@dataclass(slots=True)
class _Person:
    """A participant in hand: its profile, its state, and what became of them."""

    profile: dict[str, Any]
    before: Owner
    owner: Owner
    created: bool
    erased: bool = False
    accepted: bool = False
    programs: list[UUID] = field(default_factory=list)
    changes: list[StateChange] = field(default_factory=list)


def upsert(organization_id: UUID, api_key_id: UUID, upserts: Sequence[Upsert]) -> list[Outcome]:
    """Create or change participants, in order; returns for each what became of it."""
    for _ in range(RACES_MAX):
        try:
            with transaction() as c:
                return upsert_within(c, organization_id, api_key_id, upserts)
        except _Raced:
            continue
    raise TooManyRequests("Too many requests create the same participants at once")


def upsert_within(
    c: Connection, organization_id: UUID, api_key_id: UUID, upserts: Sequence[Upsert]
) -> list[Outcome]:
    """Do the same in the caller's transaction."""
    program_ids = sorted({each.program_id for each in upserts if each.program_id is not None})
    programs = {}
    if program_ids:
        programs = {row["id"]: row["status"] for row in acceptance.programs(c, organization_id, program_ids)}
    people = _load(c, organization_id, {each.external_id for each in upserts})
    outcomes: list[Outcome] = []
    for each in upserts:
        person = people[each.external_id]
        try:
            _apply(person, each, programs)
            outcomes.append(Saved(person.owner.id, each.external_id, person.created and not person.accepted))
            person.accepted = True
        except DomainError as error:
            outcomes.append(error)
    _write(c, organization_id, api_key_id, [person for person in people.values() if person.accepted])
    return outcomes


def _load(c: Connection, organization_id: UUID, external_ids: set[str]) -> dict[str, _Person]:
    """Return everybody named, known ones locked, unknown ones as they would begin."""
    known = participants.ids_of(c, organization_id, sorted(external_ids))
    if known:
        lock_owners(c, organization_id, list(known.values()))
    found = read_people(c, organization_id, list(known.values()))
    people = {person.profile["external_id"]: person for person in found.values()}
    for external_id in external_ids - people.keys():
        if external_id in known:
            raise _Raced  # It was renamed between our look and our lock.
        owner = Owner(organization_id, new_id(), OwnerType.PARTICIPANT, "ACTIVE", external_id=external_id)
        profile = {"id": owner.id, "external_id": external_id, "status": "ACTIVE"}
        people[external_id] = _Person(profile | dict.fromkeys(PROFILE), owner, owner, created=True)
    return people


def read_people(c: Connection, organization_id: UUID, ids: list[UUID]) -> dict[UUID, _Person]:
    """Return participants with their profiles and states."""
    if not ids:
        return {}
    rows = participants.full(c, organization_id, ids)
    owners, _ = snapshot.read_owners(snapshot.start_owners(c, organization_id, ids), organization_id)
    names = ("id", "external_id", "status", *PROFILE)
    return {
        each: _Person(
            {name: rows[each][name] for name in names}, owners[each], owners[each], created=False,
            erased=rows[each]["erased_at"] is not None,
        )
        for each in rows
    }


def _apply(person: _Person, wanted: Upsert, programs: Mapping[UUID, str]) -> None:
    """Change a person in memory; a refusal changes nothing of it."""
    status = None
    if wanted.program_id is not None:
        status = programs.get(wanted.program_id)
        if status is None:
            raise NotFound("Program not found")
    if person.erased:
        raise ParticipantInactive("The participant was erased, which cannot be undone")
    if status == ProgramStatus.ARCHIVED:
        raise ProgramArchived()
    owner, changes = person.owner, list(person.changes)
    if wanted.tags is not None:
        owner, made = replace_tags(owner, wanted.tags)
        changes += made
    if wanted.attributes is not None:
        owner, made = merge_attributes(owner, wanted.attributes)
        changes += made
    person.owner, person.changes = owner, changes
    person.profile |= {name: text or None for name, text in wanted.profile.items()}
    if wanted.status is not None:
        person.profile["status"] = str(wanted.status)
    if wanted.program_id is not None and wanted.program_id not in person.programs:
        person.programs.append(wanted.program_id)


def _write(c: Connection, organization_id: UUID, api_key_id: UUID, people: list[_Person]) -> None:
    if not people:
        return
    now = read_clock(c)
    fresh = [person for person in people if person.created]
    rows = [person.profile for person in fresh]
    if fresh and participants.insert(c, organization_id, rows, now) != len(fresh):
        raise _Raced
    participants.update(c, organization_id, [each.profile for each in people if not each.created], now)
    write_states(c, organization_id, api_key_id, people, now)
    pairs = [(program, person.owner.id) for person in people for program in person.programs]
    if pairs:
        acceptance.enroll(c, organization_id, pairs, now)
    if fresh:
        _announce(c, organization_id, fresh, now)


def write_states(
    c: Connection, organization_id: UUID, api_key_id: UUID, people: Sequence[_Person], now: datetime
) -> None:
    """Write the states that changed, with their history."""
    changed = [person for person in people if person.changes]
    ids = TimeOrdered(now)
    owner_states.update(c, [
        owner_states.update_row(person.before, person.owner, posted_at=None, active_at=None, messages=0)
        for person in changed
    ])
    owner_states.insert_history(c, [
        owner_states.history_row(
            organization_id, person.owner.id, ids.next(), now, person.changes, api_key_id=api_key_id
        )
        for person in changed
    ])


def _announce(c: Connection, organization_id: UUID, people: list[_Person], now: datetime) -> None:
    kind = WebhookType.PARTICIPANT_CREATED
    if kind not in outbox.subscribed(c, [organization_id]).get(organization_id, ()):
        return
    ids = TimeOrdered(now)
    numbers = outbox.number(c, organization_id, [person.owner.id for person in people])
    outbox.insert(c, [
        outbox.Message(organization_id, ids.next(), kind, now, person.owner.id, participant_created(
            person.owner.id, person.profile["external_id"], person.programs, now,
            status=person.profile["status"], tags=list(person.owner.tags),
            attributes=dict(person.owner.attributes), sequence=numbers[person.owner.id],
            **{name: person.profile[name] for name in PROFILE if person.profile[name] is not None},
        ))
        for person in people
    ])


def change(
    organization_id: UUID, api_key_id: UUID, participant_id: UUID, *,
    profile: Mapping[str, str | None], status: ParticipantStatus | None = None,
    attributes: Mapping[str, str] | None = None, tags: Sequence[str] | None = None,
) -> None:
    """Change a participant by id; `profile` may hold a new external_id. Raises NotFound, KeyExists."""
    try:
        with transaction() as c:
            lock_owners(c, organization_id, [participant_id])
            person = read_people(c, organization_id, [participant_id]).get(participant_id)
            if person is None:
                raise NotFound("Participant not found")
            _apply(person, Upsert("", None, status, {}, attributes, tags), {})
            person.profile |= {name: text or None for name, text in profile.items()}
            now = read_clock(c)
            participants.update(c, organization_id, [person.profile], now)
            write_states(c, organization_id, api_key_id, [person], now)
    except UniqueViolation:
        raise KeyExists(
            "A participant with this external_id exists", {"external_id": "is already used"}
        ) from None
