"""Accepting events: one transaction a request, however many events, and the bell after its commit.

What lives here: resolving or creating participants, enrolling, replays and conflicts, inserting. What does
not: checking the shape of a request (app/api) and deciding anything (flows/process).
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg

from app import db
from app.db import Connection
from app.domain import errors
from app.domain.events import Accepted, Submission, SystemEvent, normalised
from app.domain.ids import (
    SYSTEM_KEY_PREFIX,
    TimeOrdered,
    event_id,
    new_id,
    partition_of,
    system_event_id,
)
from app.domain.instants import format_instant
from app.domain.names import EventStatus, EventType, ProgramStatus, WebhookType
from app.flows import backlog
from app.flows.messages import participant_created
from app.queue import ringer
from app.store import acceptance, events, outbox
from app.store.event_status import status_of

Outcome = Accepted | errors.DomainError
RACES_MAX = 5  # Requests that bring the same participants or events at once: the losers look again.


class _Raced(Exception):
    """Another request created one of our participants first."""


@dataclass(slots=True)
class _Context:
    """What one request has learned so far; people are (id, external id, programs with ACTIVE enrollment)."""

    organization_id: UUID
    now: datetime
    programs: dict[UUID, dict[str, Any]]
    by_external: dict[str, UUID]
    enrolled: dict[UUID, set[UUID]]
    created: list[tuple[UUID, str]] = field(default_factory=list)
    created_in: dict[UUID, UUID] = field(default_factory=dict)
    enrolling: dict[tuple[UUID, UUID], None] = field(default_factory=dict)


def accept(organization_id: UUID, submissions: list[Submission]) -> list[Outcome]:
    """Accept events durably, in order; returns for each its answer or the error that refuses it.

    A refused submission changes nothing and does not affect the others. Raises TooManyRequests when the
    queue is full. The answers hold after return: everything is committed.
    """
    backlog.refuse_when_full()
    for _ in range(RACES_MAX):
        try:
            with db.transaction() as c:
                outcomes, partitions = _accept(c, organization_id, submissions)
            ringer.ring(partitions)
            return outcomes
        except (_Raced, psycopg.errors.DeadlockDetected):
            continue
    raise errors.TooManyRequests("Too many requests bring the same participants or events at once")


def _accept(
    c: Connection, organization_id: UUID, submissions: list[Submission]
) -> tuple[list[Outcome], set[int]]:
    context = _look_up(c, organization_id, submissions)
    stored = _stored(c, context, submissions)
    outcomes: list[Outcome | None] = [None] * len(submissions)
    fresh: dict[UUID, tuple[int, Submission, UUID, UUID | None]] = {}
    for index, submission in enumerate(submissions):
        known = event_id(submission.program_id, submission.idempotency_key)
        try:
            if known in fresh:
                outcomes[index] = _repeated(submission, fresh[known], known)
                continue
            if (row := stored.get(known)) is not None:
                outcomes[index] = replay(submission, row)
                continue
            person, recipient = _resolve(context, submission)
            fresh[known] = (index, submission, person, recipient)
            outcomes[index] = _accepted(submission, known, person, replayed=False)
        except errors.DomainError as error:
            outcomes[index] = error
    new = _write(c, context, fresh)
    lost = [known for known in fresh if known not in new]
    if lost:
        # Another request inserted the same key between our look and our insert; its row has committed.
        late = events.existing(c, organization_id, lost)
        for known in lost:
            index, submission, _, _ = fresh[known]
            try:
                outcomes[index] = replay(submission, late[known])
            except errors.DomainError as error:
                outcomes[index] = error
    return [outcome for outcome in outcomes if outcome is not None], set(new.values())


def accept_within(
    c: Connection, organization_id: UUID, submissions: list[Submission]
) -> tuple[list[Outcome], set[int]]:
    """Accept events in the caller's transaction, for imports; also returns partitions to ring afterwards."""
    return _accept(c, organization_id, submissions)


