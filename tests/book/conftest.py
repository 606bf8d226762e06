"""A shop over HTTP whose journal is sealed, and a superuser who tampers with it."""

import os
from collections.abc import Callable

import psycopg
import pytest
from psycopg.rows import dict_row

from app.flows import seal, verify
from app.settings import settings
from tests.api.conftest import api, application, http
from tests.api_balances.conftest import Shop, funded_shop, lot_shop, shop
from tests.harness import Servers

__all__ = ["Shop", "api", "application", "funded_shop", "http", "lot_shop", "shop"]

CONNECTIONS = 32

# The pool is made once in a run, at its first use; thirty-two threads shall not queue for its connections.
os.environ["DATABASE_POOL_SIZE"] = str(CONNECTIONS)
settings.cache_clear()

Tamper = Callable[[str], None]


@pytest.fixture
def tamper(servers: Servers, database: str) -> Tamper:
    """Run SQL as the owner of the tables with all triggers off, as a superuser could."""

    def run(sql: str) -> None:
        url = servers.plan.owner_url(servers.plan.name)
        with psycopg.connect(url, autocommit=True, row_factory=dict_row) as c:
            c.execute("SET session_replication_role = replica")
            c.execute(sql)

    return run


def seal_everything() -> None:
    """Seal until nothing settled is left."""
    while seal.run():
        pass


def violations() -> dict[str, list[str]]:
    """Return what verify finds, by check: the examples as text; checks that hold are left out."""
    return {
        checked.name: [f"{example.subject}: {example.detail}" for example in checked.examples]
        for checked, _ in verify.run() if checked.violations
    }
