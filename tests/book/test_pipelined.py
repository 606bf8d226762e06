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
