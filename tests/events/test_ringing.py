"""The bell of a partition: one message is under way for each, however many commits ring."""

import json
from typing import Any

import pytest

from app.queue import BELL_MILLISECONDS, QUEUE, TOGETHER_MAX, bell_key, client, ring_now
from tests.events.scene import Scene
from workers.process_events import drain


def sent(redis_client: Any) -> list[tuple[list[int], bool]]:
    """The partitions of each message that waits, and whether it is for a full drain."""
    messages = [json.loads(raw)["kwargs"] for raw in redis_client.hvals(f"florin:dramatiq:{QUEUE}.msgs")]
    return sorted((each["partitions"], each["full"]) for each in messages)


def test_only_bells_that_are_silent_send_a_message(redis_client: Any) -> None:
    client.cache_clear()
    ring_now([])
    assert sent(redis_client) == []
    ring_now([3, 1, 3])
    ring_now([2, 3, 63], full=True)
    assert sent(redis_client) == [([1, 3], False), ([2, 63], True)]
    redis_client.delete(bell_key(3))
    ring_now(range(4))
    assert sent(redis_client) == [([0, 3], False), ([1, 3], False), ([2, 63], True)]


def test_a_message_names_a_few_partitions_and_each_as_many(redis_client: Any) -> None:
    client.cache_clear()
    ring_now(range(TOGETHER_MAX + 2))
    assert sent(redis_client) == [([0, 2, 4, 6, 8], False), ([1, 3, 5, 7, 9], False)]


@pytest.mark.usefixtures("one_partition")
@pytest.mark.parametrize("named", [{"partitions": [7]}, {"partition": 7}])
def test_a_message_of_the_release_before_is_understood(scene: Scene, named: dict[str, Any]) -> None:
    event = scene.send()
    drain(**named)
    assert scene.event(event["id"])["status"] == "COMPLETED"


@pytest.mark.usefixtures("database")
def test_the_bells_of_a_message_are_silent_before_its_work(redis_client: Any) -> None:
    client.cache_clear()
    ring_now([4, 5, 6])
    drain([4, 5])
    assert [redis_client.exists(bell_key(place)) for place in (4, 5, 6)] == [0, 0, 1]


def test_a_bell_that_nobody_heard_falls_silent(redis_client: Any) -> None:
    client.cache_clear()
    ring_now([5])
    assert 0 < redis_client.pttl(bell_key(5)) <= BELL_MILLISECONDS


def test_a_script_that_the_server_forgot_is_sent_again(redis_client: Any) -> None:
    client.cache_clear()
    ring_now([1])
    redis_client.script_flush()
    ring_now([1, 2])
    assert sent(redis_client) == [([1], False), ([2], False)]
