"""Tiers over HTTP: definitions, where participants and groups stand, and how they came there."""

from collections.abc import Callable, Mapping
from typing import Any

from pydantic import BaseModel

from app.api.models.tiers import (
    Lifecycle,
    Tier,
    TierAssignment,
    TierCreate,
    TierHistory,
    TierHistoryQuery,
    TierList,
    TierPatch,
    TiersQuery,
    TierStateOne,
    TierStateQuery,
    TierStates,
)
from app.api.pages import listing
from app.api.render import present
from app.api.routing import Method, Reply, Request, route
from app.db import connection, read_clock
from app.domain.errors import (
    GroupArchived,
    KeyExists,
    LimitExceeded,
    NotFound,
    ParticipantInactive,
    ProgramArchived,
    ProgramSuspended,
    TierArchived,
)
from app.domain.ids import derived_id
from app.domain.names import OwnerType
from app.flows import assign_tier
from app.flows import tiers as tier_flows
from app.flows.assign_tier import Place, check_place
from app.store import programs, tier_history, tier_states, tiers

_TAG = "Tiers"
_LEVELS_EXAMPLE = [
    {"key": "silver", "rank": 1, "display_name": "Silver", "benefits": {"multiplier": "1.25"},
     "qualification": {"mode": "ALL", "criteria": [
         {"counter": "year_points", "operator": ">=", "threshold": 1000}]}},
    {"key": "gold", "rank": 2, "qualification": {"criteria": [
        {"counter": "year_points", "operator": ">=", "threshold": 5000}]}},
]
_LIFECYCLE_EXAMPLE = {
    "retention": {"mode": "PERIOD_BASED"}, "qualification_period": {"type": "CALENDAR_YEAR"},
    "downgrade_policy": {"mode": "DROP_TO_QUALIFYING", "grace_days": 30},
    "counters": {"qualifying": ["year_points"], "rollover": "EXCESS"},
}


def level_view(level: Mapping[str, Any]) -> dict[str, Any]:
    """Show a level; stored as JSON, its instants are texts already."""
    shown = present(
        level, required=("id", "key", "rank"),
        optional=("display_name", "qualification", "benefits", "color", "icon_url"),
    )
    return {**shown, "created_at": _in_utc(level["created_at"]), "updated_at": _in_utc(level["updated_at"])}


def _in_utc(text: str) -> str:
    return text.removesuffix("+00:00") + "Z" if text.endswith("+00:00") else text


def tier_view(row: Mapping[str, Any]) -> dict[str, Any]:
    """Show a tier with its levels by rising rank."""
    return {
        **present(row, required=("id", "program_id", "key"), optional=("display_name",)),
        "levels": [level_view(level) for level in row["levels"]],
        **present(
            row, required=("status", "created_at", "updated_at"), optional=("lifecycle", "archived_at")
        ),
    }


def _words(body: TierCreate | TierPatch) -> dict[str, Any]:
    """Return the fields of a body as they were given."""
    given = body.model_dump(exclude_unset=True)
    for level in given.get("levels") or []:
        if level.get("qualification") is not None:
            level["qualification"] = _without_nulls(level["qualification"])
    if isinstance(body.lifecycle, Lifecycle):
        given["lifecycle"] = _without_nulls(given["lifecycle"])
    return given


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_nulls(item) for name, item in value.items() if item is not None}
    return [_without_nulls(item) for item in value] if isinstance(value, list) else value


@route(
    "POST", "/v1/programs/{program_id}/tiers", summary="Create a tier", tag=_TAG, body=TierCreate,
    responses={201: Tier}, errors=[NotFound, ProgramArchived, KeyExists, LimitExceeded],
    example={"key": "loyalty", "levels": _LEVELS_EXAMPLE, "lifecycle": _LIFECYCLE_EXAMPLE},
    description=(
        "A tier is a track of ordered levels. After the rules of an event, whoever's counters changed rises "
        "to the highest level that they reach; what takes a level away is the `lifecycle`."
    ),
)
def create_tier(request: Request) -> Reply:
    """Create a tier."""
    given = _words(request.body)
    return Reply(201, tier_view(tier_flows.create(
        request.organization_id, request.path["program_id"], key=given["key"],
        display_name=given.get("display_name"), levels=given["levels"], lifecycle=given.get("lifecycle"),
    )))


@route(
    "GET", "/v1/programs/{program_id}/tiers", summary="List the tiers of a program", tag=_TAG,
    query=TiersQuery, responses={200: TierList}, errors=[NotFound],
)
def list_tiers(request: Request) -> Reply:
    """List tiers, newest first, archived ones too."""
    organization_id, program_id = request.organization_id, request.path["program_id"]
    with connection() as c:
        if programs.get(c, organization_id, program_id) is None:
            raise NotFound("Program not found")
        return listing(
            request, tiers.ORDER, lambda page: tiers.page(c, organization_id, program_id, page), tier_view
        )


@route(
    "GET", "/v1/programs/{program_id}/tiers/{key}", summary="Get a tier", tag=_TAG, responses={200: Tier},
    errors=[NotFound],
)
def get_tier(request: Request) -> Reply:
    """Return a tier; archived ones stay readable."""
    with connection() as c:
        row = tiers.get(c, request.organization_id, request.path["program_id"], request.path["key"])
    if row is None:
        raise NotFound("Tier not found")
    return Reply(200, tier_view(row))


