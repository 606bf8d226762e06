"""What time made due never takes the threads of live events."""

import psycopg

from app.flows.lanes import Lane
from app.queue import send
from tests.api.client import Caller
from tests.duties.fleet import Fleet
from tests.waiting import wait_until

_WAITING = "SELECT min(query_start) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
SECONDS = 20.0


def test_a_process_whose_lanes_hang_still_decides_live_events(fleet: Fleet, api: Caller) -> None:
    program = api.program()
    api.participant("ada")
    fleet.start("worker")
    with psycopg.connect(fleet.values["DATABASE_URL"]) as holding:
        holding.execute("LOCK TABLE firings, imports IN ACCESS EXCLUSIVE MODE")
        for _ in range(3):
            for lane in (Lane.FIRINGS, Lane.IMPORTS):
                send("work_off", lane=str(lane))
        wait_until(lambda: fleet.ask(_WAITING), "a lane hangs", SECONDS)
        before = fleet.ask("SELECT clock_timestamp()")
        answer = api.post("/v1/events", {
            "program_id": program, "external_id": "ada", "idempotency_key": "live",
            "event_timestamp": "2026-01-01T00:00:00Z", "event_data": {"type": "purchase"},
        })
        assert answer.status_code == 202, answer.json
        wait_until(lambda: fleet.ask("SELECT count(*) FROM decisions"), "the event is decided", SECONDS)
        # The lane has waited all the while: the event was not decided because it gave up.
        since = fleet.ask(_WAITING)
        assert since is not None
        assert since < before
