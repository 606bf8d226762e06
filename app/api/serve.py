"""One request from end to end: identify, limit, read, call the handler, write the answer, note it.

The order of the checks is the contract's (decision A6). Handlers raise the domain's errors; this is the only
place that turns them, and whatever else goes wrong, into answers.
"""

import re
import time
from collections.abc import Mapping
from typing import Any

import psycopg
import sqlalchemy.exc
from flask import Request as HttpRequest
from flask import Response
from pydantic import ValidationError as PydanticError
from werkzeug.exceptions import RequestEntityTooLarge

from app.api import errors
from app.api.addresses import client_address, refuse_broken_text
from app.api.credentials import Credentials, key_of
from app.api.errors import InternalError, Unavailable
from app.api.faults import body_error, query_error
from app.api.fields import PLAIN_PATTERN, parse_uuid
from app.api.limits import Limit, RateLimiter, unlimited
from app.api.measures import Measures
from app.api.recorder import BODY_BYTES_MAX as LOGGED_BYTES_MAX
from app.api.recorder import Noted, Recorder
from app.api.request_ids import request_id_of
from app.api.routing import Fitting, Reply, Request, Route, is_id
from app.domain.errors import (
    DomainError,
    InvalidRequest,
    PayloadTooLarge,
    TooManyRequests,
    Unauthorized,
    ValidationError,
)
from app.domain.ids import new_id
from app.domain.json import dumps
from app.domain.texts import KEY_LENGTH_MAX
from app.observe import log
from app.store.identities import Identity

GUARDED_PREFIX = "/v1/"  # Nothing below it answers a stranger, whether it exists or not.
READ_BYTES = 65_536
DISCARDED_BYTES_MAX = 16 << 20  # Twice the largest body that is taken.
NOBODY = Identity(new_id(), new_id(), 0, 0)  # Stands in for the identity on public routes; owns nothing.
_PLAIN = re.compile(PLAIN_PATTERN)


class Stranger(Exception):
    """A request without a valid key: its error, and what the headers show of the limit on its address."""

    def __init__(self, error: DomainError, limit: Limit | None) -> None:
        """Carry both to where the answer is written."""
        super().__init__(error.message)
        self.error = error
        self.limit = limit


