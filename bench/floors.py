"""The floors of every benchmark, as lines of one table: what was measured, and what it must keep."""

from typing import Any

from bench import cel, ledger, redemptions, rules
from bench.report import Line, Report

LIVE_RATIO_MAX = 3.0  # What live events may feel of a broadcast, or of many rows due at once.
DELIVERIES_MIN = 300
NEIGHBOUR_RATIO_MAX = 2.0  # Nothing, but for what the noise of two short measurements makes of it.
REPORT_MS_MAX = 1000
Parts = dict[str, dict[str, Any]]


def lines(parts: Parts) -> list[Line]:
    """Every line whose figures are there, in the order of the parts."""
    found = main_path(figures(parts, "main-path")).lines()
    for name, of_part in (
        ("cel", _cel), ("ledger", _ledger), ("rules", _rules), ("redemptions", _redemptions),
        ("webhooks", _webhooks), ("broadcast", _broadcast), ("due", _due), ("reports", _reports),
    ):
        told = figures(parts, name)
        if told:
            found += of_part(told)
    return found


def figures(parts: Parts, name: str) -> list[dict[str, Any]]:
    """What a part told; nothing where it did not run."""
    told: list[dict[str, Any]] = parts.get(name, {}).get("figures", [])
    return told


def main_path(told: list[dict[str, Any]]) -> Report:
    """The report of the main path, made again from its figures."""
    report = Report(as_json=True)
    report.figures = {one["name"]: one for one in told}
    return report


def _cel(told: list[dict[str, Any]]) -> list[Line]:
    one = told[0]
    return [
        Line("CEL: faster than cel-python", one["cel_python_ratio"], "×", cel.TARGET_RATIO),
        Line("CEL: one event, 100 rules, indexed", one["hundred_rules_us"], "µs", cel.TARGET_RULES_US, False),
        Line("CEL: explain to evaluate, worst", one["explain_ratio"], "×", cel.TARGET_EXPLAIN, False),
    ]


def _ledger(told: list[dict[str, Any]]) -> list[Line]:
    one = told[0]
    return [
        Line(f"ledger: {name}", one[name], "", floor)
        for name, floor in ledger.AT_LEAST.items() if name in one
    ] + [
        Line(f"ledger: {name}", one[name], "", bound, False)
        for name, bound in ledger.AT_MOST.items() if name in one
    ]


def _rules(told: list[dict[str, Any]]) -> list[Line]:
    return [Line("1,000 rules to 10 rules, time of draining", told[0]["ratio"], "×", rules.BOUND, False)]


def _redemptions(told: list[dict[str, Any]]) -> list[Line]:
    return [
        Line(f"redemption p99 to commit p99: {one['name']}", one["p99_ratio"], "×", redemptions.RATIO_MAX,
             False) for one in told if one.get("judged", True)
    ]


def _webhooks(told: list[dict[str, Any]]) -> list[Line]:
    one = told[0]
    beside, alone = one["healthy_beside_a_hanging_one"]["p99_ms"], one["healthy_alone"]["p99_ms"]
    return [
        Line("webhooks delivered", one["deliveries_per_second"], "/s", DELIVERIES_MIN),
        Line("webhooks: p99 beside a hanging endpoint to alone", round(beside / alone, 2), "×",
             NEIGHBOUR_RATIO_MAX, False),
    ]


def _broadcast(told: list[dict[str, Any]]) -> list[Line]:
    return [Line("live events' p99 during a broadcast", told[0]["p99_ratio"], "×", LIVE_RATIO_MAX, False)]


def _due(told: list[dict[str, Any]]) -> list[Line]:
    return [
        Line(f"live events' p99 with {told[0]['rows']:,} rows due", told[0]["p99_ratio"], "×", LIVE_RATIO_MAX,
             False),
        Line("due rows made into events out of order", told[0]["out_of_order"], "", 0, False),
    ]


def _reports(told: list[dict[str, Any]]) -> list[Line]:
    one = told[0]
    worst = max(ms[-1] for name, ms in one["ms"].items() if "from the postings" not in name)
    what = f"slowest report on {one['entries'][-1]:,} entries"
    return [Line(what, worst, "ms", REPORT_MS_MAX, False)]
