"""A whole system runs with its most talkative logs; afterwards no secret is in any of them."""

import json
import re
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from tests.cli.test_run import System
from tests.waiting import wait_until


def call(system: System, key: str, method: str, path: str, body: Any = None, refused: int = 0) -> Any:
    """Send a request that is answered, or refused with this status; the body of the answer."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{system.port}{path}", method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={"Authorization": f"Bearer {key}", "Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            status, told = answer.status, answer.read()
    except urllib.error.HTTPError as refusal:
        status, told = refusal.code, refusal.read()
    assert status == refused or (not refused and status < 300), told
    return json.loads(told or b"null")


def exercise(system: System, key: str) -> list[str]:
    """Go through what handles secrets, failures included; return the secrets that were handed out."""
    program_id = call(system, key, "POST", "/v1/programs", {"name": "Rewards"})["id"]
    made = call(system, key, "POST", "/v1/api-keys", {"name": "k"})
    endpoint = call(system, key, "POST", "/v1/webhook-endpoints", {
        "url": "http://127.0.0.1:9/x?token=query-secret-123", "enabled_events": ["event.completed"],
    })
    rotated = call(system, key, "POST", f"/v1/webhook-endpoints/{endpoint['id']}/rotate-secret", {})
    event = call(system, made["key"], "POST", "/v1/events", {
        "program_id": program_id, "external_id": "ada", "idempotency_key": "k-1",
        "event_timestamp": "2026-01-01T00:00:00Z", "event_data": {"type": "x", "card": "4111-1111-1111-1111"},
    })
    path = f"/v1/events/{event['id']}"
    wait_until(lambda: call(system, key, "GET", path)["status"] == "COMPLETED", "the event", 20)
    call(system, "sk_wrong" + "w" * 40, "GET", "/v1/programs", refused=401)
    wrong = {"name": made["key"], "nonsense": endpoint["secret"]}
    call(system, key, "POST", "/v1/programs", wrong, refused=400)
    call(system, key, "GET", f"/v1/programs?search={made['key']}")
    call(system, key, "GET", f"/v1/nothing/{made['key']}", refused=404)
    return [made["key"], endpoint["secret"], rotated["secret"], "4111-1111-1111-1111"]


def test_no_secret_is_in_the_logs_of_a_whole_run(tmp_path: Path) -> None:
    system = System(tmp_path / "data", LOG_LEVEL="DEBUG", WEBHOOK_ALLOWED_NETWORKS="127.0.0.0/8")
    try:
        system.wait_for_banner()
        key = (system.folder / "first-api-key").read_text(encoding="utf-8").strip()
        secrets = [key, "sk_wrong" + "w" * 40, *exercise(system, key)]
    finally:
        system.stop()
    files = ("secret-key", "owner-password", "app-password", "valkey-password")
    secrets += [(system.folder / name).read_text(encoding="utf-8").strip() for name in files]
    assert min(map(len, secrets)) >= 16
    logs = {path: path.read_text(encoding="utf-8", errors="replace") for path in system.folder.rglob("*.log")}
    assert len(logs) >= 4
    assert sum(map(len, logs.values())) > 1_000
    told = [(path.name, secret[:6]) for path, text in logs.items() for secret in secrets if secret in text]
    assert told == []
    # The terminal shows the first key once, in the banner, and nothing else.
    assert system.text().count(key) == 1
    assert [secret[:6] for secret in secrets[1:] if secret in system.text()] == []
    assert not re.search(r"whsec_\w", "".join(logs.values()))
