"""Creating, renaming and archiving groups, and who belongs to them. A group keeps at least one ADMIN."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from app.db import Connection, read_clock, transaction
from app.domain.errors import AlreadyMember, GroupArchived, LastAdmin, NotFound
from app.domain.ids import new_id
from app.flows.locks import lock_owners
from app.store import groups, participants

Member = tuple[UUID, str]


def create(
    organization_id: UUID, name: str, members: Sequence[Member], on_behalf_of: UUID | None
) -> dict[str, Any]:
    """Create a group with its first members, of whom one at least is ADMIN."""
    with transaction() as c:
        _refuse_unknown(c, organization_id, members, on_behalf_of)
        now = read_clock(c)
        group = groups.insert(c, organization_id, new_id(), name, now)
        groups.join(c, organization_id, group["id"], members, on_behalf_of, now)
        return group


def rename(organization_id: UUID, group_id: UUID, changes: Mapping[str, Any]) -> dict[str, Any]:
    """Change a group's name."""
    with transaction() as c:
        group = _open_group(c, organization_id, group_id)
        return groups.update(c, organization_id, {**group, **changes}, read_clock(c))


def archive(organization_id: UUID, group_id: UUID) -> dict[str, Any]:
    """Archive a group for good; what it has stays as it is."""
    with transaction() as c:
        group = _open_group(c, organization_id, group_id)
        now = read_clock(c)
        return groups.update(c, organization_id, {**group, "status": "ARCHIVED", "deleted_at": now}, now)


def add_members(
    organization_id: UUID, group_id: UUID, members: Sequence[Member], on_behalf_of: UUID | None
) -> None:
    """Add members, all or none of them."""
    with transaction() as c:
        group = _locked_group(c, organization_id, group_id)
        _refuse_unknown(c, organization_id, members, on_behalf_of)
        _refuse_archived(group)
        present = groups.active_members(c, organization_id, group_id)
        if any(participant_id in present for participant_id, _ in members):
            raise AlreadyMember()
        groups.join(c, organization_id, group_id, members, on_behalf_of, read_clock(c))


def change_role(
    organization_id: UUID, group_id: UUID, participant_id: UUID, role: str, on_behalf_of: UUID | None
) -> None:
    """Give a member another role."""
    with transaction() as c:
        group = _locked_group(c, organization_id, group_id)
        _refuse_unknown(c, organization_id, (), on_behalf_of)
        _member(c, organization_id, group, participant_id, stays_admin=role == "ADMIN")
        groups.change_member(
            c, organization_id, group_id, participant_id, role=role, left_at=None, on_behalf_of=on_behalf_of
        )


def remove_member(organization_id: UUID, group_id: UUID, participant_id: UUID) -> None:
    """Note that a member left; its history stays."""
    with transaction() as c:
        group = _locked_group(c, organization_id, group_id)
        role = _member(c, organization_id, group, participant_id, stays_admin=False)
        groups.change_member(
            c, organization_id, group_id, participant_id, role=role, left_at=read_clock(c), on_behalf_of=None
        )


def _open_group(c: Connection, organization_id: UUID, group_id: UUID) -> dict[str, Any]:
    group = _locked_group(c, organization_id, group_id)
    _refuse_archived(group)
    return group


def _locked_group(c: Connection, organization_id: UUID, group_id: UUID) -> dict[str, Any]:
    lock_owners(c, organization_id, [group_id])
    group = groups.get(c, organization_id, group_id)
    if group is None:
        raise NotFound("Group not found")
    return group


def _refuse_archived(group: Mapping[str, Any]) -> None:
    """Say that a group is closed, which comes after whatever else is named was found (decision A6)."""
    if group["status"] == "ARCHIVED":
        raise GroupArchived()


def _member(
    c: Connection, organization_id: UUID, group: Mapping[str, Any], participant_id: UUID, *,
    stays_admin: bool,
) -> str:
    roles = groups.active_members(c, organization_id, group["id"])
    role = roles.get(participant_id)
    if role is None:
        raise NotFound("Member not found")
    _refuse_archived(group)
    admins = [each for each in roles.values() if each == "ADMIN"]
    if role == "ADMIN" and not stays_admin and len(admins) == 1:
        raise LastAdmin()
    return role


def _refuse_unknown(
    c: Connection, organization_id: UUID, members: Sequence[Member], on_behalf_of: UUID | None
) -> None:
    named = {participant_id for participant_id, _ in members}
    if on_behalf_of is not None:
        named.add(on_behalf_of)
    if len(participants.known(c, organization_id, sorted(named))) != len(named):
        raise NotFound("Participant not found")
