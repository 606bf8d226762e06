"""Groups and their members over HTTP."""

from collections.abc import Mapping
from typing import Any

from app.api.balance_lists import total
from app.api.models import groups as models
from app.api.pages import listing
from app.api.render import present
from app.api.routing import Reply, Request, route
from app.book import owner_balances
from app.db import connection, read_clock
from app.domain.amounts import format_amount
from app.domain.errors import AlreadyMember, GroupArchived, LastAdmin, NotFound
from app.flows import manage_groups
from app.store import groups

_TAG = "Groups"
_PERSON = "6f1c2f3e-0f57-4f3c-9a2e-0d8f3b7f2a11"


def group_view(row: Mapping[str, Any]) -> dict[str, Any]:
    """Show a group."""
    return present(
        row, required=("id", "name", "status", "created_at", "updated_at"), optional=("deleted_at",)
    )


def member_view(row: Mapping[str, Any]) -> dict[str, Any]:
    """Show a member."""
    return present(
        row, required=("participant_id", "external_id", "role", "status", "joined_at"), optional=("left_at",)
    )


@route(
    "POST", "/v1/groups", summary="Create a group", tag=_TAG, body=models.GroupCreate,
    responses={201: models.Group}, errors=[NotFound],
    example={"name": "Family", "members": [{"participant_id": _PERSON, "role": "ADMIN"}]},
    description="A group has balances and state of its own. One member at least is `ADMIN`.",
)
def create_group(request: Request) -> Reply:
    """Create a group."""
    body: models.GroupCreate = request.body
    return Reply(201, group_view(manage_groups.create(
        request.organization_id, body.name,
        [(member.participant_id, member.role) for member in body.members], body.on_behalf_of_participant_id,
    )))


@route(
    "GET", "/v1/groups", summary="List groups", tag=_TAG, query=models.GroupsQuery,
    responses={200: models.GroupList},
)
def list_groups(request: Request) -> Reply:
    """List groups; archived ones only where asked for."""
    query: models.GroupsQuery = request.query
    order = groups.order(query.sort_by, descending=query.sort_dir == "desc")
    with connection() as c:
        return listing(request, order, lambda page: groups.page(
            c, request.organization_id, order, page, include_archived=query.include_archived,
        ), group_view)


@route("GET", "/v1/groups/{id}", summary="Get a group", tag=_TAG, responses={200: models.GroupDetail})
def get_group(request: Request) -> Reply:
    """Return a group with its total balances; archived ones stay readable."""
    with connection() as c:
        row = groups.get(c, request.organization_id, request.path["id"])
        if row is None:
            raise NotFound("Group not found")
        found = owner_balances.of_owner(c, request.organization_id, row["id"], read_clock(c))
    balances = {
        str(each.asset_id): format_amount(total(each), each.scale)
        for each in found
    }
    return Reply(200, {**group_view(row), "balances": balances})


@route(
    "PATCH", "/v1/groups/{id}", summary="Rename a group", tag=_TAG, body=models.GroupPatch,
    responses={200: models.Group}, errors=[GroupArchived], example={"name": "Family Lovelace"},
)
def update_group(request: Request) -> Reply:
    """Change a group's name."""
    changes = request.body.model_dump(exclude_unset=True)
    return Reply(200, group_view(manage_groups.rename(
        request.organization_id, request.path["id"], changes
    )))


@route(
    "DELETE", "/v1/groups/{id}", summary="Archive a group", tag=_TAG, responses={200: models.Group},
    errors=[GroupArchived], description="Final. Balances, members and state stay as they are.",
)
def archive_group(request: Request) -> Reply:
    """Archive a group."""
    return Reply(200, group_view(manage_groups.archive(request.organization_id, request.path["id"])))


@route(
    "GET", "/v1/groups/{id}/members", summary="List a group's members", tag=_TAG,
    query=models.MembersQuery, responses={200: models.MemberList},
)
def list_group_members(request: Request) -> Reply:
    """List members, newest first; those who left only where asked for."""
    with connection() as c:
        if groups.get(c, request.organization_id, request.path["id"]) is None:
            raise NotFound("Group not found")
        return listing(request, groups.MEMBER_ORDER, lambda page: groups.members_page(
            c, request.organization_id, request.path["id"], page,
            include_former=request.query.include_former,
        ), member_view)


@route(
    "POST", "/v1/groups/{id}/members", summary="Add members to a group", tag=_TAG, body=models.MembersAdd,
    responses={200: models.Message}, errors=[AlreadyMember, GroupArchived],
    example={"participant_id": _PERSON, "role": "MEMBER"},
    description="Either `participant_id` or `members`; all are added or none. Who left may return.",
)
def add_group_members(request: Request) -> Reply:
    """Add members to a group."""
    body: models.MembersAdd = request.body
    if body.members is not None:
        members = [(member.participant_id, str(member.role)) for member in body.members]
    else:
        assert body.participant_id is not None
        members = [(body.participant_id, body.role or "MEMBER")]
    manage_groups.add_members(
        request.organization_id, request.path["id"], members, body.on_behalf_of_participant_id
    )
    return Reply(200, {"message": "Member(s) added to group"})


@route(
    "PATCH", "/v1/groups/{id}/members/{participant_id}", summary="Change a member's role", tag=_TAG,
    body=models.MemberPatch, responses={200: models.MemberRole}, errors=[LastAdmin, GroupArchived],
    example={"role": "ADMIN"},
)
def update_group_member(request: Request) -> Reply:
    """Give a member another role."""
    participant_id, role = request.path["participant_id"], request.body.role
    manage_groups.change_role(
        request.organization_id, request.path["id"], participant_id, role,
        request.body.on_behalf_of_participant_id,
    )
    return Reply(200, {"message": "Member role updated", "participant_id": participant_id, "role": role})


@route(
    "DELETE", "/v1/groups/{id}/members/{participant_id}", summary="Remove a member", tag=_TAG,
    responses={204: None}, errors=[LastAdmin, GroupArchived],
)
def remove_group_member(request: Request) -> Reply:
    """Note that a member left the group."""
    manage_groups.remove_member(
        request.organization_id, request.path["id"], request.path["participant_id"]
    )
    return Reply(204)
