"""Request logs, usage and HTTP metrics: noted in memory by the request, written by a thread in batches.

Written within two seconds as a rule. A request pays one append. The queue is bounded: what does not fit is
dropped, and told by the metrics and the process's log, because logs must never slow or stop the business.
Secrets are removed before anything is written.
"""

import json
import re
import secrets
import threading
import time
from collections import defaultdict, deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import psycopg
import sqlalchemy.exc

from app.api import bodies
from app.api.measures import Measures
from app.db import read_clock, transaction
from app.domain.errors import DomainError
from app.domain.ids import MICROSECOND, TimeOrdered
from app.observe import count, log
from app.queue import client
from app.store import request_logs, usage
from app.store.request_logs import LogRow

QUEUE_MAX = 20_000
BATCH_MAX = 1000
# A flush takes some milliseconds of a process that answers requests meanwhile: seldom where little happens,
# and before a batch is long where much does.
FLUSH_SECONDS = 2.0
FLUSH_COUNT = 400
# The interpreter takes turns every 5 ms, and a request needs several: so the writer rests between a few rows.
# Not where much happens: there rests cost a tenth of all requests, for every thread wants each turn.
ROWS_BETWEEN_RESTS = 5
REST_SECONDS = 0.0003
BODY_BYTES_MAX = 16 * 1024
TEXT_LENGTH_MAX = 2000

_SECRETS = re.compile(r"\b(sk|whsec)_[A-Za-z0-9+/=_-]{8,}")
_SECRET_FIELDS = re.compile(
    r'"(password|secret|previous_secret|token|api_key|authorization)"\s*:\s*("(?:[^"\\]|\\.)*"|[^,}\]\s]+)',
    re.IGNORECASE,
)
# What a text must hold for one of the expressions to match: looking for these first is ten times cheaper.
_HINTS = ("sk_", "whsec_", "password", "secret", "token", "api_key", "authorization")
_REMOVED = "[removed]"


@dataclass(frozen=True, slots=True)
class Noted:
    """One finished request, as cheaply as it can be kept."""

    organization_id: UUID
    api_key_id: UUID
    request_id: str
    method: str
    path: str
    route_pattern: str | None
    status: int
    seconds: float
    error_code: str | None
    finished: float
    request_body: bytes
    response_body: bytes
    address: str | None
    user_agent: str | None
    events: int


class Recorder:
    """Collects finished requests and writes them behind their backs; one a process."""

    def __init__(self, measures: Measures) -> None:
        """Nothing is started before the first request, so that a fork before it is harmless."""
        self._queue: deque[Noted] = deque()
        self._measures = measures
        self._wake = threading.Event()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._stopping = False
        self._latest = datetime.min.replace(tzinfo=UTC)
        self._dropped = 0
        self._told = 0  # How many of those were told.

    def note(self, noted: Noted) -> None:
        """Keep a finished request for the next batch."""
        if self._thread is None:
            self._start()
        if len(self._queue) >= QUEUE_MAX:
            self._dropped += 1
            return
        self._queue.append(noted)
        if len(self._queue) == FLUSH_COUNT:
            self._wake.set()

    def flush(self) -> None:
        """Write everything that is waiting; what the database refuses is dropped and told."""
        with self._lock:
            while self._queue:
                batch = [self._queue.popleft() for _ in range(min(BATCH_MAX, len(self._queue)))]
                self._write(batch)
            self._tell_dropped()
            self._measures.flush()

    def stop(self) -> None:
        """Write what is left and end the thread."""
        self._stopping = True
        self._wake.set()
        if self._thread is not None:
            self._thread.join(timeout=5)

    def _start(self) -> None:
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        while not self._stopping:
            self._wake.wait(FLUSH_SECONDS)
            self._wake.clear()
            try:
                self.flush()
            except Exception as error:
                log("recorder").error("flush failed", error=repr(error))

    def _write(self, batch: list[Noted]) -> None:
        try:
            self._latest = write(batch, self._latest)
        except (psycopg.Error, sqlalchemy.exc.SQLAlchemyError) as error:
            unreachable = isinstance(error, psycopg.OperationalError | sqlalchemy.exc.SQLAlchemyError)
            if len(batch) > 1 and not unreachable:
                # One row that the database refuses must not cost its neighbours.
                for each in batch:
                    self._write([each])
                return
            self._dropped += len(batch)
            log("recorder").warning("request logs refused", count=len(batch), error=type(error).__name__)

    def _tell_dropped(self) -> None:
        new = self._dropped - self._told
        if new:
            self._told += new
            log("recorder").warning("request logs dropped", count=new)
            count(client(), request_logs_dropped=new)