class Server:
    """What requests share within a process: the known keys, the limiter and the recorder."""

    def __init__(
        self, credentials: Credentials, limiter: RateLimiter, recorder: Recorder, measures: Measures
    ) -> None:
        """Take the parts; a test may bring its own."""
        self.credentials = credentials
        self.limiter = limiter
        self.recorder = recorder
        self.measures = measures

    def serve(self, route: Route, http: HttpRequest, parameters: Mapping[str, str]) -> Response:
        """Answer a request to a route; every outcome is an answer."""
        started = time.perf_counter()
        request_id = request_id_of(http.headers.get("X-Request-Id"))
        identity = NOBODY
        limit: Limit | None = None
        raw = b""
        error: DomainError | None = None
        reply: Reply | None = None
        try:
            if not route.public:
                identity = self._identify(http)
                limit = self.limiter.take(identity)
                if not limit.allowed:
                    raise too_many(limit)
            if parameters or http.query_string:
                refuse_broken_text(http.environ)
            path = path_of(route, parameters)
            query = query_of(route, http)
            raw = raw_of(route, http)
            body = body_of(route, http, raw)
            reply = route.handler(Request(
                identity.organization_id, identity.api_key_id, request_id, route.operation_id, path, query,
                body, raw, http.mimetype if raw else "", http.headers.get("Accept", ""),
            ))
            response = respond(reply)
        except Stranger as stranger:
            error, limit = stranger.error, stranger.limit
        except DomainError as known:
            error = known
        except Exception as unknown:
            error = outcome_of(unknown, request_id, route)
        if error is not None:
            response = errors.respond(error, request_id, http.headers.get("Accept"))
            if identity is not NOBODY:
                discard_rest(http)
        write_headers(response, request_id, limit)
        seconds = time.perf_counter() - started
        self.measures.count(route.method, route.pattern, response.status_code, seconds)
        if identity is not NOBODY:
            self._note(route, http, identity, request_id, raw, response, error, reply, seconds)
        return response

    def refuse(self, http: HttpRequest, error: DomainError) -> Response:
        """Answer a request that fits no route, as any other: for strangers 401, limited, logged."""
        started = time.perf_counter()
        request_id = request_id_of(http.headers.get("X-Request-Id"))
        identity = NOBODY
        limit: Limit | None = None
        try:
            if http.path.startswith(GUARDED_PREFIX):
                identity = self._identify(http)
                limit = self.limiter.take(identity)
                if not limit.allowed:
                    raise too_many(limit)
            refuse_broken_text(http.environ)
        except Stranger as stranger:
            error, limit = stranger.error, stranger.limit
        except DomainError as known:
            error = known
        except Exception as unknown:
            error = outcome_of(unknown, request_id, None)
        response = errors.respond(error, request_id, http.headers.get("Accept"))
        if identity is not NOBODY:
            discard_rest(http)
        write_headers(response, request_id, limit)
        seconds = time.perf_counter() - started
        self.measures.count("ANY", "none", response.status_code, seconds)
        if identity is not NOBODY:
            self._note(None, http, identity, request_id, b"", response, error, None, seconds)
        return response

    def _identify(self, http: HttpRequest) -> Identity:
        """Return whose key it is. Raises Stranger."""
        try:
            return self.credentials.identify(http.headers)
        except Unauthorized as refusal:
            if key_of(http.headers) is None:
                # Nothing was guessed and nothing looked up, so nothing need be limited.
                raise Stranger(refusal, None) from None
            limit = self.limiter.take_failure(client_address(http.environ) or "unknown")
            raise Stranger(refusal if limit.allowed else too_many(limit), limit) from None

    def _note(
        self, route: Route | None, http: HttpRequest, identity: Identity, request_id: str, raw: bytes,
        response: Response, error: DomainError | None, reply: Reply | None, seconds: float,
    ) -> None:
        environ = http.environ
        bodies_kept = route is None or route.log_bodies
        self.recorder.note(Noted(
            identity.organization_id, identity.api_key_id, request_id, environ["REQUEST_METHOD"], http.path,
            None if route is None else route.pattern, response.status_code, seconds,
            None if error is None else error.code,
            time.monotonic(), raw[: LOGGED_BYTES_MAX + 1] if bodies_kept else b"",
            response.get_data()[: LOGGED_BYTES_MAX + 1] if bodies_kept else b"",
            client_address(environ), environ.get("HTTP_USER_AGENT"), 0 if reply is None else reply.events,
        ))


def too_many(limit: Limit) -> TooManyRequests:
    """Return the error for an empty bucket."""
    error = TooManyRequests()
    error.retry_after = limit.retry_after
    return error


def path_of(route: Route, parameters: Mapping[str, str]) -> dict[str, Any]:
    """Return the path parameters, UUIDs as such."""
    found: dict[str, Any] = {}
    for name, text in parameters.items():
        if is_id(name):
            try:
                found[name] = parse_uuid(text)
            except ValueError:
                raise ValidationError(details={name: "must be a UUID"}) from None
        else:
            if len(text) > KEY_LENGTH_MAX or not _PLAIN.fullmatch(text):
                raise ValidationError(details={
                    name: f"must have at most {KEY_LENGTH_MAX} characters and no control characters"
                })
            found[name] = text
    return found


def query_of(route: Route, http: HttpRequest) -> Any:
    """Return the validated query."""
    if route.query is None and not http.query_string:
        return None
    values: dict[str, str] = {}
    for name, texts in http.args.lists():
        if any("\x00" in text for text in (name, *texts)):
            # The name is told without it, for the answer is to be stored with the log.
            raise ValidationError(details={name.replace("\x00", "\ufffd")[:100]: "must not contain NUL"})
        if len(texts) > 1:
            raise InvalidRequest("A query parameter was given twice", {name[:100]: "must be given once"})
        values[name] = texts[0]
    if route.query is None:
        if values:
            raise InvalidRequest(
                "Unknown query parameter", {name[:100]: "is not a known field" for name in list(values)[:100]}
            )
        return None
    try:
        return route.query.model_validate(values)
    except PydanticError as error:
        raise query_error(error, values) from None


