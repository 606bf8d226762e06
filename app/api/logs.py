"""Request logs over HTTP. They appear about a second after the request."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, StrictStr, model_validator

from app.api.fields import Answer, InstantText, UuidText, fault_at, query_integer
from app.api.pages import Paged100, SortDirection, Window, list_of, listing
from app.api.render import present
from app.api.routing import Reply, Request, route
from app.db import connection
from app.domain.errors import NotFound
from app.store import request_logs

_TAG = "Logs and usage"
_SUMMARY = (
    "id", "request_id", "method", "path", "route_pattern", "status_code", "duration_ms", "error_code",
    "auth_type", "created_at",
)


class LogsQuery(Paged100, Window):
    """Filters of the request log."""

    method: Annotated[StrictStr | None, Field(max_length=10)] = None
    route_pattern: Annotated[StrictStr | None, Field(
        max_length=255, description="The template of the path, such as `/v1/participants/{id}`."
    )] = None
    request_id: Annotated[StrictStr | None, Field(
        max_length=80, description="With or without `req_`."
    )] = None
    auth_type: Literal["api_key", "jwt"] | None = None
    status_min: query_integer(100, 599) | None = None
    status_max: query_integer(100, 599) | None = None
    sort_by: Literal["created_at", "duration_ms", "status_code"] = "created_at"
    sort_dir: SortDirection = "desc"

    @model_validator(mode="after")
    def _statuses_ordered(self) -> "LogsQuery":
        if self.status_min is not None and self.status_max is not None and self.status_min > self.status_max:
            raise fault_at("status_min", "must not be above status_max")
        return self


class LogEntry(Answer):
    """One request."""

    id: UuidText
    request_id: str
    method: str
    path: str
    route_pattern: str | None
    status_code: int
    duration_ms: int
    error_code: str | None
    auth_type: str | None
    created_at: InstantText


class LogDetail(LogEntry):
    """One request with its bodies, from which secrets are removed and which are cut at 16 KiB."""

    request_body: dict[str, Any] | None
    response_body: dict[str, Any] | None
    ip_address: str | None
    user_agent: str | None


def log_view(row: Mapping[str, Any]) -> dict[str, Any]:
    """Show a request."""
    return present(row, required=_SUMMARY)


@route(
    "GET", "/v1/logs", summary="List request logs", tag=_TAG, query=LogsQuery,
    responses={200: list_of(LogEntry, "LogList")},
)
def list_logs(request: Request) -> Reply:
    """List requests, newest first."""
    query: LogsQuery = request.query
    order = request_logs.order(query.sort_by, descending=query.sort_dir == "desc")
    request_id = query.request_id
    if request_id is not None and not request_id.startswith("req_"):
        request_id = "req_" + request_id
    with connection() as c:
        return listing(request, order, lambda page: request_logs.page(
            c, request.organization_id, order, page, method=query.method and query.method.upper(),
            route_pattern=query.route_pattern, request_id=request_id, auth_type=query.auth_type,
            status_min=query.status_min, status_max=query.status_max, window=(query.from_, query.to),
        ), log_view)


@route("GET", "/v1/logs/{id}", summary="Get a request log", tag=_TAG, responses={200: LogDetail})
def get_log(request: Request) -> Reply:
    """Return one request with its bodies."""
    with connection() as c:
        row = request_logs.get(c, request.organization_id, request.path["id"])
    if row is None:
        raise NotFound("Log not found")
    return Reply(200, present(
        row, required=(*_SUMMARY, "request_body", "response_body", "ip_address", "user_agent")
    ))
