"""What live events feel of other work: single events at a fixed rate, and how long each took to be completed.

What lives here: the measurement, and the frame of the benchmarks that take it with and without such work
(broadcast, due). The latency of the main path on its own is in measures.
"""

import json
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable

from app.cli.failure import Failure
from bench.cost import Meter
from bench.load import Load, percentile, singles
from bench.measures import Figures, Stage
from bench.system import system, wait_for
from bench.workload import prepare

_COMMITS = """
SELECT e.idempotency_key, extract(epoch FROM pg_xact_commit_timestamp(d.xmin))::float8 AS at
FROM events e JOIN decisions d ON d.organization_id = e.organization_id AND d.event_seq = e.seq
WHERE e.organization_id = %s AND e.seq >= %s AND e.event_type = 'EXTERNAL'
"""
_LEFT = "SELECT count(*) FROM inbox i JOIN events e ON e.seq = i.event_seq WHERE e.event_type = 'EXTERNAL'"
WARM_UP_SECONDS = 3
ENOUGH_SECONDS = 900.0


def live(stage: Stage, per_second: int, seconds: int) -> Figures:
    """Send single events at a fixed rate; returns how long after its sending each was completed."""
    first, bodies = stage.last_seq(), list(stage.work.bodies(per_second * seconds, stage.next_seed()))
    sent = Load(stage.system.port, processes=1, connections=16, per_second=per_second).send(
        singles(bodies, stage.system.key)
    )
    if not wait_for(lambda: not stage.one(_LEFT), ENOUGH_SECONDS):
        raise Failure("The live events were not decided in time.")
    rows = stage.owner.execute(_COMMITS, (stage.work.organization_id, first)).fetchall()
    committed = {row["idempotency_key"]: row["at"] for row in rows}
    pairs = zip(bodies, sorted(sent.answers, key=lambda one: one.due), strict=True)
    done = [1000 * (committed[body["idempotency_key"]] - one.sent) for body, one in pairs]
    return {
        "events": len(done), "accept_p99_ms": sent.milliseconds(0.99),
        "completed_p50_ms": percentile(done, 0.5), "completed_p99_ms": percentile(done, 0.99),
    }


def without_anything(stage: Stage, per_second: int, seconds: int) -> Figures:
    """Start workers and scheduler, let them warm up, and measure live events alone."""
    stage.system.start("worker", 2)
    stage.system.start("scheduler")
    live(stage, per_second, WARM_UP_SECONDS)
    return live(stage, per_second, seconds)


def asked_for(parser: ArgumentParser, argv: list[str]) -> Namespace:
    """Read the command line: the options of every such benchmark beside those that the parser has."""
    parser.add_argument("--people", type=int, default=100_000)
    parser.add_argument("--per-second", type=int, default=50, help="live events (50)")
    parser.add_argument("--seconds", type=int, default=20, help="of each measurement (20)")
    return parser.parse_args(argv)


def print_figures(people: int, measure: Callable[[Stage], Figures]) -> None:
    """Measure on a system of its own, with an API and so many participants, and print the figures."""
    with system(lambda text: print(text, file=sys.stderr)) as made:
        made.start("web")
        with made.owner() as owner:
            work = prepare(owner, people, webhook=False)
            print(json.dumps(measure(Stage(made, owner, Meter(made, owner), work)), indent=2))