def raw_of(route: Route, http: HttpRequest) -> bytes:
    """Return the bytes of the body, if the operation has one; too many are an error."""
    if route.body is None and route.content_types == ("application/json",):
        return b""
    http.max_content_length = route.body_bytes_max
    try:
        raw = http.get_data(cache=False)
    except RequestEntityTooLarge:
        raise PayloadTooLarge(f"Request body is larger than {route.body_bytes_max} bytes") from None
    except Exception:
        # Nothing but reading from the client happens there; each server has exceptions of its own for it.
        raise InvalidRequest("Request body could not be read to its end") from None
    if http.content_length is not None and len(raw) != http.content_length:
        raise InvalidRequest("Request body is shorter than its Content-Length")
    if not raw and route.body_optional:
        return b""
    if http.mimetype not in route.content_types:
        raise InvalidRequest(f"Content-Type must be {' or '.join(route.content_types)}")
    return raw


def discard_rest(http: HttpRequest) -> None:
    """Read what a refusal left of the body, so that the connection can carry the next request.

    Gunicorn promises the client to keep the connection, yet closes it where more than 64 KiB are left.
    Strangers, who could hold a thread with it, are not waited for.
    """
    left = DISCARDED_BYTES_MAX
    try:
        while left > 0 and (found := http.environ["wsgi.input"].read(READ_BYTES)):
            left -= len(found)
    except Exception as broken:
        # The answer stands, whether or not the client finished what it had announced.
        log("api").info("rest of a refused body not read", error=repr(broken))


def body_of(route: Route, http: HttpRequest, raw: bytes) -> Any:
    """Return the validated body; the header Idempotency-Key stands in for the field (decision A2)."""
    if route.body is None:
        return None
    if not raw and not route.body_optional:
        raise InvalidRequest("Request body is required")
    data = route.parse(raw) if raw else {}
    key = utf8_of(http.headers.get("Idempotency-Key"))
    has_field = "idempotency_key" in route.body.model_fields
    if key is not None and has_field and isinstance(data, dict):
        if data.get("idempotency_key") is None:
            data["idempotency_key"] = key  # A null field says no more than an absent one.
        elif data["idempotency_key"] != key:
            raise InvalidRequest("Idempotency-Key and idempotency_key differ")
    if isinstance(data, Fitting):
        return data
    try:
        return route.body.model_validate(data)
    except PydanticError as error:
        raise body_error(error, data) from None


def utf8_of(header: str | None) -> str | None:
    """Return a header's text, which WSGI hands over byte by byte, as UTF-8."""
    if header is None or header.isascii():
        return header
    try:
        return header.encode("latin-1").decode()
    except UnicodeError:
        raise InvalidRequest("The header Idempotency-Key is not valid UTF-8") from None


def respond(reply: Reply) -> Response:
    """Write a handler's answer."""
    if reply.text is not None:
        response = Response(reply.text, reply.status, content_type=reply.content_type)
    elif reply.body is None:
        response = Response(status=reply.status)
        del response.headers["Content-Type"]
    else:
        response = Response(dumps(reply.body), reply.status, content_type="application/json")
    if reply.replayed:
        response.headers["Idempotency-Replayed"] = "true"
    for name, value in reply.headers.items():
        response.headers[name] = value
    return response


def outcome_of(error: Exception, request_id: str, route: Route | None) -> DomainError:
    """Return what the client is told about an exception that is no refusal; the log is told everything."""
    away = (psycopg.OperationalError, sqlalchemy.exc.TimeoutError, sqlalchemy.exc.OperationalError)
    pattern = None if route is None else route.pattern
    if isinstance(error, away):
        log("api").warning("unavailable", request_id=request_id, route=pattern, error=repr(error))
        return Unavailable()
    log("api").error("internal error", request_id=request_id, route=pattern, exc_info=error)
    return InternalError()


def write_headers(response: Response, request_id: str, limit: Limit | None) -> None:
    """Put the headers on a response that every response carries (decision A2)."""
    shown = limit or unlimited()
    add = response.headers.add  # None of these stands there yet; setting would look for them first.
    add("X-Request-Id", request_id)
    add("X-RateLimit-Limit", str(shown.limit))
    add("X-RateLimit-Remaining", str(shown.remaining))
    add("X-RateLimit-Reset", str(shown.reset_at))
    add("X-Content-Type-Options", "nosniff")
    add("Cache-Control", "no-store")
