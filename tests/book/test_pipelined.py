"""The transaction in which only a fetch waits: all of it or nothing, whenever its error shows."""

import psycopg
import pytest

from app import db
from app.domain.errors import InsufficientFunds
from tests.book.conftest import Shop

_TAKE = "UPDATE accounts SET available = available - 100 WHERE owner_type = 'PARTICIPANT'"
_GIVE = "UPDATE accounts SET available = available + 1 WHERE owner_type = 'PARTICIPANT'"


def test_it_commits_what_it_ran(shop: Shop) -> None:
    shop.give("5")
    with db.pipelined() as c:
        c.execute(_GIVE)
    assert shop.balance()["available"] == "6.00"


@pytest.mark.parametrize("fetches", [False, True])
def test_an_error_of_the_database_undoes_all_of_it(shop: Shop, fetches: bool) -> None:
    """Shown by the next fetch where there is one, else by the end, and never by the next who connects."""
    shop.give("5")

    def run() -> None:
        with db.pipelined() as c:
            c.execute(_GIVE)
            c.execute(_TAKE)
            if fetches:
                db.read_clock(c)

    with pytest.raises(psycopg.errors.CheckViolation):
        run()
    with db.connection() as c:
        assert c.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
        assert c.info.pipeline_status == psycopg.pq.PipelineStatus.OFF
    assert shop.balance()["available"] == "5.00"


def test_a_refusal_undoes_what_was_sent_before_it(shop: Shop) -> None:
    shop.give("5")

    def run() -> None:
        with db.pipelined() as c:
            c.execute(_GIVE)
            raise InsufficientFunds

    with pytest.raises(InsufficientFunds):
        run()
    assert shop.balance()["available"] == "5.00"


def test_statements_are_kept_until_something_is_fetched(shop: Shop, owner_connection: db.Connection) -> None:
    """They travel together: the server has heard of none of them before the fetch, and of all with it."""
    shop.give("5")

    def last_heard(pid: int) -> object:
        owner_connection.execute("SELECT pg_stat_clear_snapshot()")
        asked = "SELECT query FROM pg_stat_activity WHERE pid = %s"
        row = owner_connection.execute(asked, (pid,)).fetchone()
        return row and row["query"]

    with db.connection() as c:
        c.execute("SELECT 'before'")
        with db.pipelined_on(c):
            c.execute(_GIVE)
            c.execute(_GIVE)
            for _ in range(20):
                assert last_heard(c.info.backend_pid) == "SELECT 'before'"
            db.read_clock(c)
            assert last_heard(c.info.backend_pid) == "SELECT read_clock() AS now"
    assert shop.balance()["available"] == "7.00"


def test_more_than_fits_a_buffer_goes_through_in_both_directions(shop: Shop) -> None:
    """Neither side waits for the other: 400 statements of 64 kB each, and as much in answers."""
    text = "x" * 65_000
    with db.pipelined() as c:
        told = [c.execute("SELECT %s::text AS text, %s::integer AS n", (text, n)) for n in range(400)]
        clock = db.read_clock(c)
        found = [cursor.fetchone() for cursor in told]
    assert clock is not None
    assert found == [{"text": text, "n": n} for n in range(400)]


def test_two_transactions_travel_in_one_pipeline(shop: Shop) -> None:
    """What was committed before an error stays, as the mark of a worker must."""
    shop.give("5")

    def run() -> None:
        with db.connection() as c, db.pipelined_on(c) as pipeline:
            c.execute(_GIVE)
            pipeline.tell(b"COMMIT AND CHAIN")
            c.execute(_GIVE)
            c.execute(_TAKE)

    with pytest.raises(psycopg.errors.CheckViolation):
        run()
    assert shop.balance()["available"] == "6.00"


def test_a_command_that_is_wrong_shows_as_a_statement_does(shop: Shop) -> None:
    def run() -> None:
        with db.connection() as c, db.pipelined_on(c) as pipeline:
            c.execute(_GIVE)
            pipeline.tell(b"COMMIT AND STAY")

    shop.give("5")
    with pytest.raises(psycopg.errors.SyntaxError):
        run()
    assert shop.balance()["available"] == "5.00"


def test_what_a_lost_connection_leaves_is_nothing(shop: Shop, owner_connection: db.Connection) -> None:
    shop.give("5")

    def run() -> None:
        with db.pipelined() as c:
            c.execute(_GIVE)
            owner_connection.execute("SELECT pg_terminate_backend(%s)", (c.info.backend_pid,))
            db.read_clock(c)

    with pytest.raises(psycopg.OperationalError):
        run()
    assert shop.balance()["available"] == "5.00"