@route(
    "PATCH", "/v1/programs/{program_id}/tiers/{key}", summary="Change a tier", tag=_TAG, body=TierPatch,
    responses={200: Tier}, errors=[NotFound, ProgramArchived, TierArchived, KeyExists, LimitExceeded],
    example={"levels": [{"key": "platinum", "rank": 3}]},
    description=(
        "Levels are put by `key`: known ones change in the given fields, new ones are added, others stay. "
        "Nobody is evaluated anew when a threshold changes. A changed `lifecycle` ends pending grace and "
        "sets new review times for everybody in the tier."
    ),
)
def update_tier(request: Request) -> Reply:
    """Change a tier."""
    return Reply(200, tier_view(tier_flows.change(
        request.organization_id, request.path["program_id"], request.path["key"], _words(request.body)
    )))


@route(
    "POST", "/v1/programs/{program_id}/tiers/{key}/archive", summary="Archive a tier", tag=_TAG,
    responses={200: Tier}, errors=[NotFound, TierArchived],
    description="For good: nobody is assigned a level any more; levels that were reached stay as history.",
)
def archive_tier(request: Request) -> Reply:
    """Archive a tier."""
    return Reply(200, tier_view(tier_flows.archive(
        request.organization_id, request.path["program_id"], request.path["key"]
    )))


def state_view(row: Mapping[str, Any]) -> dict[str, Any]:
    """Show where somebody stands in a tier."""
    names = ("level", "rank", "benefits", "acquired_at", "expires_at")
    return {name: row[name] for name in names}


def history_view(row: Mapping[str, Any]) -> dict[str, Any]:
    """Show one change of level."""
    shown: dict[str, Any] = {
        "id": derived_id(row["id"], row["index"]), "program_id": row["program_id"], "key": row["key"],
        "reason": row["reason"] or ("RULE" if row["rule_id"] else "QUALIFIED"),
        "changed_at": row["changed_at"],
    }
    optional = {
        "from": row["from_level"], "to": row["to_level"], "event_id": row["event_id"],
        "rule_id": row["rule_id"], "changed_by_api_key_id": row["changed_by_api_key_id"],
    }
    return shown | {name: value for name, value in optional.items() if value is not None}


class _Host:
    """The handlers for one kind of owner."""

    def __init__(self, kind: OwnerType) -> None:
        self.kind = kind

    def _place(self, request: Request) -> Place:
        return Place(
            request.organization_id, self.kind, request.path["id"], request.query.program_id,
            request.path.get("key", ""),
        )

    def _levels(self, request: Request, key: str | None) -> list[dict[str, Any]]:
        place = self._place(request)
        with connection() as c:
            check_place(c, place)
            return tier_states.levels(
                c, place.organization_id, place.owner_id, place.program_id, read_clock(c), key
            )

    def list_tiers(self, request: Request) -> Reply:
        """List the levels in a program, by tier key."""
        rows = self._levels(request, None)
        return Reply(200, {"data": [{"key": row["key"], **state_view(row)} for row in rows]})

    def get_tier(self, request: Request) -> Reply:
        """Return the level in one tier; 404 at the base."""
        rows = self._levels(request, request.path["key"])
        if not rows:
            raise NotFound("No level is assigned in this tier")
        return Reply(200, state_view(rows[0]))

    def put_tier(self, request: Request) -> Reply:
        """Put somebody on a level; replaces a pending expiry."""
        body: TierAssignment = request.body
        return Reply(200, state_view(assign_tier.assign(
            self._place(request), request.api_key_id, body.level, body.expires_at
        )))

    def remove_tier(self, request: Request) -> Reply:
        """Take somebody back to the base; cancels a pending expiry."""
        assign_tier.remove(self._place(request), request.api_key_id)
        return Reply(204)

    def list_history(self, request: Request) -> Reply:
        """List the changes of level in a program, newest first."""
        with connection() as c:
            place = self._place(request)
            check_place(c, place)
            return listing(request, tier_history.ORDER, lambda page: tier_history.page(
                c, place.organization_id, place.owner_id, page, program_id=place.program_id,
                key=request.query.key,
            ), history_view)


def _register(kind: OwnerType, noun: str) -> None:
    host = _Host(kind)

    def add(
        method: Method, path: str, name: str, handler: Callable[[Request], Reply], summary: str,
        responses: Mapping[int, type[BaseModel] | None], **more: Any,
    ) -> None:
        def handle(request: Request) -> Reply:
            return handler(request)

        handle.__name__, handle.__doc__ = name, handler.__doc__
        route(
            method, f"/v1/{noun}s/{{id}}{path}", summary=summary, tag=f"{noun.capitalize()} state",
            responses=responses, **more,
        )(handle)

    closed = (
        NotFound, TierArchived, ProgramArchived, ProgramSuspended,
        GroupArchived if kind is OwnerType.GROUP else ParticipantInactive,
    )
    one = "/state/tiers/{key}"
    query = TierStateQuery
    add("GET", "/state/tiers", f"list_{noun}_tiers", host.list_tiers, f"List the tiers of a {noun}",
        {200: TierStates}, query=query, errors=[NotFound])
    add("GET", one, f"get_{noun}_tier", host.get_tier, f"Get a tier of a {noun}", {200: TierStateOne},
        query=query, errors=[NotFound])
    add("PUT", one, f"put_{noun}_tier", host.put_tier, f"Put a {noun} on a level", {200: TierStateOne},
        query=query, body=TierAssignment, errors=closed, example={"level": "gold"})
    add("DELETE", one, f"remove_{noun}_tier", host.remove_tier, f"Take a {noun} back to the base",
        {204: None}, query=query, errors=closed)
    add("GET", "/activity/tier-history", f"list_{noun}_tier_history", host.list_history,
        f"List the tier changes of a {noun}", {200: TierHistory}, query=TierHistoryQuery, errors=[NotFound])


_register(OwnerType.PARTICIPANT, "participant")
_register(OwnerType.GROUP, "group")
