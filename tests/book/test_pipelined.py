"""The transaction in which only a fetch waits: all of it or nothing, whenever its error shows."""

from pathlib import Path

import psycopg
import pytest

from app import db
from app.book import read
from app.domain.errors import InsufficientFunds
from app.domain.ids import new_id
from app.ledger.accounts import AccountKey
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


def test_the_clock_comes_with_the_accounts_and_without_any(shop: Shop) -> None:
    shop.give("5")
    unknown = AccountKey(shop.api.organization_id, new_id(), new_id())
    with db.pipelined() as c:
        before = db.read_clock(c)
        rows = c.execute("SELECT organization_id, owner_id, asset_id FROM accounts WHERE id > 0").fetchall()
        keys = [AccountKey(row["organization_id"], row["owner_id"], row["asset_id"]) for row in rows]
        found, now = read.read_accounts_and_clock(read.start_accounts_and_clock(c, [*keys, unknown]))
        assert found == read.accounts(c, keys)
        assert len(found) == len(keys) > 0
        for nobody in ([unknown], []):
            assert read.read_accounts_and_clock(read.start_accounts_and_clock(c, nobody))[0] == {}
        after = db.read_clock(c)
    assert before < now < after


def test_the_end_asks_for_the_answers_once(shop: Shop, tmp_path: Path) -> None:
    """A Sync does; a request to flush behind it would be a packet of its own."""
    trace = tmp_path / "trace"
    with db.connection() as c, trace.open("wb") as file:
        c.pgconn.trace(file.fileno())
        with db.pipelined_on(c):
            c.execute(_GIVE)
        c.pgconn.untrace()
    told = trace.read_text(encoding="utf-8")
    assert told.count("Sync") == 1
    assert "Flush" not in told


def test_a_connection_in_the_middle_of_a_transaction_is_not_lent_again(shop: Shop) -> None:
    """As a thread leaves it that is interrupted while it ends its transaction."""
    shop.give("5")
    with db.connection() as c:
        left = c.info.backend_pid
        c.execute("BEGIN")
        c.execute(_GIVE)
    with db.connection() as c:
        assert c.info.backend_pid != left
        assert c.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
    assert shop.balance()["available"] == "5.00"