def _look_up(c: Connection, organization_id: UUID, submissions: list[Submission]) -> _Context:
    program_ids = list({s.program_id for s in submissions})
    external_ids = {s.external_id for s in submissions} | {s.recipient_external_id for s in submissions}
    person_ids = {s.participant_id for s in submissions} | {s.recipient_id for s in submissions}
    names = [name for name in external_ids if name is not None]
    ids = [one for one in person_ids if one is not None]
    with db.gathered(c):
        programs = acceptance.programs(c, organization_id, program_ids)
        named = acceptance.people_by_external_id(c, organization_id, names, program_ids) if names else None
        given = acceptance.people_by_id(c, organization_id, ids, program_ids) if ids else None
        clock = c.execute("SELECT read_clock() AS now")
    row = clock.fetchone()
    assert row is not None
    context = _Context(organization_id, row["now"], {p["id"]: p for p in programs.fetchall()}, {}, {})
    for person in (named.fetchall() if named else []) + (given.fetchall() if given else []):
        context.by_external[person["external_id"]] = person["id"]
        programs_of = context.enrolled.setdefault(person["id"], set())
        if person["program_id"] is not None:
            programs_of.add(person["program_id"])
    return context


def _stored(c: Connection, context: _Context, submissions: list[Submission]) -> dict[UUID, dict[str, Any]]:
    """Read the events that may be replays where acceptance has side effects or would be refused.

    The common case, known people in an active program, finds its replays by the insert's conflict instead.
    """
    doubtful = [
        event_id(s.program_id, s.idempotency_key) for s in submissions if not _plain(context, s)
    ]
    return events.existing(c, context.organization_id, doubtful) if doubtful else {}


def _plain(context: _Context, submission: Submission) -> bool:
    program = context.programs.get(submission.program_id)
    if program is None or program["status"] != ProgramStatus.ACTIVE:
        return False
    people = [submission.participant_id or context.by_external.get(submission.external_id or "")]
    if submission.recipient_id is not None or submission.recipient_external_id is not None:
        named = context.by_external.get(submission.recipient_external_id or "")
        people.append(submission.recipient_id or named)
    return all(
        person is not None and submission.program_id in context.enrolled.get(person, ()) for person in people
    )


def _named(context: _Context, external_id: str, field: str, refusal: type[errors.DomainError]) -> UUID:
    """Return who has an external id, _NOBODY where somebody is to be created. Raises `refusal`."""
    person = context.by_external.get(external_id, _NOBODY)
    if external_id == f"erased-{person}":
        raise refusal(details={field: "was erased"})
    return person


def _resolve(context: _Context, submission: Submission) -> tuple[UUID, UUID | None]:
    """Return participant and recipient, noting whom to create and enroll. Raises what refuses the event."""
    program = context.programs.get(submission.program_id)
    if program is None:
        raise errors.NotFound("Program not found")
    if program["status"] != ProgramStatus.ACTIVE:
        raise errors.ProgramInactive(details={"program_id": f"program is {program['status']}"})
    create = program["on_unknown_participant"] == "CREATE"
    refusal: type[errors.DomainError] = errors.ParticipantNotFound
    recipient: UUID | None = None
    if submission.participant_id is not None:
        person = submission.participant_id
        if person not in context.enrolled:
            raise errors.ParticipantNotFound(details={"participant_id": "is unknown"})
    else:
        assert submission.external_id is not None
        person = _named(context, submission.external_id, "external_id", refusal)
        if person is _NOBODY and not create:
            raise refusal(details={"external_id": "is unknown, and the program rejects unknown participants"})
    if submission.recipient_id is not None:
        recipient = submission.recipient_id
        if recipient not in context.enrolled:
            raise errors.RecipientNotFound(details={"recipient_id": "is unknown"})
    elif submission.recipient_external_id is not None:
        named = submission.recipient_external_id
        recipient = _named(context, named, "recipient_external_id", errors.RecipientNotFound)
        if recipient is _NOBODY and not create:
            raise errors.RecipientNotFound(
                details={"recipient_external_id": "is unknown, and the program rejects unknown participants"}
            )
    # Both are accepted now; only here is anybody created, so that a refused event creates nobody.
    if person is _NOBODY:
        person = _create(context, submission.external_id, submission.program_id)
    if recipient is _NOBODY:
        recipient = context.by_external.get(submission.recipient_external_id or "")
        recipient = recipient or _create(context, submission.recipient_external_id, submission.program_id)
    for one in (person, recipient):
        if one is not None and submission.program_id not in context.enrolled[one]:
            context.enrolled[one].add(submission.program_id)
            context.enrolling[submission.program_id, one] = None
    return person, recipient


_NOBODY = UUID(int=0)


def _create(context: _Context, external_id: str | None, program_id: UUID) -> UUID:
    assert external_id is not None
    person = new_id()
    context.created.append((person, external_id))
    context.created_in[person] = program_id
    context.by_external[external_id] = person
    context.enrolled[person] = set()
    return person


