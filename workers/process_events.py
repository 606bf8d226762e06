"""The actor behind the bell: drains partitions of waiting events."""

import dramatiq

from app.flows import drain as flow
from app.queue import QUEUE, bell_key, client, ring_now


@dramatiq.actor(queue_name=QUEUE)
def drain(partitions: list[int] | None = None, full: bool = False, partition: int | None = None) -> None:
    """Work off partitions for a while; ring again those where work is left or that somebody else holds.

    A release before named a single `partition`: such a message may still be under way.
    """
    wanted = partitions or ([] if partition is None else [partition])
    # Taken away before the first look: whoever commits from now on rings anew.
    client().delete(*map(bell_key, wanted))
    for again in flow.drain(wanted, full=full):
        ring_now(again)
