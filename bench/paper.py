"""The paper of a run: docs/explanation/performance.md and its plots, made from figures alone.

The text around the tables lives here and in bench/paper_text, so that the command writes the whole paper.
"""

import os
from pathlib import Path
from typing import Any

from bench import floors, paper_text
from bench.drawing import Bar, amount, bars
from bench.flame import draw, tree
from bench.report import Line

Figures = list[dict[str, Any]]


def write(kept: dict[str, Any], folded: str, folder: Path) -> None:
    """Write the paper beside the folder, and the plots into it."""
    parts = kept["parts"]
    paper = Paper(folder)
    paper.say(paper_text.HEAD)
    paper.table(["", ""], [*map(list, kept["machine"].items())])
    paper.say(paper_text.SEEDS)
    paper.table(["part", "", "profile", "arguments", "seconds", "load when it began"], [
        [name, part["at"], part["profile"], f"`{' '.join(part['arguments'])}`" if part["arguments"] else "",
         part["seconds"], float(part["load"])] for name, part in parts.items()
    ])
    for name, part in parts.items():
        if part["error"]:
            paper.say(f"**{name}: not run.** {part['error'].splitlines()[-1]}")
    absent = [name for name in CHAPTERS if name not in parts]
    if any(part["load"] > (os.cpu_count() or 1) for part in parts.values()):
        paper.say(paper_text.BUSY)
    if absent:
        paper.say(f"Not measured in this run: {', '.join(absent)}.")
    paper.floors(floors.lines(parts), {part["profile"] for part in parts.values()})
    for name, chapter in CHAPTERS.items():
        if parts.get(name, {}).get("figures"):
            paper.say(paper_text.CHAPTERS[name])
            chapter(paper, parts[name]["figures"])
    _profile(paper, floors.figures(parts, "main-path"), folded)
    paper.finish()


