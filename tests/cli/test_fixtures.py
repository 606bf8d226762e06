"""The fixtures that all tests stand on keep their promises."""

from uuid import uuid4

import psycopg
import pytest

from app.db import Connection, read_clock, transaction
from app.store import organizations


def _add(connection: Connection) -> None:
    organizations.insert(
        connection,
        organization_id=uuid4(),
        name="One",
        rate_limit_per_second=1,
        rate_limit_burst=1,
        now=read_clock(connection),
    )


@pytest.mark.parametrize("time", [1, 2])
def test_what_a_test_writes_on_its_connection_is_gone_for_the_next(connection: Connection, time: int) -> None:
    assert organizations.every(connection) == []
    _add(connection)
    assert len(organizations.every(connection)) == 1


@pytest.mark.parametrize("time", [1, 2])
def test_what_a_test_commits_is_gone_for_the_next_and_the_seed_rows_stay(database: str, time: int) -> None:
    with transaction() as opened:
        assert organizations.every(opened) == []
        _add(opened)
        opened.execute("SELECT read_clock()")
    with transaction() as opened:
        assert len(organizations.every(opened)) == 1


def test_the_product_does_not_own_its_tables(connection: Connection) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute("DROP TABLE organizations CASCADE")


def test_every_test_database_is_named_as_one(own_database: dict[str, str], database: str) -> None:
    assert own_database["DATABASE_URL"].endswith("_test")
    assert database.endswith("_test")
    assert own_database["DATABASE_URL"] != database
