"""The actor behind a lane's bell: works off what time has made due."""

import dramatiq

from app.flows import lanes
from app.flows.due import STEPS
from app.flows.lanes import Lane
from app.queue import QUEUE, client


@dramatiq.actor(queue_name=QUEUE)
def work_off(lane: str) -> None:
    """Work off a lane for a while; ring again where more is due."""
    found = Lane(lane)
    # Taken away before the first look: whoever commits from now on rings anew.
    client().delete(lanes.bell_key(found))
    if lanes.run(found, STEPS[found]):
        lanes.ring(found)
