"""What many rules cost: draining a program of 1,000 rules beside one of 10, few of them about the event.

    python3 dev.py bench rules [--rules 1000] [--events 5000] [--people 5000] [--rounds 5]

Both programs live in one database and get the same events; three rules of each match, the others are about
types that no event has. One worker's thread drains them, in this process, with its rules compiled: a worker
compiles a rule's version once, when it meets it first, which is told by itself. The rounds take turns, so
that a busy minute of the machine meets both. Bound: the great one takes at most twice as long. Beside it
stands what cannot be had for nothing: 1,000 rules about the event's own type, all of which are evaluated.
"""

import json
import sys
import time
from argparse import ArgumentParser
from statistics import median
from typing import Any
from uuid import UUID

from app.domain.ids import PARTITIONS
from app.flows.drain import exhaust
from bench import measures
from bench.cost import Meter
from bench.measures import Figures, Stage
from bench.system import System, system
from bench.workload import prepare
from bench.workload import rules as usual_rules

FEW, BOUND = 10, 2.0
TYPES = 100  # So many types of events do the rules that never match share.
MATCHING = 3


def main(argv: list[str]) -> int:
    """Print the figures and the ratio; 1 where it is above the bound."""
    parser = ArgumentParser(prog="dev.py bench rules", description=__doc__)
    parser.add_argument("--rules", type=int, default=1_000)
    parser.add_argument("--events", type=int, default=5_000, help="in each round")
    parser.add_argument("--people", type=int, default=5_000)
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args(argv)
    with system(lambda text: None) as made:
        figures = _measure(made, asked)
    print(json.dumps(figures, indent=2))
    return 0 if figures["ratio"] <= BOUND else 1


def _measure(made: System, asked: Any) -> Figures:
    made.start("web")
    others = [f'event.type == "type_{n % TYPES}" && event.amount > {n}' for n in range(asked.rules)]
    own = [f'event.type == "purchase" && event.amount > {100_000 + n}' for n in range(asked.rules)]
    silent = {
        f"{FEW} rules": others[:FEW - MATCHING],
        f"{asked.rules} rules": others[:asked.rules - MATCHING],
        f"{asked.rules} rules of the event's type": own[:asked.rules - MATCHING],
    }
    with made.owner() as owner:
        stages = {name: _stage(made, owner, asked.people, found) for name, found in silent.items()}
        first = {name: _round(stage, 100) for name, stage in stages.items()}
        rounds: dict[str, list[tuple[float, float]]] = {name: [] for name in stages}
        for number in range(asked.rounds):
            for name, stage in stages.items():
                stage.seed = number  # The same events for all.
                rounds[name].append(_round(stage, asked.events))
    return _summary(asked.events, first, rounds)


def _stage(made: System, owner: Any, people: int, silent: list[str]) -> Stage:
    """A program of its own, with the three rules of the usual workload that match behind the silent ones."""

    def rules(asset_id: UUID) -> list[tuple[str, str, list[dict[str, Any]]]]:
        matching = usual_rules(asset_id)[:MATCHING]
        return [(f"Silent {number}", text, matching[0][2]) for number, text in enumerate(silent)] + matching

    return Stage(made, owner, Meter(made, owner), prepare(owner, people, webhook=False, rules=rules))


def _round(stage: Stage, events: int) -> tuple[float, float]:
    """Accept events and drain them here; returns the seconds on the wall and of CPU that draining took."""
    measures.accept_batches(stage, events)
    stage.settle()
    wall, cpu = time.perf_counter(), time.process_time()
    exhaust(range(PARTITIONS))
    return time.perf_counter() - wall, time.process_time() - cpu


def _summary(
    events: int, first: dict[str, tuple[float, float]], rounds: dict[str, list[tuple[float, float]]]
) -> Figures:
    """The medians of each, and the ratios of time to the first one."""
    wall = {name: median(one[0] for one in found) for name, found in rounds.items()}
    cpu = {name: median(one[1] for one in found) for name, found in rounds.items()}
    few, many, worst = wall
    return {
        "events_per_second": {name: round(events / spent) for name, spent in wall.items()},
        "worker_cpu_us_per_event": {name: round(1e6 * spent / events) for name, spent in cpu.items()},
        "first_100_events_seconds": {name: round(spent[0], 2) for name, spent in first.items()},
        "ratio": round(wall[many] / wall[few], 2), "bound": BOUND,
        "ratio_of_worker_cpu": round(cpu[many] / cpu[few], 2),
        "ratio_where_all_are_evaluated": round(wall[worst] / wall[few], 2),
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
