"""Dramatiq actors: take an id, call one flow. Loaded by `dramatiq workers`; messages never carry data."""

from importlib import import_module
from pkgutil import iter_modules

import dramatiq.worker

from app.observe import configure_logging
from app.queue import broker as _broker

# Where Redis was away for a moment, a thread that had finished its message slept five seconds before it told
# so, and no other message ran in it. Dramatiq has no setting for this.
ACK_AGAIN_SECONDS = 1
dramatiq.worker.POST_PROCESS_MESSAGE_RETRY_DELAY_SECS = ACK_AGAIN_SECONDS

configure_logging()
broker = _broker()

# Actors register with the broker that is set, so every file here is imported after it was made.
for _module in iter_modules(__path__):
    import_module(f"workers.{_module.name}")

from workers.background import StopBackground  # noqa: E402  # After the broker.
from workers.collection import Collection  # noqa: E402  # After the broker.
from workers.deliver_webhooks import StopDelivering  # noqa: E402  # After the broker.
from workers.heartbeat import Heartbeat  # noqa: E402  # After the broker.
from workers.signals import StopOnce  # noqa: E402  # After the broker.

broker.add_middleware(Collection())
broker.add_middleware(Heartbeat())
broker.add_middleware(StopOnce())
broker.add_middleware(StopBackground())
broker.add_middleware(StopDelivering())
