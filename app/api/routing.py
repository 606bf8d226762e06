"""The route table: what a handler is given, what it returns, and the decorator that puts it on a path.

A handler is a plain function from Request to Reply. It knows nothing of Flask; app/api/serve.py calls it.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel

from app.api import bodies
from app.domain.errors import DomainError

Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]

BODY_BYTES_MAX = 1 << 20  # Decision A8; a batch of events may carry eight times as much.


@dataclass(frozen=True, slots=True)
class Request:
    """What a handler sees of a request: who asks, and the validated path, query and body."""

    organization_id: UUID
    api_key_id: UUID
    request_id: str
    operation: str
    path: Mapping[str, Any]
    query: Any
    body: Any
    raw: bytes = b""
    content_type: str = ""
    accept: str = ""


@dataclass(frozen=True, slots=True)
class Reply:
    """What a handler answers. `events` counts the events it accepted, for the usage report."""

    status: int
    body: Mapping[str, Any] | None = None
    replayed: bool = False
    events: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    text: str | None = None
    content_type: str = "application/json"


class Fitting:
    """What the `parse` of a route returns where it knows that the model takes the body.

    The model is not asked, and the handler gets this in its place.
    """

    __slots__ = ()


Handler = Callable[[Request], Reply]


@dataclass(frozen=True, slots=True)
class Route:
    """One operation of the API, with all that its document and its checks need."""

    method: Method
    pattern: str
    handler: Handler
    summary: str
    description: str
    tag: str
    body: type[BaseModel] | None
    body_optional: bool
    query: type[BaseModel] | None
    responses: Mapping[int, type[BaseModel] | None]
    errors: Sequence[type[DomainError]]
    example: Mapping[str, Any] | None
    public: bool
    body_bytes_max: int
    log_bodies: bool
    content_types: tuple[str, ...]
    parameters: tuple[str, ...]
    produces: str
    parse: Callable[[bytes], Any] = bodies.parse

    @property
    def operation_id(self) -> str:
        """The handler's name, which is unique."""
        return self.handler.__name__


ROUTES: list[Route] = []
_PARAMETER = re.compile(r"\{([a-z_]+)\}")


def route(
    method: Method,
    pattern: str,
    *,
    summary: str,
    tag: str,
    responses: Mapping[int, type[BaseModel] | None],
    description: str = "",
    body: type[BaseModel] | None = None,
    body_optional: bool = False,
    query: type[BaseModel] | None = None,
    errors: Sequence[type[DomainError]] = (),
    example: Mapping[str, Any] | None = None,
    public: bool = False,
    body_bytes_max: int = BODY_BYTES_MAX,
    log_bodies: bool = True,
    content_types: tuple[str, ...] = ("application/json",),
    produces: str = "application/json",
    parse: Callable[[bytes], Any] = bodies.parse,
) -> Callable[[Handler], Handler]:
    """Put a handler on a path such as `/v1/programs/{id}/assets/{asset_id}`.

    Path parameters named `id` or `…_id` are UUIDs; others are texts, with slashes where they are last.
    `responses` maps each success status to its model (None for an empty body). `log_bodies=False` keeps
    bodies out of the request log where they carry personal data in bulk or secrets by design.
    A `content_types` other than JSON hands the bytes to the handler as `raw`. `parse` reads the JSON.
    """

    def register(handler: Handler) -> Handler:
        ROUTES.append(Route(
            method=method, pattern=pattern, handler=handler, summary=summary,
            description=description or (handler.__doc__ or "").strip(), tag=tag, body=body,
            body_optional=body_optional, query=query, responses=dict(responses), errors=tuple(errors),
            example=example, public=public, body_bytes_max=body_bytes_max, log_bodies=log_bodies,
            content_types=content_types, parameters=tuple(_PARAMETER.findall(pattern)), produces=produces,
            parse=parse,
        ))
        return handler

    return register


def is_id(parameter: str) -> bool:
    """Whether a path parameter of this name is a UUID."""
    return parameter == "id" or parameter.endswith("_id")
