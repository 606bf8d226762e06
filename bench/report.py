"""The table of a run: each figure with its ratio to what it is compared with, and the floor it must keep."""

import json
from dataclasses import dataclass
from typing import Any

Figures = dict[str, Any]


@dataclass(frozen=True)
class Line:
    """One line: `floor` must be reached where `at_least`, and not passed where not."""

    what: str
    value: float
    unit: str
    floor: float
    at_least: bool = True

    @property
    def met(self) -> bool:
        """Whether the floor is kept."""
        return self.value >= self.floor if self.at_least else self.value <= self.floor

    def text(self) -> str:
        """The line as it is printed."""
        sign = "≥" if self.at_least else "≤"
        verdict = "ok" if self.met else "MISSED"
        return f"  {self.what:<58} {self.value:>10,.2f} {self.unit:<11} {sign} {self.floor:<8,g} {verdict}"


class Report:
    """Collects figures by name and derives the lines."""

    def __init__(self, as_json: bool) -> None:
        self._as_json = as_json
        self.figures: dict[str, Figures] = {}

    def add(self, name: str, figures: Figures) -> None:
        """Keep the figures of one measurement."""
        self.figures[name] = figures
        if self._as_json:
            print(json.dumps({"name": name, **figures}, default=str), flush=True)

    def rate(self, name: str) -> float:
        """Events a second of a measurement; 0 where it was not taken."""
        found = self.figures.get(name, {})
        return float(found.get("events_per_second") or found.get("requests_per_second") or 0)

    def finish(self) -> bool:
        """Print the table; True when every floor is kept."""
        lines = self.lines()
        if not self._as_json:
            self._print_figures()
            print("\nCompared (floors of this project, on its two-core reference machine):")
            for line in lines:
                print(line.text())
            self._print_hotspots()
        return all(line.met for line in lines)

    def lines(self) -> list[Line]:
        """Every comparison for which both sides were measured."""
        found = self._ratios() + self._latencies()
        single = self.rate("accept single")
        if single:
            found.append(Line("accept, one event a request, 2 web processes", single, "requests/s", 1500))
        if self.rate("hot participant"):
            found.append(Line("drain, all events on one participant", self.rate("hot participant"),
                              "events/s", 1000))
        wallet = self.figures.get("hot wallet", {})
        if wallet:
            found.append(Line("hot wallet beside others: speed to fair share",
                              wallet["mixed_to_fair_share"], "", 0.85))
        return found + self._memory()

    def _ratios(self) -> list[Line]:
        pairs = (
            ("drain (20 rules, 2 processes) to the SQL limit", "drain 2", "limit process", 0.40),
            ("accept in batches of 100 to the SQL insert limit", "accept batches", "limit accept", 0.40),
            ("accept and process at once to the pgbench mix", "sustained", "limit mix", 0.40),
            ("drain to the naive design", "drain 2", "naive", 25),
        )
        found = [
            Line(what, round(self.rate(one) / self.rate(other), 3), "×", floor)
            for what, one, other, floor in pairs if self.rate(one) and self.rate(other)
        ]
        drained, limit = self.figures.get("drain 2"), self.figures.get("limit process")
        if drained and limit:
            spent = sum(drained.get(f"{kind}_cpu_us", 0) for kind in ("worker", "postgres", "valkey"))
            # A machine that others use as well slows all of this alike: CPU is the ratio that stays.
            found.append(Line("the same in CPU of an event (limit to all that is spent)",
                              round(limit["postgres_cpu_us"] / spent, 3), "×", 0.40))
        full = self.figures.get("full", {})
        if full:
            ratio = full["events_per_second"] / full["before_events_per_second"]
            what = f"drain with {full['stored']:,} stored events to before"
            found.append(Line(what, round(ratio, 3), "×", 0.85))
        return found

    def _latencies(self) -> list[Line]:
        found = self.figures.get("latency")
        if not found:
            return []
        return [
            Line("at 200 events/s: request to COMPLETED, p50", found["completed_p50_ms"], "ms", 15, False),
            Line("at 200 events/s: request to COMPLETED, p99", found["completed_p99_ms"], "ms", 60, False),
            Line("at 200 events/s: request to 202, p99", found["accept_p99_ms"], "ms", 20, False),
        ]

    def _memory(self) -> list[Line]:
        found = self.figures.get("sustained")
        if not found:
            return []
        lines = []
        for kind in ("web", "worker"):
            start, end = found["memory_start_mb"][kind][0], found["memory_end_mb"][kind][0]
            lines.append(Line(f"memory of the largest {kind} process at the end", end, "MiB", 200, False))
            meanwhile = f"  and how much of that came meanwhile ({kind})"
            lines.append(Line(meanwhile, end - start, "MiB", 40, False))
        return lines

    def _print_figures(self) -> None:
        columns = ("web_cpu_us", "worker_cpu_us", "postgres_cpu_us", "valkey_cpu_us", "wal_bytes")
        heads = ("web µs", "worker µs", "PG µs", "Valkey µs", "WAL B")
        print("\n" + f"  {'':<24} {'rate/s':>9}" + "".join(f" {head:>10}" for head in heads) + "   per event")
        for name, figures in self.figures.items():
            if not self.rate(name):
                continue
            cells = "".join(f" {figures.get(column, ''):>10}" for column in columns)
            print(f"  {name:<24} {self.rate(name):>9,.0f}{cells}")
        growth = self.figures.get("growth")
        if growth:
            print(f"  tables and indexes grow by {growth['bytes_per_event']:,} bytes an event")

    def _print_hotspots(self) -> None:
        for title, entries in self.figures.get("hotspots", {}).items():
            print(f"\nTop CPU entries, {title}:")
            for what, share in entries:
                print(f"  {share:6.1%}  {what[:96]}")
