"""Request ids: `req_` and 32 hexadecimal digits, or a well-formed one that the client chose."""

import os
import random
import re

_WELL_FORMED = re.compile(r"req_[A-Za-z0-9_-]{8,64}", re.ASCII)

# An id need be unique, not unguessable; to ask the system for each would let other threads go first.
_random = random.Random()
os.register_at_fork(after_in_child=_random.seed)


def request_id_of(offered: str | None) -> str:
    """Return the client's request id where it is well-formed, else a new one."""
    if offered is not None and _WELL_FORMED.fullmatch(offered):
        return offered
    return f"req_{_random.getrandbits(128):032x}"
