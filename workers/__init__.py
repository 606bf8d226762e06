"""Dramatiq actors: take an id, call one flow. Loaded by `dramatiq workers`; messages never carry data."""

from app.observe import configure_logging
from app.queue import broker as _broker

configure_logging()
broker = _broker()

from workers import process_events  # noqa: E402, F401 -- actors register with the broker made above.
from workers.collection import Collection  # noqa: E402
from workers.heartbeat import Heartbeat  # noqa: E402
from workers.signals import StopOnce  # noqa: E402

broker.add_middleware(Collection())
broker.add_middleware(Heartbeat())
broker.add_middleware(StopOnce())
