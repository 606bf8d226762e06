"""Putting the WSGI application together: every route of the table, and answers for paths that have none."""

import atexit
import importlib
import pkgutil
from collections.abc import Callable, Iterable
from typing import Any, cast

from flask import Flask, Response, request
from flask import Request as HttpRequest
from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from werkzeug.exceptions import HTTPException
from werkzeug.exceptions import MethodNotAllowed as HttpMethodNotAllowed
from werkzeug.local import LocalProxy
from werkzeug.routing import BaseConverter

import app.api
from app.api.credentials import Credentials
from app.api.errors import InternalError
from app.api.limits import limiter
from app.api.measures import Measures
from app.api.recorder import Recorder
from app.api.routing import ROUTES, Route, is_id
from app.api.serve import Server
from app.domain.errors import DomainError, InvalidRequest, MethodNotAllowed, NotFound
from app.observe import configure_logging
from app.settings import settings


class TextConverter(BaseConverter):
    """A last path segment that may hold anything, also slashes: tags and keys are checked behind it."""

    regex = "(?s:.+)"  # A line break must reach the check too, lest the path seem not to exist.
    part_isolating = False


class Florin(Flask):
    """Flask, with a short way for paths without parameters: they need no URL matching and no contexts.

    The short way halves what Flask costs a request; it matters to POST /v1/events alone, and it is the same
    code for all. Both ways end in Server.serve.
    """

    def __init__(self, server: Server) -> None:
        """Make an application without static files, whose URLs are taken literally."""
        super().__init__("florin", static_folder=None, template_folder=None)
        self.server = server
        self.literal: dict[tuple[str, str], Route] = {}
        self.literal_paths: set[str] = set()
        self.url_map.merge_slashes = False
        self.url_map.strict_slashes = True
        self.url_map.converters["text"] = TextConverter

    def wsgi_app(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer one request."""
        route = self.literal.get((environ["REQUEST_METHOD"], environ["PATH_INFO"]))
        if route is None:
            return super().wsgi_app(environ, start_response)
        return self.server.serve(route, HttpRequest(environ), {})(environ, start_response)

    def add(self, route: Route) -> None:
        """Put a route of the table on its path."""

        def view(**parameters: str) -> Response:
            met = current_request()
            if parameters and met.path in self.literal_paths:
                raise HttpMethodNotAllowed()  # `batch` is a path of its own, not the id of a participant.
            return self.server.serve(route, met, parameters)

        self.add_url_rule(
            flask_rule(route), f"{route.method} {route.pattern}", view, methods=[route.method],
            provide_automatic_options=False,
        )
        if not route.parameters:
            self.literal[route.method, route.pattern] = route
            self.literal_paths.add(route.pattern)

    def answer(self, error: DomainError) -> Response:
        """Answer a request that fits no route."""
        return self.server.refuse(current_request(), error)

    def allowed(self, path: str) -> str:
        """Return the methods that a path has, as the header Allow writes them."""
        if path in self.literal_paths:
            methods = {method for method, literal in self.literal if literal == path}
        else:
            adapter = self.url_map.bind("")
            methods = {each for each in adapter.allowed_methods(path) if each != "OPTIONS"}
        return ", ".join(sorted(methods | ({"HEAD"} if "GET" in methods else set())))


def current_request() -> HttpRequest:
    """Return the request itself, not Flask's stand-in, which looks for it again at every access."""
    return cast("LocalProxy[HttpRequest]", request)._get_current_object()


def flask_rule(route: Route) -> str:
    """Return a pattern as Flask writes it: `/v1/programs/<id>/state/tags/<text:tag>`."""
    rule = route.pattern
    for name in route.parameters:
        free = not is_id(name) and rule.endswith("{" + name + "}")
        rule = rule.replace("{" + name + "}", f"<text:{name}>" if free else f"<{name}>")
    return rule


def load_nouns() -> None:
    """Import every file of this folder once, so that each has put its routes into the table.

    The folder of models has none; they are imported where they are used.
    """
    for module in pkgutil.iter_modules(app.api.__path__):
        if not module.ispkg:
            importlib.import_module(f"app.api.{module.name}")


def build() -> Florin:
    """Return the application with all routes."""
    configure_logging()
    load_nouns()
    redis = Redis.from_url(
        settings().redis_url, socket_timeout=1, socket_connect_timeout=1, retry=Retry(NoBackoff(), 0)
    )
    measures = Measures(redis)
    recorder = Recorder(measures)
    atexit.register(recorder.stop)
    made = Florin(Server(Credentials(), limiter(), recorder, measures))
    for route in ROUTES:
        made.add(route)
    made.register_error_handler(HTTPException, lambda error: _http_error(made, error))
    made.register_error_handler(Exception, lambda error: made.answer(InternalError()))
    return made


def _http_error(florin: Florin, error: HTTPException) -> Response:
    if isinstance(error, HttpMethodNotAllowed):
        response = florin.answer(MethodNotAllowed())
        if response.status_code == 405:
            response.headers["Allow"] = florin.allowed(request.path)
        return response
    if error.code == 404:
        return florin.answer(NotFound("No such path"))
    return florin.answer(InvalidRequest())
