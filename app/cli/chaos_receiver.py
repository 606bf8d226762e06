"""The receiver of `chaos`: takes webhooks on loopback, verifies each, and turns every tenth away once."""

import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from app.cli.webhooks import judge
from app.domain.json import loads
from app.flows.webhook_secrets import from_text

TURNED_AWAY_EACH = 10


class Receiver:
    """A running receiver: the types of the messages that were taken, by id, and what did not verify."""

    def __init__(self) -> None:
        """Listen on a free port; what comes before `trust` is turned away."""
        self.taken: dict[str, str] = {}
        self.unverified: list[str] = []
        self.deliveries = 0
        self._turned_away: set[str] = set()
        self._secrets: list[bytes] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                headers = {name.lower(): value for name, value in self.headers.items()}
                self.send_response(receiver.take(headers, body))
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *arguments: Any) -> None:
                """Say nothing."""

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request: Any, client_address: Any) -> None:
                """Senders are killed here, so connections end in the middle."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def trust(self, secret: str) -> None:
        """Verify with this secret from now on."""
        self._secrets = [from_text(secret)]

    def take(self, headers: dict[str, str], body: bytes) -> int:
        """Judge a delivery; returns the status that answers it."""
        verdict = judge(headers, body, self._secrets, time.time())
        if not self._secrets or verdict.status != 200:
            self.unverified.append(verdict.text[:200])
            return 401
        self.deliveries += 1
        name = headers["webhook-id"]
        if self.deliveries % TURNED_AWAY_EACH == 0 and name not in self._turned_away | self.taken.keys():
            self._turned_away.add(name)
            return 500
        self.taken[name] = str(loads(body)["type"])
        return 200

    def stop(self) -> None:
        """Hang up."""
        self._server.shutdown()
        self._server.server_close()
