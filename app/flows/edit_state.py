"""Changing tags, counters and attributes of one participant, group or program through the API."""

from collections.abc import Callable
from datetime import datetime
from uuid import UUID

from app.db import Connection, read_clock, transaction
from app.domain.errors import GroupArchived, NotFound, ParticipantInactive, ProgramArchived
from app.domain.ids import TimeOrdered
from app.domain.names import OwnerType
from app.engine.state import Owner
from app.engine.state_edits import Edited
from app.flows import counted, review_tiers
from app.flows.locks import lock_owners, lock_programs
from app.store import owner_states, participants, programs, snapshot

Edit = Callable[[Owner, datetime], Edited]


def edit(
    organization_id: UUID, kind: OwnerType, owner_id: UUID, api_key_id: UUID, change: Edit, *,
    needs_active: bool = False,
) -> tuple[Owner, bool, datetime]:
    """Apply an edit; returns the owner as it is now, whether it changed, and when.

    `needs_active` is for counters, which an inactive participant's are closed to. Raises NotFound,
    ParticipantInactive, GroupArchived, ProgramArchived, and what the edit raises.
    """
    with transaction() as c:
        lock = lock_programs if kind is OwnerType.PROGRAM else lock_owners
        lock(c, organization_id, [owner_id])
        review_tiers.settle_first(c, organization_id, owner_id)
        now = read_clock(c)
        before = read_owner(c, organization_id, kind, owner_id)
        refuse_closed(c, before, needs_active=needs_active)
        after, changes = change(before, now)
        if changes:
            row = owner_states.update_row(before, after, posted_at=None, active_at=None, messages=0)
            owner_states.update(c, [row])
            owner_states.insert_history(c, [owner_states.history_row(
                organization_id, owner_id, TimeOrdered(now).next(), now, changes, api_key_id=api_key_id
            )])
            counted.follow(c, organization_id, before, after, api_key_id, now)
        return after, bool(changes), now


def read_owner(c: Connection, organization_id: UUID, kind: OwnerType, owner_id: UUID) -> Owner:
    """Return an owner of that kind with its state. Raises NotFound."""
    cursor = snapshot.start_owners(c, organization_id, [owner_id])
    owner = snapshot.read_owners(cursor, organization_id)[0].get(owner_id)
    if owner is None or owner.kind is not kind:
        raise NotFound(f"{kind.value.capitalize()} not found")
    return owner


def refuse_closed(c: Connection, owner: Owner, *, needs_active: bool) -> None:
    """Refuse what is archived or was erased, and to change counters of inactive participants."""
    if owner.kind is OwnerType.GROUP and owner.status == "ARCHIVED":
        raise GroupArchived()
    if owner.kind is OwnerType.PARTICIPANT and needs_active and owner.status != "ACTIVE":
        raise ParticipantInactive()
    if owner.kind is OwnerType.PARTICIPANT and owner.status == "CLOSED":
        refuse_erased(c, owner.organization_id, owner.id)
    if owner.kind is OwnerType.PROGRAM:
        program = programs.get(c, owner.organization_id, owner.id)
        if program is not None and program["status"] == "ARCHIVED":
            raise ProgramArchived()


def refuse_erased(c: Connection, organization_id: UUID, participant_id: UUID) -> None:
    """Refuse to write anything about a participant who was erased: it would be personal data anew."""
    if participants.is_erased(c, organization_id, participant_id):
        raise ParticipantInactive("The participant was erased, which cannot be undone")
