"""Pages of events and of the journal while a writer adds, decides and removes: none skipped, none twice."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest

from tests.api.client import Caller, new_caller, walk
from tests.events.scene import Scene, open_scene, work
from tests.harness import Servers

START = "2026-03-01T12:00:00Z"
ROWS = pytest.mark.parametrize("rows", [700, pytest.param(10_000, marks=pytest.mark.nightly)])
_GONE = """
WITH gone AS (DELETE FROM events WHERE idempotency_key = %s RETURNING organization_id, seq),
    entries AS (
        DELETE FROM journal_entries j USING gone
        WHERE j.organization_id = gone.organization_id AND j.event_seq = gone.seq RETURNING j.id
    )
DELETE FROM postings p USING entries WHERE p.entry_id = entries.id
"""


@pytest.fixture
def scene(api: Caller) -> Scene:
    return open_scene(api)


@pytest.fixture
def superuser(servers: Servers) -> Iterator[psycopg.Connection[Any]]:
    """Who can remove what is never removed: rows of events and of the journal."""
    with psycopg.connect(servers.plan.owner_url(servers.plan.name), autocommit=True) as opened:
        opened.execute("SET session_replication_role = replica")
        yield opened


@contextmanager
def disturbed(step: Callable[[int], None]) -> Iterator[list[int]]:
    """Take steps in a thread of its own as long as the block lasts; yields the number of steps taken."""
    stop, taken, failed = threading.Event(), [0], []

    def run() -> None:
        try:
            while not stop.is_set():
                taken[0] += 1
                step(taken[0])
        except Exception as error:
            failed.append(error)

    writer = threading.Thread(target=run)
    writer.start()
    try:
        yield taken
    finally:
        stop.set()
        writer.join()
    assert failed == []


def _fill(scene: Scene, rows: int) -> list[str]:
    """Accept and decide so many events, half of them of one participant; return their keys."""
    keys = [f"stay-{number:05}" for number in range(rows)]
    for start in range(0, rows, 100):
        events = [
            scene.body(key, external_id="ann" if number % 2 else f"p{number % 50}",
                       event_timestamp=f"2026-03-01T12:{number % 60:02}:00Z")
            for number, key in enumerate(keys[start : start + 100], start)
        ]
        answer = scene.api.post("/v1/events/batch", {"events": events})
        assert answer.json["error_count"] == 0
    work()
    return keys


def _writer(scene: Scene, superuser: psycopg.Connection[Any]) -> Callable[[int], None]:
    """Return a step: new events before, among and behind the others; every second one goes away again."""
    other = Caller(scene.api.http.application.test_client(), scene.api.organization_id, scene.api.key)

    def step(number: int) -> None:
        key = f"come-{number:05}"
        body = scene.body(key, external_id="ann", event_timestamp=f"2026-03-01T{11 + number % 3}:30:00Z")
        assert other.post("/v1/events", body).status_code == 202
        if number % 4:
            work()
        if number % 2:
            superuser.execute(_GONE, (key,))

    return step


@ROWS
def test_events_that_stay_appear_exactly_once_while_others_come_and_go(
    scene: Scene, superuser: psycopg.Connection[Any], rows: int
) -> None:
    keys = _fill(scene, rows)
    person = scene.person("ann")
    queries: list[tuple[dict[str, Any], list[str]]] = [
        ({}, keys),
        ({"sort_dir": "asc", "program_id": scene.program}, keys),
        ({"sort_by": "event_timestamp"}, keys),
        ({"sort_by": "event_timestamp", "sort_dir": "asc"}, keys),
        ({"sort_by": "status"}, keys),
        ({"status": "COMPLETED"}, keys),
        ({"participant_id": person, "event_from": START}, keys[1::2]),
    ]
    with disturbed(_writer(scene, superuser)) as taken:
        for query, wanted in queries:
            found = [row["idempotency_key"] for row in walk(scene.api, "/v1/events", limit=37, **query)]
            if query != {"sort_by": "status"}:  # An event that is decided meanwhile has two places there.
                assert len(found) == len(set(found)), query
            assert sorted(key for key in found if key.startswith("stay-")) == wanted, query
        assert taken[0] >= len(queries)


@ROWS
def test_entries_that_stay_appear_exactly_once_while_others_come_and_go(
    scene: Scene, superuser: psycopg.Connection[Any], rows: int
) -> None:
    scene.rule("true", {"type": "CREDIT", "amount": "1"})
    _fill(scene, rows)
    path = "/v1/journal-entries"
    stay = {row["id"] for row in walk(scene.api, path, limit=200)}
    assert len(stay) == rows
    person = scene.person("ann")
    history = f"/v1/participants/{person}/activity/history"
    with disturbed(_writer(scene, superuser)) as taken:
        for query in ({}, {"program_id": scene.program}, {"action_type": "CREDIT"}):
            found = [row["id"] for row in walk(scene.api, path, limit=37, **query)]
            assert len(found) == len(set(found)), query
            assert stay <= set(found), query
        found = [row["journal_entry_id"] for row in walk(scene.api, history, limit=37)]
        assert len(found) == len(set(found))
        assert len(stay & set(found)) == rows // 2
        assert taken[0] >= 4
    stranger = new_caller(scene.api.http)
    assert walk(stranger, path) == walk(stranger, "/v1/events") == []
