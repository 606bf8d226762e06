"""The actor that rolls up the sealed journal for reports when the scheduler rings."""

import dramatiq

from app.flows import report_rollups as flow
from app.queue import QUEUE, send


@dramatiq.actor(queue_name=QUEUE)
def roll_up_reports() -> None:
    """Roll up for a while; ring again where more is left."""
    if flow.run():
        send("roll_up_reports")
