"""Fixtures for tests that touch SQL or Redis. Pure tests need none of them, and start no server.

Which one to take: `connection` for SQL on one connection (rolled back, the fastest); `database` for code that
opens its own connections (emptied afterwards); `own_database` for a whole system beside the other tests.
"""

import os
from collections.abc import Iterator

import psycopg
import pytest
import redis
from psycopg.rows import dict_row

from app.db import Connection, connect_arguments, engine
from app.settings import settings
from tests.harness import Plan, RefusedError, Servers

PLAN = pytest.StashKey[Plan]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Offer the tests that take too long for every run."""
    parser.addoption("--nightly", action="store_true", help="run the long tests too")


def pytest_configure(config: pytest.Config) -> None:
    """Point the settings at the servers of the tests before any module is imported."""
    try:
        plan = Plan.of_environment()
    except RefusedError as error:
        raise pytest.UsageError(str(error)) from None
    config.stash[PLAN] = plan
    for name in ("BOOTSTRAP_API_KEY", "CLOCK_OFFSET", "PORT", "HOST", "PGBOUNCER", "DATA_DIR"):
        os.environ.pop(name, None)
    os.environ.update(plan.environment(plan.name))
    settings.cache_clear()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the nightly tests out unless they are asked for."""
    if not config.getoption("--nightly"):
        chosen = [item for item in items if item.get_closest_marker("nightly") is None]
        config.hook.pytest_deselected(items=[item for item in items if item not in chosen])
        items[:] = chosen


@pytest.fixture(scope="session")
def servers(pytestconfig: pytest.Config) -> Iterator[Servers]:
    """PostgreSQL and Valkey with a migrated database; started once, at the first use."""
    started = Servers(pytestconfig.stash[PLAN])
    yield started
    engine().dispose()
    started.stop()


@pytest.fixture
def connection(servers: Servers) -> Iterator[Connection]:
    """A connection of the product's role inside a transaction that is undone at the end of the test."""
    url = servers.plan.app_url(servers.plan.name)
    opened = psycopg.connect(url, autocommit=True, **connect_arguments())
    with opened, opened.transaction(force_rollback=True):
        yield opened


@pytest.fixture
def owner_connection(servers: Servers) -> Iterator[Connection]:
    """The same for the owner of the tables, for tests of what even the owner may not do."""
    url = servers.plan.owner_url(servers.plan.name)
    opened = psycopg.connect(url, autocommit=True, row_factory=dict_row)
    with opened, opened.transaction(force_rollback=True):
        yield opened


@pytest.fixture
def database(servers: Servers) -> Iterator[str]:
    """The database behind `app.db`, empty but for what migrations insert, and emptied again; its address."""
    yield servers.plan.app_url(servers.plan.name)
    servers.empty()


@pytest.fixture
def own_database(servers: Servers) -> Iterator[dict[str, str]]:
    """A migrated database of the test's own; the settings under which processes work on it."""
    name = servers.plan.name.removesuffix("_test") + "_own_test"
    servers.copy(name)
    yield servers.plan.environment(name)
    servers.drop(name)


@pytest.fixture
def redis_client(servers: Servers) -> Iterator["redis.Redis[bytes]"]:
    """A client of the tests' Redis, which is emptied afterwards."""
    with redis.Redis.from_url(servers.plan.redis_url) as client:
        client.flushdb()
        yield client
        client.flushdb()
