"""The leader lease: of several schedulers one works, the others idle and take over when it stops renewing."""

import os
import secrets
import socket
from datetime import timedelta

from app import db

LEASE = timedelta(seconds=6)  # A killed leader is replaced within this and one renewal.
RENEW_SECONDS = 2.0

# The clock here is the database's own, not the system's: a test clock must not make leases run out.
_TAKE = """
INSERT INTO leaders AS l (duty, holder, renewed_at) VALUES ('scheduler', %(me)s, clock_timestamp())
ON CONFLICT (duty) DO UPDATE SET holder = excluded.holder, renewed_at = excluded.renewed_at
    WHERE l.holder = excluded.holder OR l.renewed_at < excluded.renewed_at - %(lease)s
RETURNING holder
"""


class Leadership:
    """Whether this process leads; renewed by a job of its own."""

    def __init__(self) -> None:
        """Name this process; it does not lead yet."""
        self.me = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
        self.leads = False

    def renew(self) -> bool:
        """Take or keep the lease. Without the database nobody leads."""
        try:
            with db.connection() as c:
                self.leads = c.execute(_TAKE, {"me": self.me, "lease": LEASE}).fetchone() is not None
        except Exception:
            self.leads = False
            raise
        return self.leads

    def resign(self) -> None:
        """Give the lease up on an orderly stop, so that another takes over at once."""
        if self.leads:
            self.leads = False
            with db.connection() as c:
                c.execute("DELETE FROM leaders WHERE duty = 'scheduler' AND holder = %s", (self.me,))
