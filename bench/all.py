"""Every benchmark after another, and the paper that says what came out: bench all [--quick].

    python3 dev.py bench all              # everything at full size: some hours
    python3 dev.py bench all --quick      # five to ten minutes, too short to judge the last percents by
    python3 dev.py bench all --only cel rules    # measure these anew, keep the others as they were
    python3 dev.py bench all --redraw     # measure nothing, write the paper from the figures kept

Each part is a process of its own with a system of its own, holds its baseline in the same run, and tells its
figures as JSON. They are kept in docs/explanation/performance/figures.json; text and plots: bench/paper.
"""

import json
import subprocess
import sys
import time
from argparse import ArgumentParser
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from app.cli.datafolder import ROOT
from bench import machine, paper
from bench.floors import lines

FOLDER = ROOT / "docs" / "explanation" / "performance"
FIGURES, FOLDED = FOLDER / "figures.json", FOLDER / "worker.folded"
PART_SECONDS_MAX = 3 * 3600
Parts = dict[str, dict[str, Any]]

# What each part is told: at full size, and in a few minutes.
FULL: dict[str, list[str]] = {
    "main-path": ["--json", "--flame", str(FOLDED)],
    "cel": ["--json"],
    "ledger": ["--json"],
    "rules": [],
    "redemptions": [],
    "webhooks": [],
    "broadcast": [],
    "due": [],
    "reports": ["--json"],
}
QUICK: dict[str, list[str]] = {
    "main-path": ["--json", "--quick", "--flame", str(FOLDED)],
    "cel": ["--json", "--quick"],
    "ledger": ["--json", "--seconds", "3"],
    "rules": ["--events", "2000", "--people", "2000", "--rounds", "3"],
    "redemptions": ["--seconds", "6"],
    "webhooks": ["--messages", "1500", "--seconds", "4"],
    "broadcast": ["--people", "10000", "--seconds", "8"],
    "due": ["--rows", "20000", "--people", "10000", "--seconds", "8"],
    "reports": ["--json", "20000", "200000"],
}


def main(argv: list[str]) -> int:
    """Measure, keep the figures, write the paper; 1 where a part did not run or a floor broke."""
    parser = ArgumentParser(prog="dev.py bench all", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="the small profile")
    parser.add_argument("--only", nargs="*", choices=sorted(FULL), help="only these, the others stay")
    parser.add_argument("--redraw", action="store_true", help="only write the paper anew")
    asked = parser.parse_args(argv)
    FOLDER.mkdir(exist_ok=True)
    kept: dict[str, Any] = json.loads(FIGURES.read_text(encoding="utf-8")) if FIGURES.exists() else {}
    if not asked.redraw:
        kept = _measured(kept if asked.only else {}, asked.only or list(FULL), asked.quick)
    paper.write(kept, FOLDED.read_text(encoding="utf-8") if FOLDED.exists() else "", FOLDER)
    found = lines(kept["parts"])
    for line in found:
        print(line.text())
    silent = [name for name, part in kept["parts"].items() if part["error"]]
    for name in silent:
        print(f"  {name}: not run: {kept['parts'][name]['error'].splitlines()[-1]}")
    print(f"Written: {FOLDER.with_suffix('.md').relative_to(ROOT)}")
    return 1 if silent or (not asked.quick and not all(line.met for line in found)) else 0


def _measured(kept: dict[str, Any], names: list[str], quick: bool) -> dict[str, Any]:
    """Run these parts; what is kept of other parts stays."""
    parts = dict(kept.get("parts", {}))
    for name in names:
        print(f"{name} …", flush=True)
        parts[name] = _part(name, QUICK[name] if quick else FULL[name], quick)
        print(f"  {parts[name]['seconds']} s, load {parts[name]['load']}", flush=True)
        kept = {
            "machine": machine.described(),
            "parts": {each: parts[each] for each in FULL if each in parts},
        }
        FIGURES.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
    return kept


def _part(name: str, arguments: list[str], quick: bool) -> dict[str, Any]:
    """One part's figures, how long it took, and what the machine did besides when it began."""
    load, begun, at = machine.load(), time.monotonic(), datetime.now(UTC)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "app.cli", "bench", name, *arguments], cwd=ROOT, capture_output=True,
            text=True, timeout=PART_SECONDS_MAX, check=False,
        )
        figures, error = objects(done.stdout), done.stderr.strip()[-1500:]
    except subprocess.TimeoutExpired:
        figures, error = [], f"not done after {PART_SECONDS_MAX} s"
    return {
        "at": f"{at:%Y-%m-%d %H:%M} UTC", "seconds": round(time.monotonic() - begun), "load": load,
        "profile": "quick" if quick else "full",
        "arguments": [Path(each).name if "/" in each else each for each in arguments],
        "figures": figures, "error": None if figures else error or "it told no figures",
    }


def objects(text: str) -> list[dict[str, Any]]:
    """Every JSON object of a text, whatever stands between them."""
    decoder, found, place = json.JSONDecoder(), [], text.find("{")
    while place >= 0:
        try:
            value, end = decoder.raw_decode(text, place)
            found.append(value)
        except ValueError:
            end = place + 1
        place = text.find("{", end)
    return found


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
