"""Budgets, wallets and program counters under many workers at once: never overspent, nothing lost."""

from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import pytest

from app import db
from app.flows import drain
from tests.api.client import Caller, walk

THREADS = 8
EVENTS = 400
LIMIT = 100


def send(api: Caller, program: str, count: int) -> None:
    """Accept one event for each of so many participants."""
    for start in range(0, count, 100):
        answer = api.post("/v1/events/batch", {"events": [
            {
                "program_id": program, "external_id": f"user-{number}", "idempotency_key": f"key-{number}",
                "event_timestamp": "2026-01-01T00:00:00Z", "event_data": {"type": "visit"},
            }
            for number in range(start, min(start + 100, count))
        ]})
        assert answer.json["error_count"] == 0


def work_off() -> None:
    """Drain every partition with many threads, as many workers would."""

    def work(partition: int) -> None:
        while drain.drain(partition, full=True):
            pass

    with db.connection() as c:
        waiting = [row["partition"] for row in c.execute("SELECT DISTINCT partition FROM inbox").fetchall()]
    assert len(waiting) > THREADS, "otherwise the threads do not meet"
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(work, waiting))


def decisions(api: Caller) -> list[dict[str, Any]]:
    with db.connection() as c:
        return c.execute(
            "SELECT status, evaluations FROM decisions WHERE organization_id = %s", (api.organization_id,)
        ).fetchall()


def total(api: Caller, asset: str) -> Decimal:
    with db.connection() as c:
        row = c.execute(
            "SELECT sum(available) AS n FROM accounts WHERE organization_id = %s AND asset_id = %s"
            " AND owner_type = 'PARTICIPANT'", (api.organization_id, asset),
        ).fetchone()
    assert row is not None
    return Decimal(row["n"])


@pytest.fixture
def program(api: Caller) -> str:
    return api.program()


def test_a_budget_is_spent_to_the_last_point_and_never_beyond(api: Caller, program: str) -> None:
    asset = api.asset(program)
    assert api.post("/v1/rules", {
        "program_id": program, "name": "limited", "condition": 'event.type == "visit"',
        "actions": [
            {"type": "CREDIT", "asset_id": asset, "amount": "1"},
            {"type": "COUNTER", "key": "visits", "value": "1", "target": {"type": "PROGRAM"}},
        ],
        "budgets": [{"asset_id": asset, "limit": str(LIMIT)}],
    }).status_code == 201
    send(api, program, EVENTS)
    work_off()

    made = decisions(api)
    assert {row["status"] for row in made} == {"COMPLETED"}
    outcomes = [row["evaluations"][0][1] for row in made]
    assert (outcomes.count("SUCCESS"), outcomes.count("SKIPPED")) == (LIMIT, EVENTS - LIMIT)
    assert total(api, asset) == LIMIT
    assert walk(api, "/v1/rules")[0]["budgets"][0]["consumed"] == str(LIMIT)
    (counter,) = api.get(f"/v1/programs/{program}/state/counters").json["data"]
    assert counter["value"] == str(EVENTS)


def test_a_wallet_pays_out_what_it_holds_and_no_more(api: Caller, program: str) -> None:
    asset = api.asset(program, issuance_policy="PREFUNDED")
    assert api.post(f"/v1/programs/{program}/assets/{asset}/fund", {"amount": str(LIMIT)}).status_code == 200
    assert api.post("/v1/rules", {
        "program_id": program, "name": "paid", "condition": 'event.type == "visit"',
        "actions": [{"type": "CREDIT", "asset_id": asset, "amount": "1"}],
    }).status_code == 201
    send(api, program, EVENTS)
    work_off()

    statuses = [row["status"] for row in decisions(api)]
    assert (statuses.count("COMPLETED"), statuses.count("FAILED")) == (LIMIT, EVENTS - LIMIT)
    assert total(api, asset) == LIMIT
    (wallet,) = api.get(f"/v1/programs/{program}/balance").json["data"]
    assert wallet["available"] == "0"


def test_a_budget_that_is_taken_away_while_events_wait_bounds_nothing(api: Caller, program: str) -> None:
    asset = api.asset(program)
    made = api.post("/v1/rules", {
        "program_id": program, "name": "limited", "condition": 'event.type == "visit"',
        "actions": [{"type": "CREDIT", "asset_id": asset, "amount": "1"}],
        "budgets": [{"asset_id": asset, "limit": "1"}],
    }).json
    send(api, program, EVENTS)
    api.patch(f"/v1/rules/{made['id']}", {"budgets": []})
    work_off()
    assert total(api, asset) == EVENTS
