"""Is the process alive, and is everything that it needs there? For supervisors and load balancers."""

from app.api.fields import Answer
from app.api.routing import Reply, Request, route


class Live(Answer):
    """The process answers."""

    status: str


@route("GET", "/health/live", summary="Liveness", tag="Health", responses={200: Live}, public=True)
def live(request: Request) -> Reply:
    """Say that the process answers requests; asks nothing of any other process."""
    return Reply(200, {"status": "ok"})
