"""The actor that posts expiries and maturities when the scheduler rings."""

import dramatiq

from app.book.due import DueKind
from app.flows import post_due_lots as flow
from app.queue import QUEUE, send
from workers.background import due_work


@dramatiq.actor(queue_name=QUEUE)
def post_due_lots(kind: str) -> None:
    """Work off what is due for a while; ring again where more is left."""
    due = DueKind(kind)
    due_work.hand_over(f"post_due_lots:{due}", lambda: _run(due))


def _run(kind: DueKind) -> None:
    if flow.run(kind):
        send("post_due_lots", kind=kind)
