"""The actor that rolls up the sealed journal for reports when the scheduler rings."""

import dramatiq

from app.flows import report_rollups as flow
from app.queue import QUEUE, send
from workers.background import upkeep


@dramatiq.actor(queue_name=QUEUE)
def roll_up_reports() -> None:
    """Roll up for a while; ring again where more is left."""
    upkeep.hand_over("roll_up_reports", _run)


def _run() -> None:
    if flow.run(flow.YOUNG):
        send("roll_up_reports")
