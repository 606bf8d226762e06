"""Rings where webhooks are due: retries, lost bells, leases of dead workers, circuits that may be probed."""

from app.flows import deliver_webhooks
from app.flows.webhook_bell import ring_now
from scheduler.duty import Duty


def run_once() -> bool:
    """Ring where something could be sent now; returns whether it rang."""
    if due := deliver_webhooks.work_waits():
        ring_now()
    return due


DUTY = Duty("deliver_webhooks", 1.0, run_once)
