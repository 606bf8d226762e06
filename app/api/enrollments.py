"""The participants of a program over HTTP."""

from collections.abc import Mapping
from typing import Any

from app.api.models.participants import Enrollment, EnrollmentBody, EnrollmentList, EnrollmentsQuery
from app.api.pages import listing
from app.api.render import present
from app.api.routing import Reply, Request, route
from app.db import connection
from app.domain.errors import NotFound, ParticipantInactive, ProgramArchived
from app.flows import manage_enrollments
from app.store import enrollments, programs

_TAG = "Enrollments"


def enrollment_view(row: Mapping[str, Any]) -> dict[str, Any]:
    """Show an enrollment."""
    return present(row, required=(
        "program_id", "participant_id", "external_id", "status", "enrolled_at", "updated_at",
    ))


@route(
    "GET", "/v1/programs/{id}/participants", summary="List a program's participants", tag=_TAG,
    query=EnrollmentsQuery, responses={200: EnrollmentList},
)
def list_enrollments(request: Request) -> Reply:
    """List who is enrolled in a program, newest first."""
    with connection() as c:
        if programs.get(c, request.organization_id, request.path["id"]) is None:
            raise NotFound("Program not found")
        return listing(request, enrollments.ORDER, lambda page: enrollments.page(
            c, request.organization_id, request.path["id"], page, status=request.query.status
        ), enrollment_view)


@route(
    "PATCH", "/v1/programs/{id}/participants/{participant_id}", summary="Change an enrollment", tag=_TAG,
    body=EnrollmentBody, responses={200: Enrollment}, example={"status": "FROZEN"},
    errors=[ParticipantInactive, ProgramArchived],
    description=(
        "An enrollment that is not ACTIVE is left out of broadcasts and automations and refuses money and "
        "tier operations; an event makes it ACTIVE again."
    ),
)
def update_enrollment(request: Request) -> Reply:
    """Change how a participant stands in a program."""
    return Reply(200, enrollment_view(manage_enrollments.set_status(
        request.organization_id, request.path["id"], request.path["participant_id"], request.body.status
    )))


@route(
    "DELETE", "/v1/programs/{id}/participants/{participant_id}", summary="End an enrollment", tag=_TAG,
    responses={204: None}, errors=[ParticipantInactive, ProgramArchived],
)
def end_enrollment(request: Request) -> Reply:
    """Take a participant out of a program."""
    manage_enrollments.end(request.organization_id, request.path["id"], request.path["participant_id"])
    return Reply(204)
