"""Account numbers: no number is given out twice, whatever becomes of the transaction that needed it."""

from app.book.accounts import BLOCK, AccountNumbers, draw_block
from app.db import Connection


def test_numbers_of_a_block_follow_each_other_and_the_next_block_goes_on(connection: Connection) -> None:
    numbers = AccountNumbers()
    first, *others = numbers.ahead(connection, BLOCK + 1)
    assert others[: BLOCK - 1] == list(range(first + 1, first + BLOCK))
    assert others[-1] >= first + BLOCK


def test_a_block_is_on_disk_before_its_numbers_are_used(connection: Connection) -> None:
    """The server that crashes now must not draw it again, though nothing that used it is committed."""
    before = connection.execute("SELECT pg_current_wal_insert_lsn() AS at").fetchone()
    assert before is not None
    draw_block(connection)
    flushed = connection.execute(
        "SELECT pg_current_wal_flush_lsn() > %s::pg_lsn AS so", (before["at"],)
    ).fetchone()
    assert flushed == {"so": True}


def test_every_draw_waits_for_the_disk_even_where_the_sequence_writes_nothing(connection: Connection) -> None:
    """A sequence writes down 32 draws at once; what another process drew may still be on its way."""
    for _ in range(3):
        test_a_block_is_on_disk_before_its_numbers_are_used(connection)
