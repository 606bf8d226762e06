"""Python's garbage collector, set for a process that makes many short-lived values and few cycles.

Measured on the main path: with the defaults more than half of the time of deciding, and a tenth of that of
accepting, went into walking live objects again and again; and a full walk of all that was loaded holds up
every thread of the process for some tens of milliseconds.
"""

import gc

THRESHOLDS = (50_000, 20, 100)  # With ten times as much, cycles of cursors kept a process at 370 MB.


def leave_loaded_alone() -> None:
    """Never walk again what is loaded now, and look for cycles rarely; called once, after the last fork."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
