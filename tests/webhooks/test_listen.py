"""The local receiver verifies as a careful receiver does."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from standardwebhooks import Webhook

from app.cli.webhooks import TOLERANCE_SECONDS, judge, serve
from app.flows.deliver_webhooks import Pump
from app.flows.webhook_secrets import as_text, from_text, new_secret, signatures
from tests.api.client import Caller
from tests.webhooks.stage import deliveries, endpoint, tell, work

NOW = 1_800_000_000.0
KEY = new_secret()
BODY = '{"type":"event.completed","data":{"name":"Zoë"}}'.encode()


def headers(key: bytes = KEY, at: float = NOW, body: bytes = BODY) -> dict[str, str]:
    return {
        "webhook-id": "m1", "webhook-timestamp": str(int(at)),
        "webhook-signature": signatures([new_secret(), key], "m1", int(at), body),
    }


def test_a_right_signature_is_taken_and_everything_else_is_refused() -> None:
    good = judge(headers(), BODY, [KEY], NOW)
    assert good.status == 200
    assert good.text.startswith("verified  event.completed  m1\n")
    assert "Zoë" in good.text
    assert judge(headers(), BODY, [new_secret(), KEY], NOW, 500).status == 500
    assert judge(headers(new_secret()), BODY, [KEY], NOW).status == 401
    assert judge(headers(), BODY + b" ", [KEY], NOW).status == 401
    assert judge({}, BODY, [KEY], NOW).status == 400
    assert judge(headers() | {"webhook-timestamp": str(int(NOW) + 1)}, BODY, [KEY], NOW).status == 401
    for off in (-TOLERANCE_SECONDS - 1, TOLERANCE_SECONDS + 1):
        assert judge(headers(at=NOW + off), BODY, [KEY], NOW).status == 400
    assert judge(headers(body=b"{"), b"{", [KEY], NOW).status == 400
    assert judge({}, BODY, [], NOW).text.startswith("not verified")


def test_our_signatures_are_those_of_the_published_library() -> None:
    at = datetime.fromtimestamp(NOW, UTC)
    theirs = Webhook(as_text(KEY)).sign("m1", at, BODY.decode())
    assert signatures([KEY], "m1", int(NOW), BODY) == theirs
    assert from_text(as_text(KEY)) == KEY


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def listening(said: list[str]) -> Iterator[tuple[int, list[bytes]]]:
    secrets: list[bytes] = []
    server = serve("127.0.0.1", 0, secrets, 200, said.append)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield server.server_address[1], secrets
    server.shutdown()
    server.server_close()
    thread.join()


def test_what_the_system_delivers_is_verified_and_printed(
    api: Caller, pump: Pump, listening: tuple[int, list[bytes]], said: list[str]
) -> None:
    port, secrets = listening
    made = endpoint(api, f"http://127.0.0.1:{port}/")
    secrets.append(from_text(made["secret"]))
    (message,) = tell(api)
    work(pump)
    assert [text.splitlines()[0] for text in said] == [f"verified  event.completed  {message}"]
    assert [row["status"] for row in deliveries(api, made["id"])] == ["DELIVERED"]
