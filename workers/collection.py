"""How the interpreter is set in each worker process: its garbage collector, and how threads take turns."""

import sys

import dramatiq

from app.collection import leave_loaded_alone

# A worker's threads are few, and one of them may work on a whole window of a broadcast while another has a
# live event in hand, which comes back from the database several times: with Python's 5 ms it waited as long
# each time. A web process keeps those: many threads, all busy, took turns so often that it served less.
SWITCH_SECONDS = 0.0005


class Collection(dramatiq.Middleware):
    """Leaves what was loaded at the start alone, and has threads take turns often."""

    def after_process_boot(self, broker: dramatiq.Broker) -> None:
        """Set both in each worker process, after its fork."""
        sys.setswitchinterval(SWITCH_SECONDS)
        leave_loaded_alone()