class Paper:
    """The text so far, and the folder of its plots."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.text: list[str] = []

    def say(self, text: str) -> None:
        """Add a paragraph, or several."""
        self.text.append(text.strip() + "\n")

    def table(self, heads: list[str], rows: list[list[Any]]) -> None:
        """Add a table; columns behind the first are aligned to the right where their head says something."""
        marks = ["---" if not number or not head else "---:" for number, head in enumerate(heads)]
        lines = [heads, marks, *rows]
        self.text += [f"| {' | '.join(_cell(cell) for cell in line)} |" for line in lines] + [""]

    def plot(self, name: str, title: str, unit: str, rows: list[Bar], floor: float | None = None) -> None:
        """Draw bars, and show them."""
        self.picture(name, title, bars(title, unit, rows, floor))

    def picture(self, name: str, title: str, drawing: str) -> None:
        """Keep a drawing, and show it."""
        (self.folder / f"{name}.svg").write_text(drawing, encoding="utf-8")
        self.say(f"![{title}]({self.folder.name}/{name}.svg)")

    def floors(self, lines: list[Line], profiles: set[str]) -> None:
        """Every floor with what was reached, and how many were not."""
        missed = [line for line in lines if not line.met]
        self.say(paper_text.FLOORS)
        if "quick" in profiles:
            self.say(paper_text.QUICK)
        self.say(f"{len(lines) - len(missed)} of {len(lines)} floors are reached.")
        self.table(["what", "measured", "floor", ""], [
            [line.what.strip(), f"{amount(line.value)} {line.unit}".strip(),
             f"{'≥' if line.at_least else '≤'} {line.floor:g}", "" if line.met else "**missed**"]
            for line in lines
        ])
        self.say(paper_text.NOT_REACHED)

    def finish(self) -> None:
        """Write it down."""
        self.folder.with_suffix(".md").write_text("\n".join(self.text), encoding="utf-8")


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return amount(value)
    return f"{value:,}" if isinstance(value, int) else str(value)


def _main_path(paper: Paper, told: Figures) -> None:
    report = floors.main_path(told)
    rated = [name for name in report.figures if report.rate(name)]
    paper.plot("main-path", "Events a second, main path", "/s", [
        Bar(name, report.rate(name), not name.startswith(("limit", "naive"))) for name in rated
    ])
    columns = ("web_cpu_us", "worker_cpu_us", "postgres_cpu_us", "valkey_cpu_us", "wal_bytes")
    paper.table(
        ["", "events/s", "web µs", "worker µs", "PostgreSQL µs", "Valkey µs", "WAL bytes"],
        [[name, round(report.rate(name)), *(report.figures[name].get(column, "") for column in columns)]
         for name in rated],
    )
    latency = report.figures.get("latency")
    if latency:
        shown = ("accept_p50_ms", "accept_p99_ms", "completed_p50_ms", "completed_p99_ms")
        paper.plot("latency", "200 single events a second: from sending to …", "ms", [
            Bar(name.replace("_ms", "").replace("_", ", ").replace("accept", "202")
                .replace("completed", "COMPLETED"), latency[name]) for name in shown
        ])
    growth = report.figures.get("growth")
    if growth:
        paper.say(f"Tables and indexes grow by {growth['bytes_per_event']:,} bytes an event.")


def _cel(paper: Paper, told: Figures) -> None:
    one = told[0]
    paper.table(["", "figure"], [
        ["times as fast as cel-python (geometric mean of 14 expressions)", one["cel_python_ratio"]],
        ["one event against 100 rules, µs, with the index over types", one["hundred_rules_us"]],
        ["the same without the index, µs", one["hundred_rules_without_index_us"]],
        ["explain, times evaluate, for the worst expression", one["explain_ratio"]],
        ["compile an expression, µs", one["compile_us"]],
    ])


def _ledger(paper: Paper, told: Figures) -> None:
    one = told[0]
    names = ("one a commit, transfers/s", "hordak plain, transfers/s", "hordak checked, transfers/s")
    paper.plot("ledger", "Transfers, one a commit", "/s", [
        Bar(name.partition(",")[0], one[name], name.startswith("one")) for name in names
    ])
    batched = ("batched, transfers/s", "bare SQL, transfers/s")
    paper.plot("ledger-batched", "Transfers, a hundred a commit", "/s", [
        Bar(name.partition(",")[0], one[name], name.startswith("batched")) for name in batched
    ])
    paper.table(["", "median"], [[name, float(value)] for name, value in one.items()])


def _rules(paper: Paper, told: Figures) -> None:
    one = told[0]
    paper.plot("rules", "Events a second, one worker thread", "/s", [
        Bar(name, value) for name, value in one["events_per_second"].items()
    ])
    paper.table(["", "events/s", "worker CPU, µs an event", "first 100 events, s"], [
        [name, rate, one["worker_cpu_us_per_event"][name], float(one["first_100_events_seconds"][name])]
        for name, rate in one["events_per_second"].items()
    ])


def _redemptions(paper: Paper, told: Figures) -> None:
    paper.plot("redemptions", "Redemptions: p99 beside that of a bare commit meanwhile", "ms", [
        bar for one in told for bar in (
            Bar(one["name"], one["redemption_p99_ms"]), Bar("bare commit", one["commit_p99_ms"], ours=False)
        )
    ])
    columns = ("redemption_p50_ms", "redemption_p99_ms", "commit_p50_ms", "commit_p99_ms", "p99_ratio")
    paper.table(
        ["", "p50 ms", "p99 ms", "commit p50 ms", "commit p99 ms", "ratio of p99"],
        [[one["name"], *(float(one[column]) for column in columns)] for one in told],
    )


def _webhooks(paper: Paper, told: Figures) -> None:
    one = told[0]
    paper.plot("webhooks", "Webhooks: delivered, signed and recorded, beside a bare loop", "/s", [
        Bar("delivered", one["deliveries_per_second"]),
        Bar("bare loop of urllib3", one["bare_loop_per_second"], ours=False),
    ], floors.DELIVERIES_MIN)
    paper.table(["latency of a healthy endpoint", "p50 ms", "p99 ms"], [
        [what, float(one[name]["p50_ms"]), float(one[name]["p99_ms"])] for what, name in
        (("alone", "healthy_alone"), ("beside one that hangs", "healthy_beside_a_hanging_one"))
    ])


def _live(paper: Paper, name: str, what: str, one: dict[str, Any]) -> None:
    columns = ("completed_p50_ms", "completed_p99_ms", "accept_p99_ms")
    paper.plot(name, f"Live events until COMPLETED, p99, {what}", "ms", [
        Bar("without", one["without"]["completed_p99_ms"], ours=False),
        Bar(what, one["during"]["completed_p99_ms"]),
    ])
    paper.table(["live events", "COMPLETED p50 ms", "COMPLETED p99 ms", "202 p99 ms"], [
        [label, *(float(one[key][column]) for column in columns)]
        for label, key in (("without", "without"), (what, "during"))
    ])


def _broadcast(paper: Paper, told: Figures) -> None:
    one = told[0]
    _live(paper, "broadcast", "during a broadcast", one)
    rate, made = one["broadcast_events_per_second_meanwhile"], one["broadcast_events"]
    paper.say(f"Meanwhile the broadcast made {rate:,} events a second, {made:,} in all.")


def _due(paper: Paper, told: Figures) -> None:
    one = told[0]
    _live(paper, "due", f"with {one['rows']:,} rows due at once", one)
    paper.say(f"The rows became events at {one['per_second']:,} a second; {one['out_of_order']} of"
              f" {one['events']:,} out of order, at most {one['largest_transaction']:,} in a transaction.")


def _reports(paper: Paper, told: Figures) -> None:
    one = told[0]
    small, large = one["entries"][0], one["entries"][-1]
    paper.plot("reports", f"Reports on a journal of {large:,} entries, median of 5", "ms", [
        Bar(name, ms[-1], "from the postings" not in name) for name, ms in one["ms"].items()
    ])
    paper.table(["report", f"{small:,} entries, ms", f"{large:,} entries, ms", "growth"], [
        [name, float(ms[0]), float(ms[-1]), f"{ms[-1] / ms[0]:.1f}×"] for name, ms in one["ms"].items()
    ])


def _profile(paper: Paper, told: Figures, folded: str) -> None:
    """The flame graph, and the top entries of each kind of process."""
    paper.say(paper_text.PROFILE)
    if folded:
        title = f"CPU of the worker's hot path, {tree(folded).hits:,} samples"
        paper.picture("flame", title, draw(folded, title))
    for title, entries in floors.main_path(told).figures.get("hotspots", {}).items():
        if title != "name":
            rows = [[f"`{what[:90]}`", f"{share:.1%}"] for what, share in entries]
            paper.table([title, "share of CPU"], rows)
    paper.say(paper_text.REMOVED)
    paper.table(["entry", "what it was", "what was done", "before → after"], paper_text.REMOVED_ROWS)
    paper.say(paper_text.REMOVED_END)


CHAPTERS = {
    "main-path": _main_path, "cel": _cel, "ledger": _ledger, "rules": _rules, "redemptions": _redemptions,
    "webhooks": _webhooks, "broadcast": _broadcast, "due": _due, "reports": _reports,
}
