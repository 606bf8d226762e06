"""Programs over HTTP: create, list, read, change."""

from collections.abc import Mapping
from typing import Any

from app.api.models.programs import Program, ProgramCreate, ProgramList, ProgramPatch, ProgramsQuery
from app.api.pages import listing
from app.api.render import present
from app.api.routing import Reply, Request, route
from app.db import connection
from app.domain.errors import NotFound, ProgramArchived
from app.flows import manage_programs
from app.store import programs

_TAG = "Programs"


def program_view(row: Mapping[str, Any]) -> dict[str, Any]:
    """Show a program."""
    return present(
        row, optional=("description", "redemption_target_entity_id", "deleted_at"),
        required=(
            "id", "name", "on_unknown_participant", "status", "redemption_target_type", "reversal_grace",
            "created_at", "updated_at",
        ),
    )


@route(
    "POST", "/v1/programs", summary="Create a program", tag=_TAG, body=ProgramCreate,
    responses={201: Program},
    description="A program holds rules, links assets and enrolls participants. It starts `ACTIVE`.",
    example={"name": "Rewards", "description": "Points for purchases", "on_unknown_participant": "CREATE"},
)
def create_program(request: Request) -> Reply:
    """Create a program."""
    body: ProgramCreate = request.body
    return Reply(201, program_view(manage_programs.create(
        request.organization_id, name=body.name, description=body.description,
        on_unknown_participant=body.on_unknown_participant, reversal_grace=body.reversal_grace,
    )))


@route(
    "GET", "/v1/programs", summary="List programs", tag=_TAG, query=ProgramsQuery,
    responses={200: ProgramList},
    description="Archived programs are left out unless `status` or `include_archived` asks for them.",
)
def list_programs(request: Request) -> Reply:
    """List programs."""
    query: ProgramsQuery = request.query
    order = programs.order(query.sort_by, descending=query.sort_dir == "desc")
    with connection() as c:
        return listing(request, order, lambda page: programs.page(
            c, request.organization_id, order, page, status=query.status,
            include_archived=query.include_archived, search=query.search,
        ), program_view)


@route("GET", "/v1/programs/{id}", summary="Get a program", tag=_TAG, responses={200: Program})
def get_program(request: Request) -> Reply:
    """Return a program; archived ones stay readable."""
    with connection() as c:
        row = programs.get(c, request.organization_id, request.path["id"])
    if row is None:
        raise NotFound("Program not found")
    return Reply(200, program_view(row))


@route(
    "PATCH", "/v1/programs/{id}", summary="Change a program", tag=_TAG, body=ProgramPatch,
    responses={200: Program}, errors=[ProgramArchived],
    description=(
        "Only fields present in the body change. Archiving is `status: ARCHIVED`; an archived program "
        "accepts nothing but a move of its status. `redemption_target_type: LEDGER_ENTITY` needs "
        "`redemption_target_entity_id`; the other types clear it. Redemptions made before keep their target."
    ),
    example={"status": "SUSPENDED"},
)
def update_program(request: Request) -> Reply:
    """Change a program."""
    changes = request.body.model_dump(exclude_unset=True)
    return Reply(200, program_view(manage_programs.change(
        request.organization_id, request.path["id"], changes
    )))
