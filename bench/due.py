"""What live events feel of a million rows that are due at the same minute, and how fast those are worked off.

    python3 dev.py bench due [--kind scheduled|subscriptions] [--rows 1000000] [--seconds 20]

Scheduled events wait in `firings`, participants' turns in `automation_subscriptions`. Afterwards it counts:
each row has made its event, none twice, in the order of the due times, and no transaction more than a batch.
"""

import json
import sys
import time
from argparse import ArgumentParser

from app import db
from app.cli.failure import Failure
from app.flows import automations
from bench.live import ENOUGH_SECONDS, asked_for, live, print_figures, without_anything
from bench.measures import Figures, Stage
from bench.system import wait_for

# Every row has a moment of its own within the minute, so that an order can be told.
_SCHEDULED = """
INSERT INTO firings (organization_id, id, program_id, source, kind, event_name, scheduled_for, participant_id,
    created_at)
SELECT %(o)s, gen_random_uuid(), %(p)s, 'rule_action', 'ONE', 'type_1',
    %(at)s + n * (interval '1 minute' / %(rows)s), people[1 + n %% array_length(people, 1)], %(at)s
FROM (SELECT array_agg(participant_id) AS people FROM enrollments WHERE program_id = %(p)s) e,
    generate_series(0, %(rows)s - 1) AS n
"""
# Of one automation each participant has one turn, so there are as many automations as it takes.
_SUBSCRIPTIONS = """
INSERT INTO automation_subscriptions (organization_id, id, automation_id, participant_id, next_trigger_at,
    enrolled_at, created_at, updated_at)
SELECT %(o)s, gen_random_uuid(), a.id, e.participant_id, %(at)s, e.enrolled_at, %(at)s - interval '1 h',
    a.updated_at
FROM automations a JOIN enrollments e ON e.program_id = a.program_id
WHERE a.organization_id = %(o)s AND a.program_id = %(p)s
ORDER BY e.participant_id LIMIT %(rows)s
"""
_BACKLOG = {
    "scheduled": "SELECT count(*) FROM firings WHERE status = 'pending'",
    "subscriptions": "SELECT count(*) FROM automation_subscriptions WHERE trigger_count = 0",
}
_MADE = """
SELECT count(*) AS events, count(*) FILTER (WHERE back) AS out_of_order,
    (SELECT max(n) FROM (SELECT count(*) AS n FROM events WHERE event_type = 'SYSTEM' AND seq > %(seq)s
        GROUP BY xmin) t) AS largest_transaction
FROM (SELECT event_timestamp < lag(event_timestamp) OVER (ORDER BY seq) AS back
    FROM events WHERE event_type = 'SYSTEM' AND seq > %(seq)s) e
"""


def due(stage: Stage, kind: str, rows: int, per_second: int, seconds: int) -> Figures:
    """Measure without, then with so many rows due; then wait until all are worked off, and count."""
    without = without_anything(stage, per_second, seconds)
    first = stage.last_seq()
    _make_due(stage, kind, rows)
    begun = time.time()
    if not wait_for(lambda: int(stage.one(_BACKLOG[kind])) < rows, 30.0):
        raise Failure("The scheduler did not take up what is due.")
    during = live(stage, per_second, seconds)
    left = int(stage.one(_BACKLOG[kind]))
    print(json.dumps({"without": without, "during": during, "left": left}), file=sys.stderr)
    if not wait_for(
        lambda: not stage.one(_BACKLOG[kind]) and not stage.waiting(), 4 * ENOUGH_SECONDS, 0.5
    ):
        raise Failure("What was due was not worked off in time.")
    took = time.time() - begun
    stage.system.stop("worker", "scheduler")
    counted = stage.owner.execute(_MADE, {"seq": first}).fetchone()
    assert counted is not None
    return {
        "kind": kind, "rows": rows, "without": without, "during": during,
        "p99_ratio": round(during["completed_p99_ms"] / without["completed_p99_ms"], 2),
        "left_when_measured": left, "worked_off_seconds": round(took), "per_second": round(rows / took),
        **counted,
    }


def _make_due(stage: Stage, kind: str, rows: int) -> None:
    """Lay the rows into a minute ahead, then move the clock there: they are due all at once."""
    work = stage.work
    with db.connection() as c:
        at = c.execute("SELECT date_trunc('minute', read_clock()) + interval '1 h' AS at").fetchone()
    assert at is not None
    values = {"o": work.organization_id, "p": work.program_id, "at": at["at"], "rows": rows}
    if kind == "subscriptions":
        for number in range(-(-rows // work.people)):
            automations.create(work.organization_id, work.program_id, {
                "name": f"hourly {number}", "event_name": "type_1", "reach": "participants",
                "trigger": "participant_state", "schedule_type": "INTERVAL",
                "schedule_config": {"interval": "1000h"}, "filter_hints": [{"has_tag": "nobody"}],
            })
        stage.owner.execute(
            "UPDATE automations SET refresh_at = NULL, schedule_config = '{\"interval\": \"1h\"}'"
        )
    stage.owner.execute(_SCHEDULED if kind == "scheduled" else _SUBSCRIPTIONS, values)
    stage.owner.execute("VACUUM ANALYZE firings")
    stage.owner.execute("VACUUM ANALYZE automation_subscriptions")
    stage.owner.execute(
        "UPDATE clock SET ahead = ahead + (%s::timestamptz + interval '1 min' - read_clock())", (at["at"],)
    )


def main(argv: list[str]) -> int:
    """Run on a system of its own and print the figures."""
    parser = ArgumentParser(prog="dev.py bench due", description=__doc__)
    parser.add_argument("--kind", choices=sorted(_BACKLOG), default="scheduled")
    parser.add_argument("--rows", type=int, default=1_000_000)
    asked = asked_for(parser, argv)
    print_figures(
        asked.people, lambda stage: due(stage, asked.kind, asked.rows, asked.per_second, asked.seconds)
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
