"""The load generator, against a server that counts its connections."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from app.cli.failure import Failure
from bench.load import Load, request

REQUESTS = [request("/", "key", {"n": n}) for n in range(20)]


class Server(ThreadingHTTPServer):
    """Answers 202, over a connection once or as often as it is asked."""

    def __init__(self, once: bool) -> None:
        """Listen on a free port of this machine."""
        super().__init__(("127.0.0.1", 0), Handler)
        self.once = once
        self.connections = 0

    def process_request(self, *arguments: object) -> None:
        """Count a connection."""
        self.connections += 1
        super().process_request(*arguments)


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    server: Server

    def do_POST(self) -> None:
        """Answer, and close the connection without a word where it serves once."""
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(202)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")
        self.close_connection = self.server.once

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""


@contextmanager
def serving(once: bool) -> Iterator[Server]:
    """A server for the length of a block."""
    with Server(once) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def test_a_connection_that_is_in_use_is_kept() -> None:
    with serving(once=False) as server:
        sent = Load(server.server_port, processes=1, connections=2).send(REQUESTS)
    assert sent.events == len(REQUESTS)
    assert server.connections == 2


def test_a_connection_that_was_idle_is_replaced_before_the_server_closes_it() -> None:
    with serving(once=True) as server:
        sent = Load(server.server_port, processes=1, connections=2, idle_seconds=0.0).send(REQUESTS)
        assert sent.events == len(REQUESTS)
        assert server.connections == 2 + len(REQUESTS)
        with pytest.raises(Failure, match="refused"):
            Load(server.server_port, processes=1, connections=2).send(REQUESTS)
