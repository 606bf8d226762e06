"""Behind a backlog each step reads what it takes, not all there is."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest

from app import db
from app.domain.ids import highest_id
from app.flows.fan_out_outbox import fan_out
from app.settings import settings
from app.store import outbox, webhook_deliveries
from tests.api.client import Caller
from tests.webhooks.stage import endpoint, tell

MESSAGES = 30_000
TAKEN = 20
PAGES_MAX = 40 * TAKEN  # Of rows and indexes, to find, lock and change so many; there are many thousands.


class Looking:
    """A connection that tells how many pages a statement reads, and undoes it."""

    def __init__(self, c: db.Connection) -> None:
        self.c = c
        self.pages = 0
        self.rowcount = 0  # Of a deletion, which its caller asks for.

    def execute(self, sql: str, values: Any = None) -> "Looking":
        with self.c.transaction(force_rollback=True):
            row: Any = self.c.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {sql}", values).fetchone()
        plan = row["QUERY PLAN"][0]["Plan"]
        self.pages = plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]
        return self

    def fetchall(self) -> list[Any]:
        return []


@pytest.fixture
def looking(api: Caller) -> Iterator[Looking]:
    """Half of the messages are handed over and wait to be sent, half wait to be handed over."""
    for kind in ("http://127.0.0.1:9/one", "http://127.0.0.1:9/two"):
        endpoint(api, kind)
    tell(api, MESSAGES // 2)
    while fan_out():
        pass
    tell(api, MESSAGES // 2)
    with psycopg.connect(settings().migration_database_url, autocommit=True) as owner:
        owner.execute("ANALYZE outbox, outbox_pending, webhook_deliveries")
    with db.connection() as c:
        yield Looking(c)


def test_each_step_reads_what_it_takes(api: Caller, looking: Looking) -> None:
    first = UUID(api.get("/v1/webhook-endpoints").json["data"][0]["id"])
    now, lease = db.read_clock(looking.c), timedelta(seconds=30)
    later = highest_id(now + timedelta(days=1))
    steps: dict[str, Callable[[Any], Any]] = {
        "claimed": lambda c: webhook_deliveries.claim(c, {(api.organization_id, first): TAKEN}, now, lease),
        "handed over": lambda c: outbox.take(c, TAKEN),
        "trimmed": lambda c: webhook_deliveries.trim(c, later, TAKEN),
    }
    pages = {}
    for name, step in steps.items():
        step(looking)
        pages[name] = looking.pages
    assert {name: read for name, read in pages.items() if not 0 < read < PAGES_MAX} == {}
