"""How fast files are imported while workers are killed: everybody, their lots, their history of events.

    python3 dev.py bench imports [--people 100000] [--events 1000000] [--kills 2]

Each file is imported by two workers; `kill -9` takes both away after each third (fourth …) of it. At the end
everything is counted: nothing may be missing, double or out of order. Events count as imported once they
are decided; that file is held to the pace at which rules are run, because only few may wait (2,000).
"""

import json
import os
import signal
import sys
import time
import urllib.request
from argparse import ArgumentParser
from typing import Any
from urllib.parse import urlencode

from app.cli.failure import Failure
from bench.import_files import Move, prepare, upload
from bench.measures import Figures
from bench.system import System, system

ENOUGH_SECONDS = 7200.0
_PROGRESS = "SELECT processed_lines, total_lines, status, rejected_lines FROM imports WHERE id = %s"


class Bench:
    """One run on one system."""

    def __init__(self, made: System, move: Move, kills: int) -> None:
        """Remember what to do."""
        self.system, self.move, self.kills = made, move, kills
        self.owner = made.owner()

    def ask(self, sql: str, *values: Any) -> Any:
        """Return the first column of the first row."""
        row = self.owner.execute(sql, values).fetchone()
        return None if row is None else next(iter(row.values()))

    def send(self, method: str, path: str, query: dict[str, str], body: bytes, kind: str) -> dict[str, Any]:
        """Send a request and return its answer."""
        headers = {"Authorization": f"Bearer {self.system.key}", "Content-Type": kind}
        url = f"http://127.0.0.1:{self.system.port}{path}?{urlencode(query)}".rstrip("?")
        asked = urllib.request.Request(url, body, headers, method=method)
        with urllib.request.urlopen(asked, timeout=60) as answer:
            return dict(json.load(answer))

    def run(self) -> dict[str, Figures]:
        """Import the three files; return how fast each was."""
        program_id = prepare(
            lambda path, body: self.send("POST", path, {}, json.dumps(body).encode(), "application/json")
        )
        self.system.start("worker", 2)
        self.system.start("scheduler")
        return {kind: self._import(kind, file_type, lines, program_id)
                for kind, file_type, lines in self.move.files()}

    def _import(self, kind: str, file_type: str, lines: Any, program_id: str) -> Figures:
        began = time.monotonic()
        import_id, size = upload(self.send, kind, file_type, lines, program_id)
        uploaded = time.monotonic()
        total = self.ask("SELECT total_lines FROM imports WHERE id = %s", import_id)
        for kill in range(self.kills):
            self._wait(import_id, total * (kill + 1) // (self.kills + 1))
            for pid in self.system.pids("worker"):
                os.killpg(pid, signal.SIGKILL)
        self._wait(import_id, total)
        read = time.monotonic()
        self.system.supervisor.watch(lambda: self.ask("SELECT count(*) FROM inbox") == 0, ENOUGH_SECONDS, 0.1)
        row: Any = self.owner.execute(_PROGRESS, (import_id,)).fetchone()
        if (row["status"], row["rejected_lines"]) != ("COMPLETED", self.move.bad(kind)):
            raise Failure(f"The import of {kind} ended wrongly: {row}\n{self.system.tails()}")
        ended = time.monotonic()
        print(f"{kind}: {total:,} lines in {ended - uploaded:.1f} s", file=sys.stderr)
        return {
            "lines": total, "bytes": size, "kills": self.kills, "bad_lines": row["rejected_lines"],
            "upload_seconds": round(uploaded - began, 1), "seconds": round(ended - uploaded, 1),
            "lines_per_second": round(total / (ended - uploaded)), "read_seconds": round(read - uploaded, 1),
        }

    def _wait(self, import_id: str, lines: int) -> None:
        def reached() -> bool:
            row: Any = self.owner.execute(_PROGRESS, (import_id,)).fetchone()
            return bool(row["processed_lines"] >= lines or row["status"] in ("COMPLETED", "FAILED"))

        if not self.system.supervisor.watch(reached, ENOUGH_SECONDS, 0.05):
            raise Failure(f"The import stands still.\n{self.system.tails()}")


def main(argv: list[str]) -> int:
    """Run on a system of its own and print the figures."""
    parser = ArgumentParser(prog="dev.py bench imports", description=__doc__)
    parser.add_argument("--people", type=int, default=100_000)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--kills", type=int, default=2)
    asked = parser.parse_args(argv)
    move = Move(asked.people, asked.events)
    with system(lambda text: print(text, file=sys.stderr)) as made:
        made.start("web")
        bench = Bench(made, move, asked.kills)
        figures = bench.run()
        organization_id = bench.ask("SELECT id FROM organizations")
        faults = move.faults(bench.ask, organization_id)
        print(json.dumps({"files": figures, "faults": faults}, indent=2))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
