"""The garbage collector's settings in each worker process (app/collection.py)."""

import dramatiq

from app.collection import leave_loaded_alone


class Collection(dramatiq.Middleware):
    """Leaves what was loaded at the start alone."""

    def after_process_boot(self, broker: dramatiq.Broker) -> None:
        """Set the collector in each worker process, after its fork."""
        leave_loaded_alone()
