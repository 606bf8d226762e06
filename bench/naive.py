"""The naive design, measured: a message for each waiting event, then workers that take one at a time."""

import importlib
import time

from app.cli import procfile
from app.cli.datafolder import ROOT
from app.cli.failure import Failure
from app.cli.supervise import Line
from bench.measures import Figures, Stage, accept_batches
from bench.system import wait_for

PROCESSES, THREADS = 2, 4
SECONDS_MAX = 600.0


def measure(stage: Stage, events: int) -> Figures:
    """Drain a backlog this way."""
    # Imported late: it reads the addresses of the system while it is imported, as a worker does.
    worker = importlib.import_module("bench.naive_worker")
    accept_batches(stage, events)
    rows = stage.owner.execute("SELECT event_seq, organization_id FROM inbox ORDER BY position").fetchall()
    system = stage.system
    for row in rows:
        worker.process.send(row["event_seq"], str(row["organization_id"]))
    line = Line(
        name="naive", folder=ROOT, log=system.folder.logs / "naive.log",
        environ=procfile.environment({**system.values, "dramatiq_queue_prefetch": "100"}),
        argv=["dramatiq", "bench.naive_worker", "--processes", str(PROCESSES), "--threads", str(THREADS),
              "--queues", worker.QUEUE],
    )
    system.add([line])
    first = rows[0]["event_seq"]
    decided = "SELECT count(*) FROM decisions WHERE event_seq >= %s"
    if not wait_for(lambda: int(stage.one(decided, first)) > 0, 60.0):
        raise Failure(f"The naive workers decide nothing.\n{system.tails()}")
    before, already, begun = stage.meter.read(), int(stage.one(decided, first)), time.monotonic()
    if not wait_for(lambda: not stage.waiting(), SECONDS_MAX, 0.05):
        raise Failure("The naive workers did not finish in time.")
    seconds, done = time.monotonic() - begun, len(rows) - already
    cost = stage.meter.since(before)
    system.stop("naive")
    return {"events": done, "events_per_second": round(done / seconds), **cost.per_event(done)}
