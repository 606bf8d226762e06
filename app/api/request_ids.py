"""Request ids: `req_` and 32 hexadecimal digits, or a well-formed one that the client chose."""

import random
import re

_WELL_FORMED = re.compile(r"req_[A-Za-z0-9_-]{8,64}", re.ASCII)


def request_id_of(offered: str | None) -> str:
    """Return the client's request id where it is well-formed, else a new one."""
    if offered is not None and _WELL_FORMED.fullmatch(offered):
        return offered
    # It need be unique, not unguessable; asking the system for randomness would yield to other threads.
    return f"req_{random.getrandbits(128):032x}"
