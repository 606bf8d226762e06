"""A backlog of due rows: worked off in the order of their times, in batches, never before live events."""

from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

import pytest

from app import db
from app.flows import fan_out, lanes, subscriptions
from app.flows.due import STEPS
from app.flows.lanes import Lane
from app.store import inbox
from tests.automations.conftest import Stage
from tests.automations.test_participant_state import by

ROWS = 2_000  # All due within one minute.
PEOPLE = 500


def _crowd(stage: Stage) -> None:
    answer = stage.api.post("/v1/participants/batch", {"participants": [
        {"external_id": f"p{number}", "program_id": stage.program} for number in range(PEOPLE)
    ]})
    assert answer.status_code == 200, answer.json


def scheduled(stage: Stage) -> None:
    """What rules scheduled, of random people."""
    with db.connection() as c:
        c.execute(
            "INSERT INTO firings (organization_id, id, program_id, source, kind, event_name, scheduled_for,"
            " participant_id, created_at)"
            " SELECT %(o)s, gen_random_uuid(), %(p)s, 'rule_action', 'ONE', 'ping',"
            " %(at)s + n * interval '29 milliseconds', people[1 + n %% %(people)s], %(at)s"
            " FROM (SELECT array_agg(participant_id) AS people FROM enrollments WHERE program_id = %(p)s) e,"
            " generate_series(1, %(rows)s) n",
            {"o": stage.api.organization_id, "p": UUID(stage.program), "at": stage.time.now,
             "people": PEOPLE, "rows": ROWS},
        )


def turns(stage: Stage) -> None:
    """Participants' turns of four automations."""
    for number in range(ROWS // PEOPLE):
        stage.automate(name=f"n{number}", trigger=by("INTERVAL", interval="1h"))
    while lanes.run(Lane.REFRESHES, STEPS[Lane.REFRESHES]):
        pass
    with db.connection() as c:
        # The anchor of an interval is its subscription: each turn gets a moment of its own.
        c.execute(
            "UPDATE automation_subscriptions s SET created_at = t.at - interval '1 h', next_trigger_at = t.at"
            " FROM (SELECT id, %s + row_number() OVER () * interval '29 milliseconds' AS at"
            "   FROM automation_subscriptions) t WHERE t.id = s.id", (stage.time.now,),
        )


@pytest.mark.parametrize(("lay", "lane", "batch"), [
    (scheduled, Lane.FIRINGS, fan_out.BATCH_ONES_MAX),
    (turns, Lane.SUBSCRIPTIONS, subscriptions.BATCH_TURNS_MAX),
])
def test_a_backlog_is_worked_off_in_order_and_live_events_stay_in_front(
    stage: Stage, lay: Callable[[Stage], None], lane: Lane, batch: int
) -> None:
    _crowd(stage)
    lay(stage)
    stage.time.go(stage.time.now + timedelta(seconds=59))
    steps = 0
    while lanes.run(lane, STEPS[lane], seconds=0.0):
        steps += 1
        stage.send(f"p{steps}", "visit")
        with db.connection() as c:
            # However much is due, a live event stands behind one batch.
            assert inbox.count(c, ROWS) <= batch + lanes.FAIR_EVENTS_MAX + 1
        if steps % 2 == 0:
            stage.time.drain()
    stage.time.drain()
    assert steps >= ROWS // batch
    with db.connection() as c:
        found = c.execute(
            "SELECT count(*) AS n, count(*) FILTER (WHERE back) AS out_of_order FROM (SELECT event_timestamp"
            "   < lag(event_timestamp) OVER (ORDER BY seq) AS back FROM events WHERE event_type = 'SYSTEM') e"
        ).fetchone()
    assert found == {"n": ROWS, "out_of_order": 0}
