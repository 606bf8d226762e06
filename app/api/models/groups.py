"""The shapes of groups and their members."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from app.api.fields import (
    STRUCTURE_FAULT,
    AmountText,
    Answer,
    Body,
    InstantText,
    Name,
    Patch,
    QueryBoolean,
    Uuid,
    UuidText,
    fault_at,
)
from app.api.pages import Paged, SortDirection, list_of

Role = Literal["ADMIN", "MEMBER"]
MEMBERS_MAX = 500
OnBehalf = Annotated[Uuid | None, Field(description="Who asked for it; kept for the record only.")]


class MemberBody(Body):
    """A participant and its role."""

    participant_id: Uuid
    role: Role = "MEMBER"


Members = Annotated[list[MemberBody], Field(min_length=1, max_length=MEMBERS_MAX)]


def _refuse_twice(members: list[MemberBody]) -> None:
    if len({member.participant_id for member in members}) != len(members):
        raise fault_at("members", "must not name a participant twice")


class GroupCreate(Body):
    """A new group; one member at least is ADMIN."""

    name: Name
    members: Members
    on_behalf_of_participant_id: OnBehalf = None

    @model_validator(mode="after")
    def _has_admin(self) -> "GroupCreate":
        _refuse_twice(self.members)
        if all(member.role != "ADMIN" for member in self.members):
            raise fault_at("members", "must have at least one ADMIN")
        return self


class GroupPatch(Patch):
    """The field to change."""

    name: Name | None = None


class MembersAdd(Body):
    """One participant, or several under `members`."""

    participant_id: Uuid | None = None
    role: Role | None = None
    members: Members | None = None
    on_behalf_of_participant_id: OnBehalf = None

    @model_validator(mode="after")
    def _one_form(self) -> "MembersAdd":
        if self.members is not None:
            if self.participant_id is not None or self.role is not None:
                raise fault_at("members", "must not stand beside participant_id or role", STRUCTURE_FAULT)
            _refuse_twice(self.members)
        elif self.participant_id is None:
            raise fault_at("participant_id", "is required, or members")
        return self


class MemberPatch(Body):
    """The new role."""

    role: Role
    on_behalf_of_participant_id: OnBehalf = None


class GroupsQuery(Paged):
    """Filters of the list of groups."""

    include_archived: QueryBoolean = False
    sort_by: Literal["created_at", "name"] = "created_at"
    sort_dir: SortDirection = "desc"


class MembersQuery(Paged):
    """Filters of the list of members."""

    include_former: QueryBoolean = False


class Group(Answer):
    """A group: a shared wallet of several participants."""

    id: UuidText
    name: str
    status: Literal["ACTIVE", "ARCHIVED"]
    created_at: InstantText
    updated_at: InstantText
    deleted_at: InstantText | None = None


class GroupDetail(Group):
    """A group with its total balances by asset id."""

    balances: dict[str, AmountText]


class Member(Answer):
    """A member of a group."""

    participant_id: UuidText
    external_id: str
    role: Role
    status: Literal["ACTIVE", "LEFT"]
    joined_at: InstantText
    left_at: InstantText | None = None


class Message(Answer):
    """A confirmation in words."""

    message: str


class MemberRole(Answer):
    """A member's new role."""

    message: str
    participant_id: UuidText
    role: Role


GroupList = list_of(Group)
MemberList = list_of(Member)
