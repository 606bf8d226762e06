"""The database's door: one pool a process, short transactions, time-outs on every statement.

What lives here: connecting, transactions, reading the clock. SQL lives in app/store and app/book.
Functions there take a psycopg connection whose rows are dicts, and never commit.
"""

from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache, partial
from typing import Any
from uuid import UUID

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg.generators import send
from psycopg.rows import DictRow, dict_row
from psycopg.types.json import set_json_loads
from sqlalchemy import Engine, create_engine

from app.domain.json import loads
from app.settings import settings

Connection = psycopg.Connection[DictRow]
IDLE = psycopg.pq.TransactionStatus.IDLE

STATEMENT_TIMEOUT_SECONDS = 10  # Whatever takes longer is in trouble and must free its locks.
IDLE_TIMEOUT_SECONDS = 10  # A process that hangs inside a transaction frees its locks (design: protocol 6).
LOCK_TIMEOUT_SECONDS = 8

_OPTIONS = " ".join(
    f"-c {name}={value}"
    for name, value in {
        "statement_timeout": f"{STATEMENT_TIMEOUT_SECONDS}s",
        "lock_timeout": f"{LOCK_TIMEOUT_SECONDS}s",
        "idle_in_transaction_session_timeout": f"{IDLE_TIMEOUT_SECONDS}s",
        "plan_cache_mode": "force_generic_plan",
        # Generic plans are made once, often while a table is still small or never analyzed; a sequential
        # scan chosen then becomes quadratic as the table grows. Every statement of ours has its index.
        "enable_seqscan": "off",
        "jit": "off",
        "timezone": "UTC",
        # A host that was lost says no farewell. The server's own defaults keep its sessions for two hours,
        # and a few such losses would take every place.
        "tcp_keepalives_idle": 10,
        "tcp_keepalives_interval": 3,
        "tcp_keepalives_count": 3,
        "tcp_user_timeout": 15_000,
    }.items()
)

set_json_loads(loads)


def connect_arguments() -> dict[str, Any]:
    """Return what every connection is opened with: options, keep-alives, and dicts for rows."""
    return {
        "options": _OPTIONS,
        "connect_timeout": 5,
        # A server whose host was lost is given up after eight seconds: until then a worker cannot turn to its
        # replica. One that is only slow is not meant, for its kernel answers.
        "tcp_user_timeout": 8_000,
        "keepalives_idle": 4,
        "keepalives_interval": 2,
        "keepalives_count": 2,
        "prepare_threshold": None if settings().pgbouncer else 2,
        "row_factory": dict_row,
    }


@dataclass(slots=True)
class _Last:
    """The host that this process was connected to last, and whether a connection to it broke since."""

    place: tuple[str, int] | None = None
    lost: bool = False


_last = _Last()


def _connect(arguments: dict[str, Any]) -> Connection:
    hosts = hosts_in_order(settings().database_url, _last.place, _last.lost)
    made = psycopg.connect(settings().database_url, **arguments, **hosts)
    _last.place, _last.lost = (made.info.host, made.info.port), False
    return made


def hosts_in_order(url: str, last: tuple[str, int] | None, lost: bool) -> dict[str, Any]:
    """Return `host` and `port` for an address with several hosts: the last one first, or at the end if lost.

    Empty where there is nothing to order. A lost host that swallows packets costs five seconds each time it
    is tried; one that waits to be promoted says at once that it only reads.
    """
    parts = conninfo_to_dict(url)
    hosts, ports = str(parts["host"]).split(","), str(parts.get("port") or "").split(",")
    if len(ports) == 1:
        ports *= len(hosts)
    places = [(host, int(port or 5432)) for host, port in zip(hosts, ports, strict=True)]
    if len(places) == 1 or last not in places:
        return {}
    places.sort(key=lambda place: (place == last) is lost)
    return {"host": ",".join(host for host, _ in places), "port": ",".join(str(port) for _, port in places)}


@lru_cache(maxsize=1)
def engine() -> Engine:
    """Return the process's pool; made at first use, so never before a fork."""
    arguments = connect_arguments()
    return create_engine(
        "postgresql+psycopg://",
        # The address is libpq's to read: SQLAlchemy knows no list of hosts, of which one is written to.
        creator=lambda: _connect(arguments),
        pool_size=settings().database_pool_size,
        max_overflow=4,
        pool_timeout=5,
        pool_recycle=1800,
        # SQLAlchemy's own first queries expect tuples for rows; ours are dicts, and it runs no query here.
        _initialize=False,
        # Transactions are opened and ended here, by psycopg; SQLAlchemy only keeps the pool.
        pool_reset_on_return=None,
    )


