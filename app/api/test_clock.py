"""The test clock over HTTP (decision C18): the whole system's clock, moved forward within a test.

Only under the setting CLOCK_OFFSET, which production refuses.
"""

from datetime import datetime
from typing import Annotated, Any

from pydantic import Field, model_validator

from app.api.fields import Answer, Body, Duration, Instant, InstantText, fault_at
from app.api.routing import Reply, Request, route
from app.db import connection, read_clock, transaction
from app.domain.durations import parse_duration
from app.domain.errors import Forbidden, ValidationError
from app.settings import settings
from app.store import clock

_TAG = "Test clock"


class ClockMove(Body):
    """How far to move: by a duration, or to an instant."""

    advance: Annotated[Duration | None, Field(description="By how much to move forward.")] = None
    to: Annotated[Instant | None, Field(description="The instant to move to; not before the present.")] = None

    @model_validator(mode="after")
    def _is_one(self) -> "ClockMove":
        if (self.advance is None) == (self.to is None):
            raise fault_at("advance", "or to, exactly one of them, is required")
        return self


class Clock(Answer):
    """The system's time, and how far it runs ahead of the real one."""

    now: InstantText
    ahead_seconds: int


def _refuse_without_setting() -> None:
    if settings().production or settings().clock_offset_seconds is None:
        raise Forbidden("The test clock needs the setting CLOCK_OFFSET, which production refuses")


def _view(c: Any, now: datetime) -> dict[str, Any]:
    return {"now": now, "ahead_seconds": int(clock.ahead(c).total_seconds())}


@route(
    "POST", "/v1/test/clock", summary="Move the test clock forward", tag=_TAG, body=ClockMove,
    responses={200: Clock}, errors=[Forbidden], example={"advance": "24h"},
    description=(
        "Moves the clock of the whole system: what is due by then is done by the background processes "
        "within seconds. It never moves back. Refused in production and without CLOCK_OFFSET."
    ),
)
def move_test_clock(request: Request) -> Reply:
    """Move the clock forward."""
    _refuse_without_setting()
    body: ClockMove = request.body
    with transaction() as c:
        now = read_clock(c)
        if body.to is not None and body.to < now:
            raise ValidationError(details={"to": "must not be before the present of the system"})
        by = parse_duration(body.advance) if body.advance is not None else (body.to or now) - now
        clock.move_ahead(c, clock.ahead(c) + by)
    with connection() as c:
        return Reply(200, _view(c, read_clock(c)))


@route("GET", "/v1/test/clock", summary="Read the test clock", tag=_TAG, responses={200: Clock},
       errors=[Forbidden])
def get_test_clock(request: Request) -> Reply:
    """Return the system's time."""
    _refuse_without_setting()
    with connection() as c:
        return Reply(200, _view(c, read_clock(c)))
