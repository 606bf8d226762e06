"""/metrics across processes: each figure moves when the thing that it counts happens, whoever did it."""

import re

import redis

from tests.api.client import Caller
from tests.duties.fleet import Fleet
from tests.waiting import wait_until

PEOPLE = 30


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
