"""The main path on one machine, in one run: the SQL limit, the product, the naive design, and their ratios.

What is written for an event, and what each figure means: docs/explanation/benchmarks.md.
"""

import json
import sys
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from app.flows.drain import BATCH_EVENTS_MAX
from bench import hotspots, measures, naive, shapes
from bench.cost import Meter
from bench.limit import Limit, cost_of
from bench.measures import Figures, Stage
from bench.report import Report
from bench.system import System, system
from bench.workload import PEOPLE, prepare

EVENTS = 100_000
QUICK_EVENTS, QUICK_PEOPLE = 5_000, 5_000
STORED = 5_000_000
RATE = 200
TURNS = 5
MIX_SECONDS = 10
WATCHED = 20_000  # Events for the profile, always: the kernel samples every 1 to 10 ms of CPU.


def main(argv: list[str]) -> int:
    """Measure everything and print the table; 1 where a floor is missed (never with --quick)."""
    arguments = _parse(argv)
    say = (lambda text: None) if arguments.json else (lambda text: print(text, flush=True))
    report = Report(arguments.json)
    with system(lambda text: None) as made:
        Run(made, arguments, report, say).everything()
    met = report.finish()
    return 0 if met or arguments.quick else 1


def _parse(argv: list[str]) -> Namespace:
    parser = ArgumentParser(prog="dev.py bench main-path", description=__doc__)
    parser.add_argument("--events", type=int, default=EVENTS, help=f"in each measurement ({EVENTS:,})")
    parser.add_argument("--stored", type=int, default=STORED, help=f"in a full database ({STORED:,})")
    parser.add_argument("--people", type=int, default=PEOPLE, help=f"how many participants ({PEOPLE:,})")
    parser.add_argument("--quick", action="store_true", help="some minutes; too short to judge by")
    parser.add_argument("--only", nargs="*", help="only these measurements (and what they are compared with)")
    parser.add_argument("--flame", type=Path, help="write the worker's stacks into this file, folded")
    parser.add_argument("--json", action="store_true", help="a line of JSON for each measurement")
    found = parser.parse_args(argv)
    if found.quick:
        found.events, found.people, found.stored = QUICK_EVENTS, QUICK_PEOPLE, 4 * QUICK_EVENTS
    return found


