"""A real receiver on loopback that can misbehave in every way: slow, garbled, huge, redirecting, dropping."""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Received:
    """One request as it came in."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Receiver:
    """A running server: what it has received, and how it answers next."""

    url: str
    port: int
    answer: Callable[["Handler"], None]
    received: list[Received] = field(default_factory=list)
    connections: list[Any] = field(default_factory=list)
    released: threading.Event = field(default_factory=threading.Event)

    def bodies(self) -> list[bytes]:
        """What came in, in order."""
        return [one.body for one in self.received]


class Handler(BaseHTTPRequestHandler):
    """Notes the request, then lets the receiver's present manner answer it."""

    protocol_version = "HTTP/1.1"
    receiver: Receiver

    def do_POST(self) -> None:
        """Take a delivery."""
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.receiver.received.append(Received(self.path, headers, body))
        self.receiver.answer(self)

    def reply(self, status: int, body: bytes = b"", **headers: str) -> None:
        """Answer properly."""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def raw(self, data: bytes) -> None:
        """Answer with these bytes and hang up."""
        self.wfile.write(data)
        self.close_connection = True

    def log_message(self, *arguments: Any) -> None:
        """Say nothing."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    receiver: Receiver

    def process_request(self, request: Any, client_address: Any) -> None:
        self.receiver.connections.append(client_address)
        super().process_request(request, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A sender that hangs up is what many tests are about."""


def accept(handler: Handler) -> None:
    """Answer 200."""
    handler.reply(200, b"thanks")


def status(code: int, body: bytes = b"", **headers: str) -> Callable[[Handler], None]:
    """Answer with a status."""
    return lambda handler: handler.reply(code, body, **headers)


def raw(data: bytes) -> Callable[[Handler], None]:
    """Answer with these bytes and hang up."""
    return lambda handler: handler.raw(data)


def hang(handler: Handler) -> None:
    """Answer nothing until the test is over."""
    handler.receiver.released.wait(60)
    handler.close_connection = True


def drop(handler: Handler) -> None:
    """Hang up without an answer."""
    handler.connection.shutdown(socket.SHUT_RDWR)
    handler.close_connection = True


@contextmanager
def receiver(
    answer: Callable[[Handler], None] = accept, context: ssl.SSLContext | None = None,
    host: str = "127.0.0.1",
) -> Iterator[Receiver]:
    """A server on loopback for as long as the block runs; over TLS where a context is given."""
    handler = type("BoundHandler", (Handler,), {})
    server = _Server((host, 0), handler)
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    port = server.server_address[1]
    made = Receiver(f"{'https' if context else 'http'}://{host}:{port}/hook", port, answer)
    handler.receiver = made
    server.receiver = made
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield made
    finally:
        made.released.set()
        server.shutdown()
        server.server_close()
        thread.join()