@contextmanager
def connection() -> Iterator[Connection]:
    """Lend a connection in autocommit mode; a broken one does not return and takes the idle with it.

    Nor does one in the middle of a transaction, whose end itself was interrupted.
    """
    pool = engine().pool
    pooled = pool.connect()
    raw: Connection = pooled.driver_connection  # type: ignore[assignment]  # The pool is told no type.
    lost = False
    try:
        if not raw.autocommit:
            raw.autocommit = True
        yield raw
    except psycopg.OperationalError:
        lost = True
        raise
    finally:
        broken = raw.closed or raw.broken
        if lost or broken or raw.pgconn.transaction_status != IDLE:
            pooled.invalidate()
        pooled.close()
        # Its server has probably gone: each of those that lie idle would cost a caller an error to find out.
        if broken and engine().pool is pool:
            _last.lost = True
            engine().dispose()


@contextmanager
def transaction() -> Iterator[Connection]:
    """Run a block in one READ COMMITTED transaction; committed at its end, undone by any exception."""
    with connection() as raw, raw.transaction():
        yield raw


class Gathered(psycopg.Pipeline):
    """A pipeline that sends what was executed together with the next fetch, in one go.

    psycopg's own sends each statement at once and polls twice for it, which wakes the server for each: in a
    short operation that is a fifth of the client's CPU. libpq sends by itself what exceeds 8 KiB, so the
    server still works on the first statements of a large batch while the later ones are rendered.

    It leans on three inner methods of psycopg, whose version is pinned; tests/book/test_pipelined.py holds
    what they are leaned on for.
    """

    after_commit: bytes | None = None  # A command for `pipelined_on` to send behind the COMMIT that it sends.

    def _communicate_gen(self) -> Generator[Any, Any, None]:
        """Hand the statements over to libpq, which keeps them; nothing is waited for."""
        while self.command_queue:
            self.command_queue.popleft()()
        yield from ()

    def _fetch_gen(self, *, flush: bool) -> Generator[Any, Any, None]:
        """Send all that was kept, whatever it is that is waited for."""
        return super()._fetch_gen(flush=True)

    def _exit_gen(self) -> Generator[Any, Any, None]:
        """End with a Sync, which the server answers unasked; psycopg's own asks again, in a packet apart."""
        try:
            self._enqueue_sync()
            yield from self._communicate_gen()
        finally:
            yield from send(self.pgconn)
            yield from super()._fetch_gen(flush=False)

    def tell(self, command: bytes) -> None:
        """Queue a command without parameters or rows; its error shows at the next fetch or at the end.

        A cursor for BEGIN or COMMIT would cost as much as one for a statement.
        """
        self.command_queue.append(partial(self.pgconn.send_query_params, command, None))
        self.result_queue.append(None)


@contextmanager
def gathered(raw: Connection) -> Iterator[Gathered]:
    """Run a block in a pipeline in which statements travel together and only a fetch waits for the server."""
    assert raw._pipeline is None, "a pipeline within a pipeline"
    # Connection.pipeline() enters the one that is there already.
    raw._pipeline = pipeline = Gathered(raw)
    try:
        with raw.pipeline():
            yield pipeline
    finally:
        raw._pipeline = None  # It is still there where a lost connection could not be entered.


@contextmanager
def pipelined() -> Iterator[Connection]:
    """Run a block in one READ COMMITTED transaction in which only a fetch waits for the server.

    BEGIN and COMMIT travel with the statements beside them. For the short operations that answer in a request
    this is most of their time: a nested `transaction` and `pipeline` wait for an answer of their own at each
    end. A statement's error shows at the next fetch or at the end, and its `rowcount` after a fetch only.
    """
    with connection() as raw, pipelined_on(raw):
        yield raw


@contextmanager
def pipelined_on(raw: Connection) -> Iterator[Gathered]:
    """Do the same on a connection that is at hand; yields the pipeline."""
    try:
        with gathered(raw) as pipeline:
            pipeline.tell(b"BEGIN")
            yield pipeline
            pipeline.tell(b"COMMIT")
            if pipeline.after_commit is not None:
                # Not run where something before it went wrong: a pipeline skips all behind a failure.
                pipeline.tell(pipeline.after_commit)
    except BaseException:
        if not raw.closed:
            raw.rollback()
        raise


def id_array(ids: Iterable[UUID]) -> str:
    """Return ids as the text of an array, for `%s::uuid[]`; psycopg renders lists in Python, one by one."""
    return "{" + ",".join([one.hex for one in ids]) + "}"


def limited(sql: str, rows: int) -> str:
    """Write a number of rows into the text of a statement, in the place of each $limit.

    A limit that is a parameter the planner takes for a tenth of all rows; what is joined to those it then
    reads from one end to the other, for each batch of some hundreds.
    """
    return sql.replace("$limit", f"{rows:d}")


def read_clock(connection: Connection) -> datetime:
    """Return the system's time, UTC: the database's clock, moved ahead under a test clock.

    Call it after the locks are held: what is read then is later than anything the locked rows tell of.
    """
    row = connection.execute("SELECT read_clock() AS now").fetchone()
    assert row is not None
    now: datetime = row["now"]
    return now
