"""The houses of the fault matrix, and the list of cells that this machine could not run."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

import pytest

from app.cli.datafolder import ROOT
from tests.faults.house import House, house_in
from tests.faults.proxy import Proxy, proxy_to
from tests.harness import Servers

REDIS_DATABASE = 6  # In the first one its workers would answer the bells of other tests.
FOLDER = ROOT / ".data" / "faults" / str(os.getpid())


@pytest.fixture(scope="package")
def house() -> Iterator[House]:
    """A system with servers of its own, all under supervision."""
    with house_in(FOLDER / "whole") as made:
        yield made


@dataclass(frozen=True)
class Network:
    """A system whose ways to PostgreSQL and to Redis lead through proxies."""

    house: House
    postgres: Proxy
    redis: Proxy


@pytest.fixture(scope="package")
def network(servers: Servers) -> Iterator[Network]:
    """A system on the tests' servers, reached through proxies."""
    name = servers.plan.name.removesuffix("_test") + "_faults_test"
    servers.copy(name)
    values = servers.plan.environment(name)
    owner, redis_url = values["MIGRATION_DATABASE_URL"], values["REDIS_URL"]
    redis_url = urlunsplit(urlsplit(redis_url)._replace(path=f"/{REDIS_DATABASE}"))
    with proxy_to(owner) as postgres, proxy_to(redis_url) as redis:
        values |= {
            "DATABASE_URL": postgres.address(values["DATABASE_URL"]), "REDIS_URL": redis.address(redis_url),
            "DIRECT_DATABASE_URL": owner, "DIRECT_REDIS_URL": redis_url,
        }
        with house_in(FOLDER / "network", values) as made:
            yield Network(made, postgres, redis)
    servers.drop(name)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name the cells that were not run, each with its reason."""
    for report in terminalreporter.getreports("skipped"):
        if "tests/faults" in report.nodeid and isinstance(report.longrepr, tuple):
            terminalreporter.write_line(f"NOT RUN: {report.nodeid}: {report.longrepr[2]}")
