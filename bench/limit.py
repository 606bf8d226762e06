"""The SQL limit: pgbench runs the write set of accept and of process, and nothing else costs anything.

The statements stand in bench/sql. The figures are what the product's are divided by.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg

from app.cli.failure import Failure
from app.cli.servers_binaries import postgres_binaries
from app.domain.json import dumps
from app.flows import drain, ingest
from bench.cost import Meter
from bench.system import System
from bench.workload import Workload

SQL = Path(__file__).parent / "sql"
CLIENTS = 2  # One for each core; more add nothing (measured).
ACCEPT_BATCH = 100
Figures = dict[str, Any]
PARTITIONS = 64

_SAMPLES = """
SELECT e.event_data, d.evaluations, d.inputs, h.changes, o.data AS message, d.ruleset_version,
    (SELECT rule_id FROM journal_entries j WHERE j.event_seq = e.seq LIMIT 1) AS rule_id
FROM events e
JOIN decisions d ON d.organization_id = e.organization_id AND d.event_seq = e.seq
JOIN state_history h ON h.organization_id = e.organization_id AND h.event_seq = e.seq
LEFT JOIN outbox o ON o.organization_id = e.organization_id AND o.participant_id = e.participant_id
WHERE e.program_id = %s ORDER BY e.seq DESC LIMIT 1
"""


class Limit:
    """pgbench on the system's database, with functions that hold the write set."""

    def __init__(self, system: System, owner: "psycopg.Connection[Any]", work: Workload) -> None:
        """Let the product decide one event, copy its documents, and make the functions of bench/sql."""
        found = shutil.which("pgbench") or str(postgres_binaries() / "pgbench")
        if not Path(found).exists():
            raise Failure("There is no pgbench on this machine (apt-get install postgresql-contrib).")
        self.done = 0
        self._program, self._system, self._owner, self._work = found, system, owner, work
        ingest.accept(work.organization_id, list(work.submissions(1, seed=0)))
        drain.exhaust(range(PARTITIONS))
        sample = owner.execute(_SAMPLES, (work.program_id,)).fetchone()
        assert sample is not None
        values: dict[str, Any] = {
            "organization_id": work.organization_id, "program_id": work.program_id,
            "asset_id": work.asset_id, "rule_id": sample["rule_id"], "version": sample["ruleset_version"],
            **{name: None if sample[name] is None else dumps(sample[name]) for name in (
                "event_data", "evaluations", "inputs", "changes", "message"
            )},
        }
        with psycopg.ClientCursor(owner) as cursor:
            cursor.execute((SQL / "limit.sql").read_text(encoding="utf-8"), values)
        owner.execute("VACUUM ANALYZE bench_people, bench_documents")

    def accept(self, events: int, batch: int = ACCEPT_BATCH) -> float:
        """Events stored a second, in transactions of `batch`."""
        return self._run(["-f", str(SQL / "accept.sql"), "-t", str(_turns(events, batch))], n=batch) * batch

    def process(self, events: int, batch: int) -> float:
        """Events decided a second; `fill` makes the backlog beforehand."""
        turns = max(1, events // batch // CLIENTS)
        before = self.waiting()
        rate = self._run(["-f", str(SQL / "process.sql"), "-t", str(turns)], batch=batch, turn=0)
        # The last turn at a partition finds less than a batch: what counts is what was deleted.
        self.done = before - self.waiting()
        return rate * self.done / (turns * CLIENTS)

    def mix(self, seconds: int, batch: int) -> float:
        """Events stored and decided a second, both at once, in equal numbers; from a small backlog."""
        self.fill(PARTITIONS * batch)
        before = self.waiting(), self._stored()
        weights = [f"{SQL / 'accept.sql'}@{batch}", "-f", f"{SQL / 'process.sql'}@{ACCEPT_BATCH}"]
        self._run(["-f", *weights, "-T", str(seconds)], n=ACCEPT_BATCH, batch=batch, turn=0)
        stored = self._stored() - before[1]
        decided = stored + before[0] - self.waiting()
        self.drop_backlog()
        return min(stored, decided) / seconds

    def fill(self, events: int) -> None:
        """Put events into the inbox, as many in each partition as chance will have it."""
        thousands = max(1, events // 1000)
        self._owner.execute("SELECT bench_accept(1000) FROM generate_series(1, %s)", (thousands,))
        self._owner.execute("VACUUM ANALYZE inbox")

    def waiting(self) -> int:
        """How many events wait."""
        return self._count("SELECT count(*) AS n FROM inbox")

    def _stored(self) -> int:
        return self._count("SELECT last_value AS n FROM event_seq")

    def drop_backlog(self) -> None:
        """Forget what still waits: the next figure starts from an empty inbox."""
        self._owner.execute("TRUNCATE inbox")

    def _count(self, statement: str) -> int:
        row = self._owner.execute(statement).fetchone()
        assert row is not None
        return int(row["n"])

    def _run(self, arguments: list[str], **values: int) -> float:
        settings = [part for name, value in values.items() for part in ("-D", f"{name}={value}")]
        done = subprocess.run(
            [self._program, "-n", "-M", "prepared", "-c", str(CLIENTS), "-j", str(CLIENTS),
             "-D", f"clients={CLIENTS}", *settings, *arguments,
             self._system.values["MIGRATION_DATABASE_URL"]],
            env={**os.environ, "PGOPTIONS": "-c plan_cache_mode=force_generic_plan -c jit=off"},
            capture_output=True, text=True, check=False,
        )
        found = re.search(r"tps = ([\d.]+)", done.stdout)
        if done.returncode or not found:
            raise Failure(f"pgbench failed: {done.stderr.strip()[-500:]}")
        return float(found.group(1))


def _turns(events: int, batch: int) -> int:
    return max(1, events // batch // CLIENTS)


def cost_of(meter: Meter, events: Callable[[], int], action: Callable[[], float]) -> Figures:
    """Run an action that returns a rate; return it with what each of so many events cost."""
    before = meter.read()
    rate = action()
    return {"events_per_second": round(rate), **meter.since(before).per_event(events())}
