"""Dramatiq actors: take an id, call one flow. Loaded by `dramatiq workers`; messages never carry data."""

from importlib import import_module
from pkgutil import iter_modules

from app.observe import configure_logging
from app.queue import broker as _broker

configure_logging()
broker = _broker()

# Actors register with the broker that is set, so every file here is imported after it was made.
for _module in iter_modules(__path__):
    import_module(f"workers.{_module.name}")

from workers.collection import Collection  # noqa: E402  # As said above.
from workers.deliver_webhooks import StopDelivering  # noqa: E402  # As said above.
from workers.heartbeat import Heartbeat  # noqa: E402  # As said above.
from workers.signals import StopOnce  # noqa: E402  # As said above.

broker.add_middleware(Collection())
broker.add_middleware(Heartbeat())
broker.add_middleware(StopOnce())
broker.add_middleware(StopDelivering())
