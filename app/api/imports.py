"""Imports over HTTP: upload a file, watch its progress, read its report."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from app.api.fields import Answer, InstantText, Query, QueryBoolean, Uuid, UuidText, query_integer
from app.api.pages import Paged, list_of, listing
from app.api.render import present
from app.api.routing import Reply, Request, route
from app.db import connection
from app.domain.errors import InvalidRequest, LimitExceeded, NotFound, ProgramArchived, ProgramSuspended
from app.flows import manage_imports
from app.flows.manage_imports import FILE_BYTES_MAX
from app.store import imports

_TAG = "Imports"
PART_BYTES_MAX = 32 << 20
FILE_TYPES = ("text/csv", "application/x-ndjson")
_FORMS = """
The body is the file: `text/csv` with a header, or `application/x-ndjson`.

- `participants`: `external_id`, profile fields, `status`, `tags` (in CSV `a|b`), `attributes` (in CSV columns
  such as `attributes.city`); `program_id` enrolls them all.
- `balances`: `external_id` or `participant_id`, `asset` (symbol), `amount`, and optionally `description`,
  `created_at`, `expires_at`, `matures_at` of the lot, and an `idempotency_key`.
- `events`: as in POST /v1/events without `program_id`; in CSV `event_data` is a JSON text.

A worker does the rest; bad lines are listed in the report and do not stop the others. With `dry_run=true`
everything is tried and nothing kept. A file of more than 32 MiB is sent in parts: `more=true` here, then
PUT …/parts.
"""


class ImportQuery(Query):
    """What the file holds."""

    kind: Annotated[Literal["participants", "balances", "events"], Field(description="What a line is.")]
    program_id: Annotated[Uuid | None, Field(description="Required for balances and events.")] = None
    dry_run: Annotated[QueryBoolean, Field(description="Try everything and keep nothing.")] = False
    more: Annotated[QueryBoolean, Field(description="Further parts follow.")] = False


class PartQuery(Query):
    """Where a part belongs."""

    start: Annotated[query_integer(0, FILE_BYTES_MAX), Field(description="How many bytes stand before it.")]
    more: Annotated[QueryBoolean, Field(description="Further parts follow.")] = False


class Import(Answer):
    """An import and how far it has come; `total_lines` is known once the file is complete."""

    id: UuidText
    program_id: UuidText | None = None
    kind: Literal["participants", "balances", "events"]
    format: Literal["csv", "jsonl"]
    dry_run: bool
    status: Literal["PENDING", "PROCESSING", "COMPLETED", "FAILED", "CANCELLED"]
    total_lines: int
    processed_lines: int
    accepted_lines: int
    rejected_lines: int
    error_message: str | None = None
    created_at: InstantText
    updated_at: InstantText
    completed_at: InstantText | None = None


class LineError(Answer):
    """A line that was not imported, and why."""

    line: int
    code: str
    message: str


def import_view(row: Mapping[str, Any]) -> dict[str, Any]:
    """Show an import."""
    return present(
        row, optional=("program_id", "error_message", "completed_at"),
        required=("id", "kind", "format", "dry_run", "status", "total_lines", "processed_lines",
                  "accepted_lines", "rejected_lines", "created_at", "updated_at"),
    )


@route(
    "POST", "/v1/imports", summary="Import a file", tag=_TAG, query=ImportQuery, responses={202: Import},
    content_types=FILE_TYPES, body_bytes_max=PART_BYTES_MAX, log_bodies=False, description=_FORMS,
    errors=[NotFound, ProgramArchived, ProgramSuspended],
)
def create_import(request: Request) -> Reply:
    """Take in a file, or its first part."""
    query: ImportQuery = request.query
    return Reply(202, import_view(manage_imports.create(
        request.organization_id, request.api_key_id, kind=query.kind, program_id=query.program_id,
        file_format="csv" if request.content_type == "text/csv" else "jsonl", dry_run=query.dry_run,
        content=request.raw, last=not query.more,
    )))


@route(
    "PUT", "/v1/imports/{id}/parts", summary="Send a further part of a file", tag=_TAG, query=PartQuery,
    responses={202: Import}, content_types=FILE_TYPES, body_bytes_max=PART_BYTES_MAX, log_bodies=False,
    errors=[LimitExceeded, InvalidRequest],
    description="Parts may be sent again: what is there is passed over.",
)
def append_import(request: Request) -> Reply:
    """Take in a further part."""
    query: PartQuery = request.query
    return Reply(202, import_view(manage_imports.append(
        request.organization_id, request.path["id"], query.start, request.raw, last=not query.more
    )))


@route(
    "GET", "/v1/imports", summary="List imports", tag=_TAG, query=Paged, responses={200: list_of(Import)},
)
def list_imports(request: Request) -> Reply:
    """List imports, newest first."""
    with connection() as c:
        return listing(
            request, imports.ORDER, lambda page: imports.page(c, request.organization_id, page), import_view
        )


@route("GET", "/v1/imports/{id}", summary="Get an import", tag=_TAG, responses={200: Import})
def get_import(request: Request) -> Reply:
    """Return an import with its progress."""
    with connection() as c:
        row = imports.get(c, request.organization_id, request.path["id"])
    if row is None:
        raise NotFound("Import not found")
    return Reply(200, import_view(row))


@route(
    "GET", "/v1/imports/{id}/errors", summary="Report of an import", tag=_TAG, query=Paged,
    responses={200: list_of(LineError, "ImportErrorList")},
)
def list_import_errors(request: Request) -> Reply:
    """List the lines that were not imported, in their order."""
    with connection() as c:
        if imports.get(c, request.organization_id, request.path["id"]) is None:
            raise NotFound("Import not found")
        return listing(
            request, imports.ERROR_ORDER,
            lambda page: imports.errors_page(c, request.organization_id, request.path["id"], page),
            lambda row: present(row, required=("line", "code", "message")),
        )
