"""The actor that audits a slice of the ledger when the scheduler rings."""

import dramatiq

from app.flows import audit as flow
from app.queue import QUEUE
from workers.background import upkeep


@dramatiq.actor(queue_name=QUEUE)
def audit_ledger() -> None:
    """Audit the slices whose turn it is."""
    upkeep.hand_over("audit_ledger", flow.run)
