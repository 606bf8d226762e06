"""What live events feel of a broadcast: their latency without one, and while one to many is under way.

    python3 dev.py bench broadcast [--people 100000] [--per-second 50] [--seconds 20]

The bound (issue of automations): the 99th percentile of live events stays within three times of its value
without a broadcast.
"""

import sys
import time
from argparse import ArgumentParser

from app.cli.failure import Failure
from app.flows import automations
from bench.live import ENOUGH_SECONDS, asked_for, live, print_figures, without_anything
from bench.measures import Figures, Stage
from bench.system import wait_for

_EXECUTING = "SELECT count(*) FROM firings WHERE status = 'executing'"
_UNDER_WAY = "SELECT count(*) FROM firings WHERE status IN ('pending', 'executing')"

def broadcast(stage: Stage, per_second: int, seconds: int) -> Figures:
    """Measure without, then with a broadcast to everybody; returns both, and how fast the broadcast went."""
    without = without_anything(stage, per_second, seconds)
    begun = time.time()
    automations.create(stage.work.organization_id, stage.work.program_id, {
        "name": f"to everybody {stage.next_seed()}", "event_name": "type_1", "reach": "participants",
        "trigger": "immediate",
    })
    if not wait_for(lambda: bool(stage.one(_EXECUTING)), 30.0):
        raise Failure("The broadcast did not begin.")
    during = live(stage, per_second, seconds)
    still = bool(stage.one(_EXECUTING))
    reached = int(stage.one("SELECT participants_processed FROM firings ORDER BY created_at DESC LIMIT 1"))
    rate = reached / (time.time() - begun)
    if not wait_for(lambda: not stage.waiting() and not stage.one(_UNDER_WAY), ENOUGH_SECONDS, 0.2):
        raise Failure("The broadcast did not end in time.")
    made = stage.one("SELECT count(*) FROM events WHERE event_type = 'SYSTEM'")
    stage.system.stop("worker", "scheduler")
    return {
        "without": without, "during": during, "still_under_way_at_the_end": still,
        "p99_ratio": round(during["completed_p99_ms"] / without["completed_p99_ms"], 2),
        "broadcast_events": made, "broadcast_events_per_second_meanwhile": round(rate),
    }


def main(argv: list[str]) -> int:
    """Run on a system of its own and print the figures."""
    asked = asked_for(ArgumentParser(prog="dev.py bench broadcast", description=__doc__), argv)
    print_figures(asked.people, lambda stage: broadcast(stage, asked.per_second, asked.seconds))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
