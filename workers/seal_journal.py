"""The actor that seals journal entries when the scheduler rings."""

import dramatiq

from app.flows import seal as flow
from app.queue import QUEUE, send
from workers.background import upkeep


@dramatiq.actor(queue_name=QUEUE)
def seal_journal() -> None:
    """Seal for a while; ring again where more is left."""
    upkeep.hand_over("seal_journal", _run)


def _run() -> None:
    if flow.run():
        send("seal_journal")
