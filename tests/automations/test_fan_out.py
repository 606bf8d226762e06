"""Fan-outs: exactly once for each participant, whatever happens in the middle."""

from collections import Counter

import pytest

from app import db
from app.db import Connection
from app.flows import fan_out, lanes
from app.flows.lanes import Lane, Turn
from app.store import inbox
from tests.api.client import error_of
from tests.automations.conftest import Stage

CROWD = 330  # Three windows, the last one short.
NOW = {"type": "immediate"}


class CrashError(Exception):
    """The worker is gone."""


@pytest.fixture
def crowd(stage: Stage) -> list[str]:
    """Enroll many participants."""
    names = [f"p{number}" for number in range(CROWD)]
    for start in range(0, CROWD, 500):
        answer = stage.api.post("/v1/participants/batch", {"participants": [
            {"external_id": name, "program_id": stage.program} for name in names[start : start + 500]
        ]})
        assert answer.status_code == 200, answer.json
    return names


def step(then: BaseException | None = None) -> bool:
    """Take one step of the lane; with `then`, die before its commit."""

    def dying(c: Connection) -> Turn:
        turn = fan_out.make_due(c)
        if then is not None:
            raise then
        return turn

    return lanes.run(Lane.FIRINGS, dying, seconds=0.0)


def test_a_worker_that_dies_before_any_commit_changes_nothing(stage: Stage, crowd: list[str]) -> None:
    made = stage.automate(trigger=NOW)
    for _ in range(10):
        with pytest.raises(CrashError):
            step(CrashError())
        made_so_far = sum(stage.pings().values())
        assert made_so_far == CROWD or made_so_far % fan_out.BATCH_EVENTS_MAX == 0
        step()
        stage.time.drain()
    stage.time.work()
    assert stage.pings() == Counter(crowd)
    shown = stage.shown(made)
    assert (shown["participants_total"], shown["participants_processed"]) == (CROWD, CROWD)


def test_a_window_that_is_made_twice_is_made_once(stage: Stage, crowd: list[str]) -> None:
    stage.automate(trigger=NOW)
    step()
    with db.connection() as c:
        c.execute("UPDATE firings SET fan_out_cursor = NULL")  # As if the cursor had been lost.
    stage.time.work()
    assert stage.pings() == Counter(crowd)


def test_cancelling_in_the_middle_keeps_what_was_made(stage: Stage, crowd: list[str]) -> None:
    made = stage.automate(trigger={"type": "cron", "cron_expression": "0 9 * * *"})
    assert stage.api.post(stage.path(made, "/trigger")).status_code == 200
    step()
    shown = stage.shown(made)
    assert (shown["execution_status"], shown["participants_processed"]) == (
        "executing", fan_out.BATCH_EVENTS_MAX
    )
    error_of(stage.api.post(stage.path(made, "/trigger")), 400, "invalid_request")
    cancelled = stage.api.post(stage.path(made, "/cancel")).json
    assert (cancelled["execution_status"], cancelled["status"]) == ("failed", "active")
    stage.time.work()
    assert sum(stage.pings().values()) == fan_out.BATCH_EVENTS_MAX
    error_of(stage.api.post(stage.path(made, "/cancel")), 400, "invalid_request")
    stage.time.until("2126-01-15T09:00")
    assert sum(stage.pings().values()) == fan_out.BATCH_EVENTS_MAX + CROWD


def test_archiving_ends_what_runs(stage: Stage, crowd: list[str]) -> None:
    made = stage.automate(trigger=NOW)
    step()
    assert stage.api.delete(stage.path(made)).status_code == 204
    stage.time.work()
    assert sum(stage.pings().values()) == fan_out.BATCH_EVENTS_MAX
    assert stage.shown(made)["status"] == "archived"
    assert stage.api.get(stage.path()).json["data"] == []
    error_of(stage.api.patch(stage.path(made), {"status": "active"}), 409, "automation_archived")


def test_who_comes_during_the_run_is_not_addressed(stage: Stage, crowd: list[str]) -> None:
    stage.automate(trigger=NOW)
    step()
    stage.people("late")
    stage.time.work()
    assert stage.pings() == Counter(crowd)


def test_events_are_added_only_while_few_wait(stage: Stage, crowd: list[str]) -> None:
    stage.automate(trigger=NOW)
    assert lanes.run(Lane.FIRINGS, fan_out.make_due, seconds=0.2) is True
    with db.connection() as c:
        assert inbox.count(c, CROWD) < lanes.FAIR_EVENTS_MAX + fan_out.BATCH_EVENTS_MAX
    stage.time.work()
    assert stage.pings() == Counter(crowd)


def test_one_lane_is_worked_by_one_at_a_time(stage: Stage, crowd: list[str]) -> None:
    stage.automate(trigger=NOW)
    with db.transaction() as holder:
        holder.execute("SELECT pg_advisory_xact_lock(%s, %s)", (
            lanes.LOCK_CLASS, list(Lane).index(Lane.FIRINGS)
        ))
        assert step() is False
        assert stage.pings() == Counter()
    stage.time.work()
    assert stage.pings() == Counter(crowd)


def test_a_scheduled_event_does_not_wait_for_a_long_fan_out(stage: Stage, crowd: list[str]) -> None:
    stage.rule('event.type == "go"', {"type": "SCHEDULE_EVENT", "event_name": "later", "delay": "1s"})
    stage.automate(trigger=NOW)
    step()
    stage.send("p1", "go")
    stage.time.drain()
    stage.time.go(stage.later(seconds=2))
    step()
    assert stage.pings("later") == {"p1": 1}
    assert stage.shown(stage.api.get(stage.path()).json["data"][0])["execution_status"] == "executing"


def test_a_broadcast_carries_what_caused_it(stage: Stage) -> None:
    stage.people("ann")
    stage.rule('event.type == "go"', {"type": "BROADCAST", "event_name": "ping"})
    cause = stage.send("ann", "go")
    stage.time.work()
    with db.connection() as c:
        rows = c.execute(
            "SELECT depth, caused_by_event_id FROM events WHERE event_type = 'SYSTEM'"
        ).fetchall()
    assert [(row["depth"], str(row["caused_by_event_id"])) for row in rows] == [(1, cause)]


def test_a_chain_of_broadcasts_ends(stage: Stage) -> None:
    stage.people("ann")
    stage.rule('event.type in ["go", "ping"]', {"type": "BROADCAST", "event_name": "ping"})
    stage.send("ann", "go")
    stage.time.work()
    events = stage.system_events("ping")
    assert len(events) == 11
    assert events[-1]["status"] == "FAILED"
    assert events[-1]["error_code"] == "chain_too_deep"
