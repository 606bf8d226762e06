"""Daily usage over HTTP."""

from datetime import timedelta
from typing import Annotated

from pydantic import Field

from app.api.fields import Answer, Instant, Query
from app.api.routing import Reply, Request, route
from app.db import connection, read_clock
from app.domain.errors import ValidationError
from app.store import usage

DAYS_DEFAULT = 30


class UsageQuery(Query):
    """The days to report."""

    from_: Annotated[Instant | None, Field(alias="from", description="30 days ago by default.")] = None
    to: Annotated[Instant | None, Field(description="Now by default.")] = None


class UsageDay(Answer):
    """One day of an organization, UTC."""

    date: str
    requests: int
    errors: int
    avg_latency_ms: float
    events: int


class Usage(Answer):
    """Days with at least one request, oldest first."""

    data: list[UsageDay]


@route(
    "GET", "/v1/usage", summary="Daily usage", tag="Logs and usage", query=UsageQuery,
    responses={200: Usage},
    description="Requests, errors (status 400 and above), average latency and accepted events by day.",
)
def get_usage(request: Request) -> Reply:
    """Report the requests of each day."""
    query: UsageQuery = request.query
    with connection() as c:
        end = query.to or read_clock(c)
        start = query.from_ or end - timedelta(days=DAYS_DEFAULT)
        if start >= end:
            raise ValidationError(details={"from": "must be before to"})
        rows = usage.between(c, request.organization_id, start.date(), end.date())
    return Reply(200, {"data": [
        {
            "date": row["day"].isoformat(), "requests": row["requests"], "errors": row["errors"],
            "avg_latency_ms": round(row["latency_ms_total"] / row["requests"], 3) if row["requests"] else 0,
            "events": row["events"],
        }
        for row in rows
    ]})
