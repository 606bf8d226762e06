"""The actor behind a lane's bell: works off what time has made due."""

import dramatiq

from app.flows import lanes
from app.flows.due import STEPS
from app.flows.lanes import Lane
from app.queue import QUEUE, client
from workers.background import due_work


@dramatiq.actor(queue_name=QUEUE)
def work_off(lane: str) -> None:
    """Work off a lane for a while; ring again where more is due."""
    found = Lane(lane)
    due_work.hand_over(f"work_off:{found}", lambda: _run(found))


def _run(lane: Lane) -> None:
    # Taken away before the first look: whoever commits from now on rings anew.
    client().delete(lanes.bell_key(lane))
    if lanes.run(lane, STEPS[lane]):
        lanes.ring(lane)
