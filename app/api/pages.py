"""Lists: the query parameters they share, the opaque cursor, and the envelope.

A cursor is the last row's sort key under a signature that covers the organization, the operation, its path,
filters and order; under any other it does not verify and is an `invalid_request` (decision A10).
"""

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field, StrictStr, create_model, model_validator

from app.api.fields import Answer, Instant, Query, fault_at, query_integer
from app.api.routing import Reply, Request
from app.domain.errors import InvalidRequest
from app.settings import settings
from app.store.pages import Order, Page, Slice

LIMIT_DEFAULT = 50
CURSOR_LENGTH_MAX = 2048
_SIGNATURE_BYTES = 16

Cursor = Annotated[StrictStr | None, Field(
    description="The `next_cursor` of the page before; belongs to its filters and order."
)]
Search = Annotated[StrictStr | None, Field(
    max_length=255, description="Case-insensitive substring."
)]
SortDirection = Literal["asc", "desc"]


class Paged(Query):
    """The two parameters of every list."""

    limit: Annotated[query_integer(1, 200), Field(description="Rows per page.")] = LIMIT_DEFAULT
    cursor: Cursor = None


class Paged100(Query):
    """The same for lists whose pages hold at most 100 rows: logs and state history."""

    limit: Annotated[query_integer(1, 100), Field(description="Rows per page.")] = LIMIT_DEFAULT
    cursor: Cursor = None


class Window(Query):
    """A time window on when rows were created, both ends included."""

    from_: Annotated[Instant | None, Field(alias="from", description="Created at or after.")] = None
    to: Annotated[Instant | None, Field(description="Created at or before; needs `from`.")] = None

    @model_validator(mode="after")
    def _ordered(self) -> "Window":
        check_window(self.from_, self.to, "from", "to")
        return self


class EventWindow(Window):
    """A second window, on the time of the event behind a row, or the row's own where it has none."""

    event_from: Annotated[Instant | None, Field(description="The event happened at or after.")] = None
    event_to: Annotated[
        Instant | None, Field(description="The event happened at or before; needs `event_from`.")
    ] = None

    @model_validator(mode="after")
    def _event_ordered(self) -> "EventWindow":
        check_window(self.event_from, self.event_to, "event_from", "event_to")
        return self


def check_window(start: datetime | None, end: datetime | None, start_name: str, end_name: str) -> None:
    """Refuse a window that has only an end, or whose start is not before its end."""
    if end is None:
        return
    if start is None:
        raise fault_at(start_name, f"is required when {end_name} is given")
    if start >= end:
        raise fault_at(start_name, f"must be before {end_name}")


class Pagination(Answer):
    """Whether there is more, and where to go on."""

    has_more: bool
    next_cursor: str | None = None


def list_of(item: type[Answer], name: str | None = None) -> type[Answer]:
    """Return the model of a list answer: `data` and `pagination`."""
    return create_model(
        name or f"{item.__name__}List", __base__=Answer, __doc__=f"One page of a list: {item.__doc__}",
        data=(list[item], ...), pagination=(Pagination, ...),
    )


def page_of(request: Request, order: Order) -> Page:
    """Return the page that a request asks for. Raises InvalidRequest for a cursor of another list."""
    cursor = request.query.cursor
    if cursor is None:
        return Page(request.query.limit)
    return Page(request.query.limit, decode(cursor, _context(request, order)))


def listing(
    request: Request, order: Order, fetch: Callable[[Page], Slice],
    render: Callable[[dict[str, Any]], Mapping[str, Any]],
) -> Reply:
    """Answer one page of a list: `fetch` reads it, `render` shows a row."""
    found = fetch(page_of(request, order))
    return envelope(request, order, [render(row) for row in found.rows], found.next)


def envelope(
    request: Request, order: Order, data: Sequence[Mapping[str, Any]], following: tuple[Any, ...] | None,
    **extra: Any,
) -> Reply:
    """Write the envelope around rows that are already rendered; `extra` stands before `data`."""
    pagination: dict[str, Any] = {"has_more": following is not None}
    if following is not None:
        pagination["next_cursor"] = encode(following, _context(request, order))
    return Reply(200, {**extra, "data": data, "pagination": pagination})


def _context(request: Request, order: Order) -> str:
    """Return all that a cursor is bound to."""
    query = request.query.model_dump(mode="python", exclude={"cursor", "limit"})
    return json.dumps([
        str(request.organization_id), request.operation, sorted(map(str, request.path.values())),
        [column.name for column in order.columns], order.descending, query,
    ], default=str, sort_keys=True)


def encode(key: tuple[Any, ...], context: str) -> str:
    """Write a sort key as an opaque cursor."""
    text = json.dumps([_packed(value) for value in key], separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(_signature(text, context) + text).decode().rstrip("=")


def decode(cursor: str, context: str) -> tuple[Any, ...]:
    """Read a cursor written under the same context. Raises InvalidRequest for any other."""
    refusal = InvalidRequest(
        "Cursor is invalid or belongs to other filters", {"cursor": "is not a cursor of this list"}
    )
    if len(cursor) > CURSOR_LENGTH_MAX or not cursor.isascii():
        raise refusal
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise refusal from None
    signature, text = raw[:_SIGNATURE_BYTES], raw[_SIGNATURE_BYTES:]
    if not hmac.compare_digest(signature, _signature(text, context)):
        raise refusal
    return tuple(_unpacked(value) for value in json.loads(text))


def _signature(text: bytes, context: str) -> bytes:
    message = hashlib.sha256(context.encode("utf-8", "surrogatepass")).digest() + text
    return hmac.digest(b"cursor:" + settings().secret_key.encode(), message, "sha256")[:_SIGNATURE_BYTES]


def _packed(value: Any) -> Any:
    match value:
        case UUID():
            return {"u": str(value)}
        case datetime():
            return {"t": value.isoformat()}
        case Decimal():
            return {"d": str(value)}
        case _:
            return value


def _unpacked(value: Any) -> Any:
    match value:
        case {"u": text}:
            return UUID(text)
        case {"t": text}:
            return datetime.fromisoformat(text)
        case {"d": text}:
            return Decimal(text)
        case _:
            return value
