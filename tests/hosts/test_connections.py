"""What a process does with its connections when the server behind them has gone."""

from contextlib import ExitStack

import psycopg
import pytest

from app import db
from tests.waiting import wait_until

WRITES = "?target_session_attrs=read-write"


@pytest.mark.parametrize(("hosts", "works", "lost"), [
    ("a:1,b:2", ("b,a", "2,1"), ("a,b", "1,2")), ("a:1,b:2,c:3", ("b,a,c", "2,1,3"), ("a,c,b", "1,3,2")),
    ("b:2,a:1", ("b,a", "2,1"), ("a,b", "1,2")), ("a,b:2", ("b,a", "2,5432"), ("a,b", "5432,2")),
    ("[fd00::1]:1,b:2", ("b,fd00::1", "2,1"), ("fd00::1,b", "1,2")),
    ("b:2", None, None), ("a:1,b:3", None, None),
])
def test_the_last_host_is_tried_first_while_it_works_and_at_the_end_when_it_was_lost(
    hosts: str, works: tuple[str, str] | None, lost: tuple[str, str] | None
) -> None:
    for is_lost, wanted in ((False, works), (True, lost)):
        found = db.hosts_in_order(f"postgresql://u:p@{hosts}/d{WRITES}", ("b", 2), is_lost)
        assert found == ({"host": wanted[0], "port": wanted[1]} if wanted else {})


def test_where_no_port_is_named_hosts_are_known_by_the_usual_one() -> None:
    assert db.hosts_in_order(f"postgresql://a,b/d{WRITES}", ("b", 5432), False)["host"] == "b,a"
    assert db.hosts_in_order(f"postgresql://a,b/d{WRITES}", ("b", 5433), False) == {}


def test_one_error_tells_of_the_loss_of_all_idle_connections(database: str) -> None:
    db.engine().dispose()
    with ExitStack() as stack:
        opened = [stack.enter_context(db.connection()) for _ in range(5)]
        pids = [one.info.backend_pid for one in opened]
    with psycopg.connect(database, autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(pid) FROM unnest(%s::int[]) AS pid", (pids,))
        wait_until(lambda: not other.execute(
            "SELECT 1 FROM pg_stat_activity WHERE pid = ANY(%s)", (pids,)
        ).fetchall(), "they are gone")
    with pytest.raises(psycopg.OperationalError), db.connection() as c:
        c.execute("SELECT 1")
    for _ in range(5):
        with db.connection() as c:
            assert c.execute("SELECT 1 AS one").fetchone() == {"one": 1}


def test_an_error_of_a_statement_leaves_the_idle_connections_alone(database: str) -> None:
    db.engine().dispose()
    with db.connection() as first, db.connection() as second:
        kept = {first.info.backend_pid, second.info.backend_pid}
    with pytest.raises(psycopg.errors.DivisionByZero), db.connection() as c:
        c.execute("SELECT 1 / 0")
    with db.connection() as first, db.connection() as second:
        assert {first.info.backend_pid, second.info.backend_pid} == kept


def test_the_server_looks_after_silent_clients(database: str) -> None:
    names = ("tcp_keepalives_idle", "tcp_keepalives_interval", "tcp_keepalives_count", "tcp_user_timeout")
    with db.connection() as c:
        told = [c.execute(f"SHOW {name}").fetchone() for name in names]  # type: ignore[arg-type]  # Ours.
    assert [row and row[name] for row, name in zip(told, names, strict=True)] == ["10", "3", "3", "15000"]
