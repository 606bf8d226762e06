"""A WSGI application that needs nothing, and the product's worker with bounds short enough to wait for."""

from collections.abc import Callable, Iterable
from typing import Any

from app import web

web.HEAD_SECONDS, web.BODY_SECONDS, web.ANSWER_SECONDS = 1.0, 2.0, 4.0

Worker = web.Worker
LARGE_BYTES = 64 << 20


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Answer `METHOD bytes`: how much of the body came; below /large with more than any buffer holds."""
    announced = int(environ.get("CONTENT_LENGTH") or 0)
    came = len(environ["wsgi.input"].read(announced)) if announced else 0
    body = f"{environ['REQUEST_METHOD']} {came}".encode()
    if environ["PATH_INFO"] == "/large":
        body = bytes(LARGE_BYTES)
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]
