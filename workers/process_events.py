"""The actor behind the bell: drains one partition of waiting events."""

import dramatiq

from app.flows import drain as flow
from app.queue import QUEUE, bell_key, client, ring_now


@dramatiq.actor(queue_name=QUEUE)
def drain(partition: int, full: bool = False) -> None:
    """Work off a partition for a while; ring again where work is left or somebody else holds it."""
    # Taken away before the first look: whoever commits from now on rings anew.
    client().delete(bell_key(partition))
    if flow.drain(partition, full=full):
        ring_now([partition])
