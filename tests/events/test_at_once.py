"""Requests at once: one event for one key, one participant for one name, no order in which they can block."""

from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Barrier
from typing import Any

import pytest
from werkzeug.test import TestResponse

from app.api.application import Florin
from tests.api.client import Caller, walk
from tests.events.scene import PURCHASE, Scene, counter, credit, work

THREADS = 6  # Below the size of the connection pool, so that nobody waits for a connection.


@pytest.fixture
def at_once(application: Florin) -> Callable[[Scene, str, Iterable[Any]], list[TestResponse]]:
    """Send bodies from as many threads, all at the same moment."""

    def run(scene: Scene, path: str, given: Iterable[Any]) -> list[TestResponse]:
        bodies = list(given)
        start = Barrier(len(bodies))

        def one(body: Any) -> TestResponse:
            caller: Caller = replace(scene.api, http=application.test_client())
            start.wait(10)
            return caller.post(path, body)

        with ThreadPoolExecutor(len(bodies)) as threads:
            return list(threads.map(one, bodies))

    return run


AtOnce = Callable[[Scene, str, Iterable[Any]], list[TestResponse]]


@pytest.mark.parametrize("known", [False, True])
def test_one_key_sent_many_times_is_one_event(scene: Scene, at_once: AtOnce, known: bool) -> None:
    scene.rule(PURCHASE, credit("1"))
    if known:
        scene.run("hello", {"type": "hello"})
    for number in range(10):
        answers = at_once(scene, "/v1/events", [scene.body(f"k{number}")] * THREADS)
        assert {answer.status_code for answer in answers} == {202}
        assert len({answer.json["id"] for answer in answers}) == 1
        assert sum("Idempotency-Replayed" not in answer.headers for answer in answers) == 1
    work()
    assert scene.available() == "10.00"
    assert len(walk(scene.api, "/v1/participants")) == 1


def test_one_key_with_many_payloads_is_the_first_ones(scene: Scene, at_once: AtOnce) -> None:
    for number in range(10):
        bodies = [scene.body(f"k{number}", {"type": "x", "mine": mine}) for mine in range(THREADS)]
        codes = Counter(answer.status_code for answer in at_once(scene, "/v1/events", bodies))
        assert codes == {202: 1, 409: THREADS - 1}
    assert len(walk(scene.api, "/v1/events")) == 10


@pytest.mark.parametrize("known", [False, True])
def test_batches_with_the_same_items_in_other_orders_all_succeed(
    scene: Scene, at_once: AtOnce, known: bool
) -> None:
    scene.rule(PURCHASE, counter())
    names = [f"person-{number}" for number in range(20)]
    items = [scene.body(f"k-{name}", external_id=name) for name in names]
    if known:
        scene.api.post("/v1/events/batch", {"events": [
            scene.body(f"hello-{name}", {"type": "hello"}, external_id=name) for name in names
        ]})
    turned = [items[turn * 3:] + items[:turn * 3] for turn in range(THREADS)]
    answers = at_once(scene, "/v1/events/batch", [
        {"events": each if index % 2 else each[::-1]} for index, each in enumerate(turned)
    ])
    for answer in answers:
        assert (answer.status_code, answer.json["error_count"]) == (202, 0)
    work()
    for name in names:
        assert scene.shown(name)["counters"] == {"n": "1"}


def test_of_many_retries_one_is_taken(scene: Scene, at_once: AtOnce) -> None:
    rule = scene.rule(PURCHASE, {"type": "DEBIT", "amount": "1"})
    failed = scene.run()
    scene.api.patch(f"/v1/rules/{rule}", {"actions": [
        {"type": "CREDIT", "asset_id": scene.asset, "amount": "1"}]})
    answers = at_once(scene, f"/v1/events/{failed['id']}/retry", [None] * THREADS)
    assert Counter(answer.status_code for answer in answers) == {200: 1, 409: THREADS - 1}
    work()
    assert scene.available() == "1.00"


def test_many_participants_at_once_each_get_their_own_event(scene: Scene, at_once: AtOnce) -> None:
    scene.rule(PURCHASE, credit("event.amount"))
    names = [f"person-{number}" for number in range(THREADS)]
    for name in names:
        scene.send(f"hello-{name}", {"type": "hello"}, external_id=name)
    for turn in range(10):
        answers = at_once(scene, "/v1/events", [
            scene.body(f"{turn}-{name}", {"type": "purchase", "amount": index + 1}, external_id=name)
            for index, name in enumerate(names)
        ])
        assert [answer.json["external_id"] for answer in answers] == names
        assert [answer.json["idempotency_key"] for answer in answers] == [f"{turn}-{name}" for name in names]
    work()
    assert [scene.available(name) for name in names] == [f"{10 * (index + 1)}.00" for index in range(THREADS)]
