"""What live events feel of a broadcast: their latency without one, and while one to many is under way.

    python -m bench.broadcast [--people 100000] [--per-second 50] [--seconds 20]

The bound (issue of automations): the 99th percentile of live events stays within three times of its value
without a broadcast.
"""

import json
import sys
import time
from argparse import ArgumentParser
from typing import Any

from app.flows import automations
from bench.cost import Meter
from bench.load import Load, percentile, singles
from bench.measures import Figures, Stage
from bench.system import System, system, wait_for
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
    wait_for(lambda: not stage.one(_LEFT), ENOUGH_SECONDS)
    rows = stage.owner.execute(_COMMITS, (stage.work.organization_id, first)).fetchall()
    committed = {row["idempotency_key"]: row["at"] for row in rows}
    pairs = zip(bodies, sorted(sent.answers, key=lambda one: one.due), strict=True)
    done = [1000 * (committed[body["idempotency_key"]] - one.sent) for body, one in pairs]
    return {
        "events": len(done), "accept_p99_ms": sent.milliseconds(0.99),
        "completed_p50_ms": percentile(done, 0.5), "completed_p99_ms": percentile(done, 0.99),
    }


def broadcast(stage: Stage, per_second: int, seconds: int) -> Figures:
    """Measure without, then with a broadcast to everybody; returns both, and how fast the broadcast went."""
    stage.system.start("worker", 2)
    stage.system.start("scheduler")
    live(stage, per_second, WARM_UP_SECONDS)
    without = live(stage, per_second, seconds)
    begun = time.time()
    automations.create(stage.work.organization_id, stage.work.program_id, {
        "name": f"to everybody {stage.next_seed()}", "event_name": "type_1", "reach": "participants",
        "trigger": "immediate",
    })
    wait_for(lambda: bool(stage.one("SELECT count(*) FROM firings WHERE status = 'executing'")), 30.0)
    during = live(stage, per_second, seconds)
    still = bool(stage.one("SELECT count(*) FROM firings WHERE status = 'executing'"))
    reached = int(stage.one("SELECT participants_processed FROM firings ORDER BY created_at DESC LIMIT 1"))
    rate = reached / (time.time() - begun)
    wait_for(lambda: not stage.waiting() and not stage.one(
        "SELECT count(*) FROM firings WHERE status IN ('pending', 'executing')"
    ), ENOUGH_SECONDS, 0.2)
    made = stage.one("SELECT count(*) FROM events WHERE event_type = 'SYSTEM'")
    stage.system.stop("worker", "scheduler")
    return {
        "without": without, "during": during, "still_under_way_at_the_end": still,
        "p99_ratio": round(during["completed_p99_ms"] / without["completed_p99_ms"], 2),
        "broadcast_events": made, "broadcast_events_per_second_meanwhile": round(rate),
    }


def main(argv: list[str]) -> int:
    """Run on a system of its own and print the figures."""
    parser = ArgumentParser(prog="bench.broadcast", description=__doc__)
    parser.add_argument("--people", type=int, default=100_000)
    parser.add_argument("--per-second", type=int, default=50)
    parser.add_argument("--seconds", type=int, default=20)
    asked = parser.parse_args(argv)
    with system(lambda text: print(text, file=sys.stderr)) as made:
        print(json.dumps(_measure(made, asked), indent=2))
    return 0


def _measure(made: System, asked: Any) -> Figures:
    made.start("web")
    with made.owner() as owner:
        work = prepare(owner, asked.people, webhook=False)
        return broadcast(Stage(made, owner, Meter(made, owner), work), asked.per_second, asked.seconds)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
