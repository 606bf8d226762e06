"""Two threads of each worker process beside Dramatiq's, which stay free for live events.

One is for what time made due: a turn of a lane takes half a second. One is for upkeep: a roll-up that has to
catch up takes many. In Dramatiq's threads two such jobs were enough to occupy a process, and the bells of
live events that it had fetched already waited for their ends.
What lives here: who runs when in a process. What is due, and ringing again for the rest, is the jobs'.
"""

import threading
from collections.abc import Callable
from typing import Any

import dramatiq
import structlog

STOP_SECONDS = 14.0  # Of each; together they stay within what Dramatiq gives its own threads.

log = structlog.get_logger("background")


class Background:
    """Runs jobs one after another in a thread of its own; one that waits already is not taken twice.

    A job that runs may be handed over once more: what it was rung for may have come after its last look.
    Jobs that still wait when the process stops are dropped: the scheduler rings for them again.
    """

    def __init__(self) -> None:
        """Start idle; the thread begins with the first job, so never before a fork."""
        self._changed = threading.Condition()
        self._waiting: dict[str, Callable[[], object]] = {}
        self._stopped = False
        self._thread: threading.Thread | None = None

    def hand_over(self, name: str, job: Callable[[], object]) -> None:
        """Have a job run soon; returns at once. `name` says which jobs are the same one."""
        with self._changed:
            if self._stopped:
                return
            self._waiting.setdefault(name, job)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="background", daemon=True)
                self._thread.start()
            self._changed.notify()

    def tell_to_stop(self) -> None:
        """Have it take no further job."""
        with self._changed:
            self._stopped = True
            self._waiting.clear()
            self._changed.notify()

    def stop(self) -> None:
        """Take no further job, and wait for the one in hand."""
        self.tell_to_stop()
        if self._thread is not None:
            self._thread.join(STOP_SECONDS)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._stopped)
                if self._stopped:
                    return
                name = next(iter(self._waiting))
                job = self._waiting.pop(name)
            try:
                job()
            except Exception as error:
                # A lost connection, a deadlock, a bug: its transaction is undone, the scheduler rings again.
                log.error("background_job_failed", job=name, exc_info=error)


due_work, upkeep = Background(), Background()


class StopBackground(dramatiq.Middleware):
    """Lets the jobs in hand end before the process does."""

    def before_worker_shutdown(self, broker: dramatiq.Broker, worker: Any) -> None:
        """Stop; bounded, so that an orderly stop stays one."""
        due_work.tell_to_stop()
        upkeep.tell_to_stop()
        due_work.stop()
        upkeep.stop()
