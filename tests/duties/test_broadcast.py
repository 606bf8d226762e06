"""A broadcast over real processes: workers die in the middle, everybody is addressed exactly once."""

import time

import pytest

from tests.api.client import Caller
from tests.duties.fleet import Fleet
from tests.waiting import wait_until

_CROWD = """
WITH p AS (SELECT gen_random_uuid() AS id, n FROM generate_series(1, %(size)s) n),
o AS (INSERT INTO owners (organization_id, id, kind) SELECT %(organization)s, id, 'PARTICIPANT' FROM p),
q AS (INSERT INTO participants (organization_id, id, external_id, created_at, updated_at)
    SELECT %(organization)s, id, 'p' || n, read_clock(), read_clock() FROM p)
INSERT INTO enrollments (organization_id, program_id, participant_id, enrolled_at, updated_at)
SELECT %(organization)s, %(program)s, id, read_clock(), read_clock() FROM p
"""


def broadcast(fleet: Fleet, api: Caller, size: int, kills: int, seconds: float) -> float:
    """Broadcast to a crowd while workers are killed; returns how long it took."""
    program = api.program()
    with fleet.database.transaction():
        fleet.database.execute(
            _CROWD, {"organization": api.organization_id, "program": program, "size": size}
        )
    workers = [fleet.start("worker") for _ in range(2)]
    fleet.start("scheduler")
    began = time.monotonic()
    answer = api.post(f"/v1/programs/{program}/automations", {
        "name": "all", "event_name": "news", "scope": "participants", "trigger": {"type": "immediate"},
    })
    assert answer.status_code == 201, answer.json
    for kill in range(kills):
        reached = size * (kill + 1) // (kills + 2)
        wait_until(
            lambda enough=reached: fleet.ask("SELECT participants_processed FROM firings") >= enough,
            f"{reached} participants", seconds,
        )
        for index, worker in enumerate(workers):
            fleet.kill(worker)
            workers[index] = fleet.start("worker")
    wait_until(lambda: fleet.ask("SELECT count(*) FROM firings WHERE status = 'completed'") == 1,
               "the end of the broadcast", seconds)
    wait_until(lambda: fleet.ask("SELECT count(*) FROM inbox") == 0, "all events decided", seconds)
    assert fleet.ask("SELECT count(*) FROM events WHERE event_type = 'SYSTEM'") == size
    assert fleet.ask("SELECT count(DISTINCT participant_id) FROM events") == size
    assert fleet.ask("SELECT count(*) FROM decisions WHERE status = 'COMPLETED'") == size
    assert fleet.ask("SELECT participants_processed FROM firings") == size
    return time.monotonic() - began


def test_a_broadcast_outlives_three_deaths(fleet: Fleet, api: Caller) -> None:
    broadcast(fleet, api, size=6_000, kills=3, seconds=60)


@pytest.mark.nightly
def test_a_broadcast_to_a_hundred_thousand_outlives_three_deaths(fleet: Fleet, api: Caller) -> None:
    took = broadcast(fleet, api, size=100_000, kills=3, seconds=600)
    print(f"100,000 participants in {took:.0f} s, each once")
