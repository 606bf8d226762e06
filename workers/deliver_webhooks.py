"""The actor behind the webhooks' bell, and the pump that it wakes: one in each worker process."""

from functools import lru_cache
from typing import Any

import dramatiq

from app.flows.deliver_webhooks import Pump
from app.flows.send_webhook import Sender
from app.flows.webhook_addresses import Router
from app.flows.webhook_bell import heard
from app.queue import QUEUE
from app.settings import settings


@lru_cache(maxsize=1)
def pump() -> Pump:
    """Return the process's pump; made at the first bell, so never before a fork."""
    return Pump(Sender(Router(settings().webhook_allowed_networks)))


@dramatiq.actor(queue_name=QUEUE)
def deliver_webhooks() -> None:
    """Wake the pump and be free for events again; nothing here waits for a receiver."""
    heard()
    pump().wake()


class StopDelivering(dramatiq.Middleware):
    """Lets sends under way end before the process does."""

    def before_worker_shutdown(self, broker: dramatiq.Broker, worker: Any) -> None:
        """Stop the pump; bounded, so that an orderly stop stays one."""
        if pump.cache_info().currsize:
            pump().stop()
