"""/metrics across processes: each figure moves when the thing that it counts happens, whoever did it."""

import re

import psycopg
import pytest
import redis

from app.queue import send
from tests.api.client import Caller
from tests.duties.fleet import Fleet
from tests.waiting import wait_until
from tests.webhooks.receiver import accept, receiver, status

PEOPLE = 30


DELIVERED = 'florin_webhook_deliveries_total{outcome="delivered"}'
FAILED = 'florin_webhook_deliveries_total{outcome="failed"}'
VIOLATIONS = "florin_invariant_violations_total"


@pytest.fixture
def loopback(fleet: Fleet) -> None:
    """Have API and workers allow receivers on loopback; to be asked for before `api`."""
    fleet.values["WEBHOOK_ALLOWED_NETWORKS"] = "127.0.0.0/8"


def _read(api: Caller) -> dict[str, float]:
    """Return the page of metrics by the text before each number."""
    text = api.http.get("/metrics").get_data(as_text=True)
    return {name: float(value) for name, value in re.findall(r"^(florin_\S+) (\S+)$", text, re.MULTILINE)}


def test_every_figure_moves_with_what_it_counts(
    fleet: Fleet, api: Caller, redis_client: "redis.Redis[bytes]"
) -> None:
    program = api.program()
    asset = api.asset(program)
    for name, condition, action in (
        ("credit", 'event.type == "purchase"', {"type": "CREDIT", "amount": "1"}),
        ("error", "event.missing > 1", {"type": "CREDIT", "amount": "1"}),
        ("fails", 'event.type == "spend"', {"type": "DEBIT", "amount": "1000"}),
    ):
        made = api.post("/v1/rules", {
            "program_id": program, "name": name, "condition": condition,
            "actions": [{"asset_id": asset, **action}],
        })
        assert made.status_code == 201, made.json
    before = _read(api)
    for number in range(PEOPLE):
        answer = api.post("/v1/events", {
            "program_id": program, "external_id": f"p{number}", "idempotency_key": f"k{number}",
            "event_timestamp": "2026-01-01T00:00:00Z",
            "event_data": {"type": "spend" if number % 3 == 0 else "purchase"},
        })
        assert answer.status_code == 202, answer.json
    redis_client.delete(*redis_client.keys("florin:*bell*"))  # Nobody looks until the sweeper rings.
    fleet.start("scheduler")

    def moved(name: str, least: float) -> bool:
        api.http.application.server.recorder.flush()
        return _read(api).get(name, 0.0) - before.get(name, 0.0) >= least

    def see(name: str, least: float = 1) -> None:
        wait_until(lambda: moved(f"florin_{name}", least), f"{name} to reach {least}", 40)

    see("queue_depth", PEOPLE)
    see("sweeper_rescues_total")
    see("event_oldest_waiting_seconds", 0.01)
    fleet.start("worker")
    see("events_accepted_total", PEOPLE)
    see('events_decided_total{status="COMPLETED"}', PEOPLE * 2 // 3)
    see('events_decided_total{status="FAILED"}', PEOPLE // 3)
    see('event_completion_seconds{quantile="0.99"}', 0.001)
    see('rule_evaluations_total{outcome="SUCCESS"}', PEOPLE * 2 // 3)
    see('rule_evaluations_total{outcome="SKIPPED_ERROR"}', PEOPLE)
    see('rule_evaluations_total{outcome="FAILED"}', PEOPLE // 3)
    see('http_requests_total{method="POST",route="/v1/events",status="202"}', PEOPLE)
    see('http_request_duration_seconds_count{method="POST",route="/v1/events"}', PEOPLE)
    wait_until(lambda: _read(api)["florin_queue_depth"] == 0, "an empty queue", 40)


def test_deliveries_move_the_figure_of_their_outcome(fleet: Fleet, loopback: None, api: Caller) -> None:
    assert (_read(api)[DELIVERED], _read(api)[FAILED]) == (0, 0)
    fleet.start("worker")
    fleet.start("scheduler")
    with receiver() as there:
        wanted = {"url": there.url, "enabled_events": ["participant.created"]}
        assert api.post("/v1/webhook-endpoints", wanted).status_code == 201
        for answer, figure, other in ((accept, DELIVERED, FAILED), (status(500), FAILED, DELIVERED)):
            there.answer = answer
            before = _read(api)
            api.participant(figure)
            wait_until(lambda figure=figure, last=before[figure]: _read(api)[figure] == last + 1, figure, 40)
            assert _read(api)[other] == before[other]
        assert len(there.received) == 2


def test_what_the_auditor_finds_moves_the_figure_of_violations(fleet: Fleet, api: Caller) -> None:
    program = api.program()
    asset = api.asset(program)
    answer = api.post(f"/v1/participants/{api.participant('ann')}/balances/adjust", {
        "program_id": program, "asset_id": asset, "type": "CREDIT", "amount": "5", "description": "d",
    })
    assert answer.status_code == 200, answer.json
    fleet.start("worker")

    def audited() -> float:
        """Have a worker audit once more; return the violations that it has counted by then."""
        before = _read(api).get("florin_audit_slices_total", 0)
        send("audit_ledger")
        wait_until(lambda: _read(api).get("florin_audit_slices_total", 0) > before, "an audit", 40)
        return _read(api)[VIOLATIONS]

    assert audited() == 0
    with psycopg.connect(fleet.values["MIGRATION_DATABASE_URL"], autocommit=True) as superuser:
        superuser.execute("SET session_replication_role = replica")
        superuser.execute("UPDATE postings SET amount = amount * 2 WHERE account_id > 0")
    # A slice goes on where the last one ended, so a violation is met within a round of a few slices; nothing
    # is repaired, so each round meets it again.
    wait_until(lambda: audited() >= 1, "a violation", 40)
    found = _read(api)[VIOLATIONS]
    wait_until(lambda: audited() > found, "the violation again", 40)
