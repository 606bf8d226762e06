"""Where the CPU goes: the top functions of the worker and of the API, the top statements of PostgreSQL.

Worker and API are sampled inside this process (bench/sampling), running the very flow and the very WSGI
application; PostgreSQL counts its own statements.
"""

import io
import json
import re
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from app.api import create_app
from app.cli.failure import Failure
from app.domain.ids import PARTITIONS
from app.flows import drain
from bench.load import batches
from bench.measures import BATCH, Stage
from bench.sampling import Samples, sampled

TOP = 5
Entries = list[tuple[str, float]]
DRAIN = "app/flows/drain:drain"

_STATEMENTS = """
SELECT query, total_exec_time / sum(total_exec_time) OVER () AS share FROM pg_stat_statements
ORDER BY 2 DESC LIMIT %s
"""


def measure(stage: Stage, events: int, folded: Path | None = None) -> dict[str, Entries]:
    """Accept and decide so many events here, watched; the worker's stacks go into the file `folded`."""
    app = create_app()
    requests = [request.partition(b"\r\n\r\n")[2] for request in batches(
        stage.work.bodies(events, stage.next_seed()), stage.system.key, BATCH
    )]
    with _statements(stage) as accepting, sampled() as api:
        for body in requests:
            _call(app, "/v1/events/batch", body, stage.system.key)
    one = [json.dumps(body).encode() for body in stage.work.bodies(events // 20, stage.next_seed())]
    with sampled() as single:
        for body in one:
            _call(app, "/v1/events", body, stage.system.key)
    with _statements(stage) as deciding, sampled() as worker:
        drain.exhaust(range(PARTITIONS))
    if folded is not None:
        folded.write_text(_folded(worker), encoding="utf-8")
    return {
        "API, batches": api.top(TOP), "API, single events": single.top(TOP), "worker": worker.top(TOP),
        "worker, by stage": _stages(worker), "PostgreSQL, accepting": accepting,
        "PostgreSQL, deciding": deciding,
    }


def _folded(worker: Samples) -> str:
    """A line for each stack from `drain` on: its functions joined by semicolons, and how often it was met."""
    lines: Counter[str] = Counter()
    for stack, hits in worker.stacks.items():
        if DRAIN in stack:
            lines[";".join(stack[stack.index(DRAIN):])] += hits
    return "".join(f"{line} {hits}\n" for line, hits in sorted(lines.items()))


def _stages(worker: Samples) -> Entries:
    """The share of the steps of the protocol, what they call included."""
    steps = ("app/store/inbox:claim", "app/flows/gather:gather", "app/engine/decide:decide",
             "app/flows/record:write")
    return [(step, worker.all[step] / max(worker.total, 1)) for step in steps]


@contextmanager
def _statements(stage: Stage) -> Iterator[Entries]:
    """Fill a list with the costliest statements of a block."""
    found: Entries = []
    stage.owner.execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
    _track(stage, "top")
    stage.owner.execute("SELECT pg_stat_statements_reset()")
    yield found
    for row in stage.owner.execute(_STATEMENTS, (TOP,)).fetchall():
        found.append((_short(row["query"]), float(row["share"])))
    _track(stage, "none")


def _track(stage: Stage, what: str) -> None:
    stage.owner.execute(f"ALTER SYSTEM SET pg_stat_statements.track = '{what}'")
    stage.owner.execute("SELECT pg_reload_conf()")
    time.sleep(0.3)  # The server tells its processes in its own time.


def _short(query: str) -> str:
    """The verb and the tables of a statement."""
    text = " ".join(query.split())
    writes = re.findall(r"(INSERT INTO|UPDATE|DELETE FROM) (\w+)", text)
    if writes:
        return ", ".join(dict.fromkeys(f"{verb} {table}" for verb, table in writes if table != "SET"))
    tables = re.findall(r"(?:FROM|JOIN) (?!jsonb?_|\()(\w+)", text)
    if not tables or text.startswith("COPY"):
        return text[:60]
    lock = " FOR NO KEY UPDATE" if "FOR NO KEY" in text else ""
    return "SELECT " + ", ".join(dict.fromkeys(tables)) + lock


def _call(app: Any, path: str, body: bytes, key: str) -> None:
    """One request through the WSGI application, without a socket."""
    environ = {
        "REQUEST_METHOD": "POST", "PATH_INFO": path, "QUERY_STRING": "", "SERVER_NAME": "bench",
        "SERVER_PORT": "80", "SERVER_PROTOCOL": "HTTP/1.1", "REMOTE_ADDR": "127.0.0.1",
        "CONTENT_TYPE": "application/json", "CONTENT_LENGTH": str(len(body)),
        "HTTP_AUTHORIZATION": f"Bearer {key}", "wsgi.version": (1, 0), "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(body), "wsgi.errors": sys.stderr, "wsgi.multithread": True,
        "wsgi.multiprocess": True, "wsgi.run_once": False,
    }
    statuses: list[str] = []
    answer = b"".join(app(environ, lambda status, headers, error=None: statuses.append(status)))
    if not statuses[0].startswith("202"):
        raise Failure(f"{path} answered {statuses[0]}: {answer[:300]!r}")
