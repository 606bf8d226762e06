"""Receive webhooks on this machine: `webhooks listen` verifies and prints what arrives."""

import json
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hmac import compare_digest
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from app.cli.failure import Failure
from app.flows.webhook_secrets import NotASecret, from_text, signatures

TOLERANCE_SECONDS = 300  # Older signatures may be replays of somebody who listened in.
BODY_BYTES_MAX = 1 << 20


def main(argv: list[str]) -> int:
    """Do what the first argument says."""
    parser = ArgumentParser(prog="dev.py webhooks", description=__doc__)
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    listen = actions.add_parser("listen", help="start a receiver; Ctrl-C ends it")
    listen.set_defaults(action=_listen)
    listen.add_argument("--secret", action="append", default=[], help="whsec_…; twice during a rotation")
    listen.add_argument("--host", default="127.0.0.1")
    listen.add_argument("--port", type=int, default=9000)
    listen.add_argument("--status", type=int, default=200, help="what to answer to what verifies")
    arguments = parser.parse_args(argv)
    action: Callable[[Namespace], None] = arguments.action
    action(arguments)
    return 0


@dataclass(frozen=True)
class Verdict:
    """What is to be said of a request, and what is answered."""

    status: int
    text: str


def judge(
    headers: Mapping[str, str], body: bytes, secrets: list[bytes], now: float, status: int = 200
) -> Verdict:
    """Verify a request as a receiver should: the time first, then any of its signatures, then its JSON.

    `headers` have names in lower case. Without a secret nothing is verified, and the text says so.
    """
    names = ("webhook-id", "webhook-timestamp", "webhook-signature")
    message_id, timestamp, signed = (headers.get(name, "") for name in names)
    verified = "not verified"
    if secrets:
        if not (timestamp.isascii() and timestamp.isdigit()):
            return Verdict(400, "refused: no webhook-timestamp")
        if abs(now - int(timestamp[:12])) > TOLERANCE_SECONDS:
            return Verdict(400, "refused: the timestamp is older or newer than five minutes")
        expected = signatures(secrets, message_id, int(timestamp[:12]), body).split(" ")
        offered = signed.split(" ")
        if not any(compare_digest(one.encode(), other.encode()) for one in expected for other in offered):
            return Verdict(401, "refused: no signature fits the secret")
        verified = "verified"
    try:
        message = json.loads(body)
    except ValueError:
        return Verdict(400, "refused: the body is not JSON")
    kind = message.get("type", "?") if isinstance(message, dict) else "?"
    shown = json.dumps(message, indent=2, ensure_ascii=False)
    return Verdict(status, f"{verified}  {kind}  {message_id}\n{shown}")


def serve(
    host: str, port: int, secrets: list[bytes], status: int, say: Callable[[str], None]
) -> ThreadingHTTPServer:
    """Return a receiver that is bound and ready to run."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            if not 0 <= length <= BODY_BYTES_MAX:
                self.send_error(413)
                return
            body = self.rfile.read(length)
            headers = {name.lower(): value for name, value in self.headers.items()}
            verdict = judge(headers, body, secrets, time.time(), status)
            say(verdict.text)
            self.send_response(verdict.status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *arguments: Any) -> None:
            """Say nothing beside what is received."""

    return ThreadingHTTPServer((host, port), Handler)


def _listen(arguments: Namespace) -> None:
    try:
        secrets = [from_text(text) for text in arguments.secret]
    except NotASecret as error:
        raise Failure(str(error)) from None
    try:
        server = serve(
            arguments.host, arguments.port, secrets, arguments.status, lambda text: print(text, flush=True)
        )
    except OSError as error:
        raise Failure(f"Cannot listen on {arguments.host}:{arguments.port}: {error.strerror}.") from None
    where = f"http://{arguments.host}:{server.server_address[1]}/"
    print(f"Listening on {where} ({'verifying' if secrets else 'without --secret nothing is verified'}).")
    print("The system delivers here when it runs with WEBHOOK_ALLOWED_NETWORKS=127.0.0.0/8.", flush=True)
    with server:
        server.serve_forever()
