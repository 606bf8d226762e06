"""Lists over a table of many events: what a page reads of it, whatever is asked for."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

import psycopg
import pytest

from app import db
from app.db import Connection
from app.domain.names import EventStatus, EventType
from app.store import event_lists
from app.store.event_lists import Filter
from app.store.pages import Page
from tests.events.scene import PURCHASE, Scene, credit
from tests.harness import Servers

EVENTS = 30_000
ROWS_MAX = 2_000  # Read of the table for a page of 50, in bitmaps and nested loops too.

# Copies of one event and its decision, as long ago as they are many, out of order by up to an hour.
COPY_EVENTS = """
INSERT INTO events (organization_id, seq, id, program_id, event_type, participant_id, external_id,
    idempotency_key, event_timestamp, created_at, event_data, partition)
SELECT organization_id, nextval('event_seq'), gen_random_uuid(), program_id, 'EXTERNAL', participant_id,
    external_id, 'copy ' || n, created_at - n * interval '1 minute' - n %% 60 * interval '1 minute',
    created_at, event_data, partition
FROM events, generate_series(1, %(events)s) n
"""
COPY_DECISIONS = """
INSERT INTO decisions (organization_id, event_seq, commit_order, status, decided_at, ruleset_version,
    evaluations, inputs)
SELECT d.organization_id, e.seq, 10000000 + e.seq, 'COMPLETED', d.decided_at, d.ruleset_version,
    d.evaluations, d.inputs
FROM decisions d, events e WHERE e.idempotency_key LIKE 'copy %'
"""


class Explaining:
    """A connection that notes how many events each statement read before it runs it."""

    def __init__(self, c: Connection) -> None:
        self.c = c
        self.read = 0

    def transaction(self) -> Any:
        return self.c.transaction()

    def execute(self, sql: str, parameters: Any = None) -> Any:
        if sql.lstrip().startswith("SELECT"):
            row: Any = self.c.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}", parameters).fetchone()
            for node in nodes(row["QUERY PLAN"][0]["Plan"]):
                # The look ahead for rare matches walks the index alone.
                if node.get("Relation Name") == "events" and node["Node Type"] != "Index Only Scan":
                    passed = node["Actual Rows"] + node.get("Rows Removed by Filter", 0)
                    self.read += int(passed * node["Actual Loops"])
        return self.c.execute(sql, parameters)


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield a plan's nodes."""
    yield plan
    for inner in plan.get("Plans", ()):
        yield from nodes(inner)


@pytest.fixture
def many(scene: Scene, servers: Servers) -> Scene:
    """One event that matched a rule, and copies of it."""
    scene.rule(PURCHASE, credit("1"))
    scene.run("first")
    with psycopg.connect(servers.plan.owner_url(servers.plan.name), autocommit=True) as owner:
        owner.execute(COPY_EVENTS, {"events": EVENTS})
        owner.execute(COPY_DECISIONS)
        owner.execute("VACUUM ANALYZE events, decisions")
    return scene


def test_a_page_reads_little_of_a_long_table_in_either_order(many: Scene) -> None:
    """The order by event_timestamp used to read and sort all of it."""
    rule = UUID(many.api.get("/v1/rules").json["data"][0]["id"])
    with db.connection() as c:
        for sort_by in ("created_at", "event_timestamp"):
            for descending in (True, False):
                order = event_lists.order(sort_by, descending=descending)
                for wanted in (
                    Filter(), Filter(program_id=UUID(many.program)), Filter(rule_id=rule),
                    Filter(status=EventStatus.COMPLETED), Filter(event_type=EventType.EXTERNAL),
                ):
                    watched: Any = Explaining(c)
                    page = Page(50)
                    for _ in range(2):
                        found = event_lists.page(watched, many.api.organization_id, order, page, wanted)
                        assert len(found.rows) == 50
                        page = Page(50, found.next)
                    assert watched.read < ROWS_MAX, (sort_by, descending, wanted)
