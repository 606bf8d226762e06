"""Makes a worker process count several stop signals as one.

Dramatiq takes the second signal as "stop now" and cuts off the batch in hand. But the second one usually is
an echo of the first: the parent forwards it, while a terminal, honcho or a hosting company signals every
process. Whoever really wants to end a worker at once sends SIGKILL.
"""

import signal
from types import FrameType
from typing import Any

import dramatiq

STOPS = (signal.SIGTERM, signal.SIGHUP)


class StopOnce(dramatiq.Middleware):
    """Lets the first stop signal through to Dramatiq and no other."""

    def __init__(self) -> None:
        """Start with no signal seen."""
        self._stopped = False

    def after_process_boot(self, broker: dramatiq.Broker) -> None:
        """Take the place of Dramatiq's handlers, which are in force by now."""
        for number in STOPS:
            forward = signal.getsignal(number)
            if not callable(forward):
                continue

            def once(received: int, frame: FrameType | None, forward: Any = forward) -> None:
                if not self._stopped:
                    self._stopped = True
                    forward(received, frame)

            signal.signal(number, once)
