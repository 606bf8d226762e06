"""The actor that seals journal entries when the scheduler rings."""

import dramatiq

from app.flows import seal as flow
from app.queue import QUEUE, send


@dramatiq.actor(queue_name=QUEUE)
def seal_journal() -> None:
    """Seal for a while; ring again where more is left."""
    if flow.run():
        send("seal_journal")
