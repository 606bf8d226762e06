"""Budgets, wallets and counters under many workers at once: never overspent, nothing lost, nobody twice."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import pytest

from app import db
from app.engine.evaluations import checked
from app.flows import drain
from tests.api.client import Caller, walk

THREADS = 8
EVENTS = 400
LIMIT = 100
# Events and the limit of what they share; the large one takes minutes.
SIZES = pytest.mark.parametrize(
    ("events", "limit"), [(EVENTS, LIMIT), pytest.param(10_000, 1_000, marks=pytest.mark.nightly)]
)


def send(
    api: Caller, program: str, count: int, people: int | None = None,
    data: Callable[[int], dict[str, Any]] = lambda number: {},
) -> None:
    """Accept so many events, one for each participant or in turns for `people` of them."""
    for start in range(0, count, 100):
        answer = api.post("/v1/events/batch", {"events": [
            {
                "program_id": program, "external_id": f"user-{number % (people or count)}",
                "idempotency_key": f"key-{number}", "event_timestamp": "2026-01-01T00:00:00Z",
                "event_data": {"type": "visit", **data(number)},
            }
            for number in range(start, min(start + 100, count))
        ]})
        assert answer.json["error_count"] == 0


def work_off() -> None:
    """Drain every partition with many threads, as many workers would; twice, so that two meet in each."""

    def work(partition: int) -> None:
        drain.exhaust([partition])

    with db.connection() as c:
        waiting = [row["partition"] for row in c.execute("SELECT DISTINCT partition FROM inbox").fetchall()]
    assert len(waiting) > THREADS, "otherwise the threads do not meet"
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(work, waiting + waiting[::-1]))
    with db.connection() as c:
        assert c.execute("SELECT count(*) AS n FROM inbox").fetchall() == [{"n": 0}]


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


@SIZES
def test_a_budget_is_spent_to_the_last_point_and_never_beyond(
    api: Caller, program: str, events: int, limit: int
) -> None:
    asset = api.asset(program)
    assert api.post("/v1/rules", {
        "program_id": program, "name": "limited", "condition": 'event.type == "visit"',
        "actions": [
            {"type": "CREDIT", "asset_id": asset, "amount": "1"},
            {"type": "COUNTER", "key": "visits", "value": "1", "target": {"type": "PROGRAM"}},
        ],
        "budgets": [{"asset_id": asset, "limit": str(limit)}],
    }).status_code == 201
    send(api, program, events)
    work_off()

    made = decisions(api)
    assert {row["status"] for row in made} == {"COMPLETED"}
    outcomes = [row["evaluations"][0][1] for row in made]
    assert (outcomes.count("SUCCESS"), outcomes.count("SKIPPED")) == (limit, events - limit)
    assert total(api, asset) == limit
    assert walk(api, "/v1/rules")[0]["budgets"][0]["consumed"] == str(limit)
    (counter,) = api.get(f"/v1/programs/{program}/state/counters").json["data"]
    assert counter["value"] == str(events)


@SIZES
def test_a_wallet_pays_out_what_it_holds_and_no_more(
    api: Caller, program: str, events: int, limit: int
) -> None:
    asset = api.asset(program, issuance_policy="PREFUNDED")
    assert api.post(f"/v1/programs/{program}/assets/{asset}/fund", {"amount": str(limit)}).status_code == 200
    assert api.post("/v1/rules", {
        "program_id": program, "name": "paid", "condition": 'event.type == "visit"',
        "actions": [{"type": "CREDIT", "asset_id": asset, "amount": "1"}],
    }).status_code == 201
    send(api, program, events)
    work_off()

    statuses = [row["status"] for row in decisions(api)]
    assert (statuses.count("COMPLETED"), statuses.count("FAILED")) == (limit, events - limit)
    assert total(api, asset) == limit
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


@pytest.mark.parametrize("events", [600, pytest.param(10_000, marks=pytest.mark.nightly)])
def test_events_of_one_participant_never_interleave_and_no_increment_is_lost(
    api: Caller, program: str, events: int
) -> None:
    """Each event notes what its participant's counter was before it, and counts somebody else as well."""
    people = 40
    friend = {"type": "PARTICIPANT", "external_id": "event.friend"}
    assert api.post("/v1/rules", {
        "program_id": program, "name": "count", "condition": 'event.type == "visit"',
        "actions": [
            {"type": "SET_ATTRIBUTE", "key": "seen", "value": "{{ get(participant.counters, 'mine', 0) }}"},
            {"type": "COUNTER", "key": "mine", "value": "1"},
            {"type": "COUNTER", "key": "got", "value": "event.gift", "target": friend},
        ],
    }).status_code == 201
    gifts = [(number * 7 % people, number % 5) for number in range(events)]

    def gift(number: int) -> dict[str, Any]:
        # Who is counted must exist: first everybody says hello.
        if number < people:
            return {"type": "hello"}
        return {"friend": f"user-{gifts[number][0]}", "gift": gifts[number][1]}

    send(api, program, events, people, gift)
    work_off()

    got = [0] * people
    for to, much in gifts[people:]:
        got[to] += much
    each = (events - people) // people
    for row in walk(api, "/v1/participants", limit=200):
        shown = api.get(f"/v1/participants/{row['id']}").json
        number = int(shown["external_id"].removeprefix("user-"))
        assert shown["counters"] == {"mine": str(each), "got": str(got[number])}
    with db.connection() as c:
        rows = c.execute(
            "SELECT e.participant_id AS who, d.evaluations->0 AS evaluation FROM events e"
            " JOIN decisions d ON d.organization_id = e.organization_id AND d.event_seq = e.seq"
            " WHERE e.organization_id = %s AND e.event_data->>'type' = 'visit' ORDER BY e.seq",
            (api.organization_id,),
        ).fetchall()
    seen: dict[Any, list[str]] = {}
    for row in rows:
        actions = checked(row["evaluation"]).actions
        seen.setdefault(row["who"], []).append(actions[0]["value"])
    assert list(seen.values()) == [[str(number) for number in range(each)]] * people