def write(batch: Sequence[Noted], after: datetime) -> datetime:
    """Write a batch: the logs, the usage of the day, and when each key was last used.

    Returns the time of the last row. Rows are later than `after`, that of the batch before: the clock of the
    database and ours are not read at once, and a pause in between must not turn two requests around.
    """
    with transaction() as c:
        # No request waits for the disk behind its neighbours' logs; a crash may cost the last seconds'.
        c.execute("SET LOCAL synchronous_commit = off")
        now = read_clock(c)
        here = time.monotonic()
        entropy = secrets.randbits(40)
        rows: list[LogRow] = []
        for index, each in enumerate(batch):
            after = max(after + MICROSECOND, now - timedelta(seconds=here - each.finished))
            rows.append(_row(each, after, (entropy + index) % (1 << 40)))
            if len(batch) < FLUSH_COUNT and index % ROWS_BETWEEN_RESTS == ROWS_BETWEEN_RESTS - 1:
                time.sleep(REST_SECONDS)  # Requests that are being answered go first.
        request_logs.insert(c, rows)
        counts: dict[tuple[UUID, date], list[float]] = defaultdict(lambda: [0, 0, 0.0, 0])
        keys: dict[UUID, set[UUID]] = defaultdict(set)
        for each, row in zip(batch, rows, strict=True):
            sums = counts[each.organization_id, row.created_at.date()]
            sums[0] += 1
            sums[1] += each.status >= 400
            sums[2] += each.seconds * 1000
            sums[3] += each.events
            keys[each.organization_id].add(each.api_key_id)
        # Sorted, so that two processes meet on the rows of organizations in one order.
        for (organization_id, day), sums in sorted(counts.items(), key=str):
            usage.add(
                c, organization_id, day, requests=int(sums[0]), errors=int(sums[1]), latency_ms=sums[2],
                events=int(sums[3]),
            )
        for organization_id, used in sorted(keys.items()):
            request_logs.note_key_use(c, organization_id, sorted(used), now)
    return after


def _row(noted: Noted, at: datetime, entropy: int) -> LogRow:
    return LogRow(
        organization_id=noted.organization_id, id=TimeOrdered(at, entropy).next(),
        request_id=noted.request_id, method=noted.method, path=_clean(noted.path)[:TEXT_LENGTH_MAX],
        route_pattern=noted.route_pattern,
        status_code=noted.status, duration_ms=round(noted.seconds * 1000), error_code=noted.error_code,
        auth_type="api_key", created_at=at, request_body=body_text(noted.request_body),
        response_body=answer_text(noted.response_body), ip_address=noted.address,
        user_agent=None if noted.user_agent is None else _clean(noted.user_agent)[:TEXT_LENGTH_MAX],
    )


def body_text(raw: bytes) -> str | None:
    """Return a request's body as JSON text without secrets; what is not a JSON object becomes a text."""
    if not raw:
        return None
    if len(raw) <= BODY_BYTES_MAX and raw[:1] == b"{":
        try:
            bodies.parse(raw)
        except DomainError:
            pass
        else:
            return without_secrets(raw.decode())
    return _as_text(raw)


def answer_text(raw: bytes) -> str | None:
    """Return our own answer as JSON text without secrets; a long one, or a page, becomes `{"text": …}`."""
    if not raw:
        return None
    if len(raw) <= BODY_BYTES_MAX and raw[:1] == b"{":
        return without_secrets(raw.decode())
    return _as_text(raw)


def _as_text(raw: bytes) -> str:
    cut = raw[:BODY_BYTES_MAX].decode("utf-8", "replace")
    return json.dumps({"text": _clean(without_secrets(cut)), "truncated": len(raw) > BODY_BYTES_MAX})


def without_secrets(text: str) -> str:
    """Return a JSON text in which keys, secrets and passwords are blanked out."""
    lowered = text.lower()
    if not any(hint in lowered for hint in _HINTS):
        return text
    return _SECRETS.sub(_REMOVED, _SECRET_FIELDS.sub(rf'"\1":"{_REMOVED}"', text))


def _clean(text: str) -> str:
    printable = text.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()
    return _SECRETS.sub(_REMOVED, printable)