def _write(
    c: Connection, context: _Context, fresh: dict[UUID, tuple[int, Submission, UUID, UUID | None]]
) -> dict[UUID, int]:
    """Write people, enrollments and events; returns the partition of each event that was new."""
    organization_id, now = context.organization_id, context.now
    if context.created:
        # Sorted, so that two requests that create the same people cannot wait for each other in a circle.
        people = sorted(context.created, key=lambda person: person[1])
        if acceptance.create_people(c, organization_id, people, now) != len(people):
            raise _Raced
        if outbox.wants(c, organization_id, WebhookType.PARTICIPANT_CREATED):
            ids = TimeOrdered(now)
            numbers = outbox.number(c, organization_id, [person for person, _ in people])
            outbox.insert(c, [
                outbox.Message(
                    organization_id, ids.next(), WebhookType.PARTICIPANT_CREATED, now, person,
                    participant_created(
                        person, name, [context.created_in[person]], now, sequence=numbers[person]
                    ),
                )
                for person, name in people
            ])
    if context.enrolling:
        acceptance.enroll(c, organization_id, list(context.enrolling), now)
    if not fresh:
        return {}
    at = now.isoformat()
    rows = [
        {"o": str(organization_id), "id": str(known), "p": str(s.program_id), "t": "EXTERNAL",
         "pa": str(person), "re": str(recipient) if recipient else None, "x": s.external_id,
         "rx": s.recipient_external_id, "k": s.idempotency_key, "ts": s.event_timestamp.isoformat(),
         "at": at, "d": s.event_data, "pt": partition_of(person), "dp": 0}
        for known, (_, s, person, recipient) in fresh.items()
    ]
    return {row["id"]: row["partition"] for row in events.insert_rows(c, rows)}


def _accepted(submission: Submission, known: UUID, person: UUID | None, *, replayed: bool) -> Accepted:
    return Accepted(
        known, submission.program_id, person, submission.external_id, submission.idempotency_key,
        submission.event_timestamp, EventStatus.RECEIVED, replayed,
    )


def _repeated(
    submission: Submission, first: tuple[int, Submission, UUID, UUID | None], known: UUID
) -> Accepted:
    """Answer a second submission of one key within a request."""
    if normalised(_compared(submission)) != normalised(_compared(first[1])):
        raise errors.IdempotencyConflict(details={"idempotency_key": "was used with a different payload"})
    return _accepted(submission, known, first[2], replayed=True)


def _compared(submission: Submission) -> dict[str, Any]:
    return {
        "x": submission.external_id, "p": submission.participant_id, "r": submission.recipient_id,
        "rx": submission.recipient_external_id, "ts": submission.event_timestamp,
        "d": submission.event_data,
    }


def replay(submission: Submission, row: dict[str, Any]) -> Accepted:
    """Answer a submission whose event exists: the stored event, or IdempotencyConflict."""
    by_external = row["external_id"] is not None
    by_recipient_name = row["recipient_external_id"] is not None
    kept = {
        "x": row["external_id"], "p": None if by_external else row["participant_id"],
        "r": None if by_recipient_name else row["recipient_id"], "rx": row["recipient_external_id"],
        "ts": row["event_timestamp"], "d": row["event_data"],
    }
    if normalised(_compared(submission)) != normalised(kept):
        raise errors.IdempotencyConflict(details={"idempotency_key": "was used with a different payload"})
    return Accepted(
        row["id"], row["program_id"], row["participant_id"], row["external_id"], row["idempotency_key"],
        row["event_timestamp"], status_of(row), replayed=True,
    )


def insert_system_events(c: Connection, made: list[SystemEvent], now: datetime) -> set[int]:
    """Insert SYSTEM events in the caller's transaction; returns partitions to ring after its commit.

    An event whose key exists in its program is left out: the same announcement is made once.
    """
    rows = []
    for one in made:
        owner = one.participant_id or one.group_id or one.program_id
        rows.append({
            "o": str(one.organization_id), "id": str(system_event_id(one.program_id, one.key)),
            "p": str(one.program_id), "t": str(EventType.SYSTEM), "k": f"{SYSTEM_KEY_PREFIX}{one.key}",
            "pa": str(one.participant_id) if one.participant_id else None,
            "gr": str(one.group_id) if one.group_id else None,
            "ts": format_instant(one.event_timestamp), "at": now.isoformat(), "d": one.event_data,
            "pt": partition_of(owner), "dp": one.depth,
            "cb": str(one.caused_by_event_id) if one.caused_by_event_id else None,
            "au": str(one.automation_id) if one.automation_id else None,
        })
    return {row["partition"] for row in events.insert_rows(c, rows)} if rows else set()
