"""The bell of a partition: one message is under way for each, however many commits ring."""

import json
from typing import Any

from app.queue import BELL_MILLISECONDS, QUEUE, bell_key, client, ring_now


def sent(redis_client: Any) -> list[tuple[int, bool]]:
    """The partitions of the messages that wait, and whether each is for a full drain."""
    messages = [json.loads(raw)["kwargs"] for raw in redis_client.hvals(f"florin:dramatiq:{QUEUE}.msgs")]
    return sorted((each["partition"], each["full"]) for each in messages)


def test_only_bells_that_are_silent_send_a_message(redis_client: Any) -> None:
    client.cache_clear()
    ring_now([])
    assert sent(redis_client) == []
    ring_now([3, 1, 3])
    ring_now([2, 3, 63], full=True)
    assert sent(redis_client) == [(1, False), (2, True), (3, False), (63, True)]
    redis_client.delete(bell_key(3))
    ring_now(range(4))
    assert sent(redis_client) == [(0, False), (1, False), (2, True), (3, False), (3, False), (63, True)]


def test_a_bell_that_nobody_heard_falls_silent(redis_client: Any) -> None:
    client.cache_clear()
    ring_now([5])
    assert 0 < redis_client.pttl(bell_key(5)) <= BELL_MILLISECONDS


def test_a_script_that_the_server_forgot_is_sent_again(redis_client: Any) -> None:
    client.cache_clear()
    ring_now([1])
    redis_client.script_flush()
    ring_now([1, 2])
    assert sent(redis_client) == [(1, False), (2, False)]