class Run:
    """All measurements, one after another, on one system."""

    def __init__(
        self, made: System, arguments: Namespace, report: Report, say: Callable[[str], None]
    ) -> None:
        self.events: int = arguments.events
        self.stored: int = arguments.stored
        self.only: list[str] | None = arguments.only
        self.quick: bool = arguments.quick
        self.flame: Path | None = arguments.flame
        self.report = report
        self.say = say
        owner = made.owner()
        say("Preparing: servers, 20 rules, one endpoint, participants …")
        work = prepare(owner, arguments.people)
        self.stage = Stage(made, owner, Meter(made, owner), work)
        made.hold_webhooks()
        made.start("web")
        # Caches, prepared statements and plans: nobody's first request is a measurement.
        measures.accept_batches(self.stage, 2_000)
        measures.drain(self.stage)

    def everything(self) -> None:
        """Measure in the order in which figures are compared."""
        # Latency first: later there are backlogs of work behind the path, such as sealing the journal.
        self.take("latency", lambda: measures.latency(self.stage, RATE, 3 if self.quick else 20))
        limit = Limit(self.stage.system, self.stage.owner, self.stage.work)
        self.in_turns(limit)
        self.accepting()
        self.delivering()
        seconds = 2 if self.quick else MIX_SECONDS
        self.take("limit mix", lambda: {"events_per_second": round(limit.mix(seconds, BATCH_EVENTS_MAX))})
        times = 1 if self.quick else 5
        self.take("sustained", lambda: measures.sustained(self.stage, times * self.events))
        self.unusual()
        self.take("hotspots", lambda: dict(hotspots.measure(self.stage, WATCHED, self.flame)))
        self.full()

    def take(self, name: str, action: Callable[[], Figures]) -> Figures:
        """Do one measurement and report it, unless only others are wanted."""
        if self.only and not name.startswith(tuple(self.only)):
            return {}
        begun = time.monotonic()
        figures = action()
        self.report.add(name, figures)
        self.say(f"  {name:<24} {time.monotonic() - begun:6.1f} s  {json.dumps(figures, default=str)[:300]}")
        return figures

    def in_turns(self, limit: Limit) -> None:
        """What PostgreSQL does by itself and what the product does, each accepting and deciding, in turns.

        So both meet the same machine, checkpoints and neighbours included; of each the median turn counts.
        """
        turns = 1 if self.quick else TURNS
        events = self.events // turns

        def process() -> Figures:
            limit.fill(events)
            return cost_of(
                self.stage.meter, lambda: limit.done, lambda: limit.process(events, BATCH_EVENTS_MAX)
            )

        measured: dict[str, Callable[[], Figures]] = {
            "limit accept": lambda: cost_of(
                self.stage.meter, lambda: events, lambda: limit.accept(events)
            ),
            "limit process": process,
            "accept batches": partial(measures.accept_batches, self.stage, events),
            "drain 2": partial(measures.drain, self.stage, 2),
        }
        found: dict[str, list[Figures]] = {name: [] for name in measured}
        for _ in range(turns):
            for name, action in measured.items():
                found[name].append(action())
                if name.startswith("limit"):
                    limit.drop_backlog()
        for name, each in found.items():
            rates = [figures["events_per_second"] for figures in each]
            middle = sorted(each, key=lambda figures: figures["events_per_second"])[len(each) // 2]
            self.take(name, partial(dict, middle, turns=rates))

    def accepting(self) -> None:
        """Accept with nobody processing, then drain what waits, with 1 and with 4 worker processes."""
        stage = self.stage
        for processes in (1, 4):
            before = stage.meter.bytes_stored()
            self.backlog(f"accept batches {processes}")
            self.take(f"drain {processes}", partial(measures.drain, stage, processes))
            if processes == 1:
                self.take("growth", partial(measures.growth, stage, before, self.events))
            self.clear()
        self.take("accept single", lambda: measures.accept_singles(stage, max(500, self.events // 10)))
        self.clear()

    def backlog(self, name: str) -> None:
        """Accept a backlog, reported or not."""
        if not self.take(name, lambda: measures.accept_batches(self.stage, self.events)):
            measures.accept_batches(self.stage, self.events if self.wants("drain") else 100)

    def wants(self, name: str) -> bool:
        """Whether a measurement is to be taken."""
        return not self.only or any(name.startswith(one) or one.startswith(name) for one in self.only)

    def clear(self) -> None:
        """Drain what a measurement that was left out would have drained."""
        if self.stage.waiting():
            measures.drain(self.stage)

    def delivering(self) -> None:
        """Drain once more while webhooks are sent, to an endpoint that refuses them."""
        if not self.wants("drain and deliver"):
            return
        self.stage.system.hold_webhooks(False)
        measures.accept_batches(self.stage, self.events)
        self.take("drain and deliver", lambda: measures.drain(self.stage))
        self.stage.system.hold_webhooks()

    def unusual(self) -> None:
        """Hot rows, and the naive design."""
        stage = self.stage
        self.take("hot participant", lambda: shapes.hot_participant(stage, self.events // 4))
        self.take("hot wallet", lambda: shapes.hot_wallet(stage, self.events // 2))
        self.take("naive", lambda: naive.measure(stage, 300 if self.quick else 3_000))
        self.clear()

    def full(self) -> None:
        """Drain on a database that holds millions of events."""
        if not self.wants("full"):
            return
        stage = self.stage
        # As after filling: the first change of a page since a checkpoint writes all of it to the log.
        stage.owner.execute("CHECKPOINT")
        measures.accept_batches(stage, 2_000)
        measures.drain(stage)
        last = stage.last_seq()
        measures.accept_batches(stage, self.events)
        empty = measures.drain(stage)
        first, last = last + 1, stage.last_seq()

        def again() -> Figures:
            begun = time.monotonic()
            stored = shapes.fill(stage, first, last, self.stored)
            seconds = time.monotonic() - begun
            measures.accept_batches(stage, 2_000)
            measures.drain(stage)
            accepted = measures.accept_batches(stage, self.events)
            found: dict[str, Any] = measures.drain(stage)
            return {
                **found, "stored": stored, "before_events_per_second": empty["events_per_second"],
                "accept_events_per_second": accepted["events_per_second"], "fill_seconds": round(seconds),
            }

        self.take("full", again)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
