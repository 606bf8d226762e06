"""The SQL of organizations: the tenants, each with its rate limit."""

from datetime import datetime
from typing import Any
from uuid import UUID

from app.db import Connection

_COLUMNS = "id, name, status, rate_limit_per_second, rate_limit_burst, created_at, updated_at"


def insert(
    connection: Connection,
    *,
    organization_id: UUID,
    name: str,
    rate_limit_per_second: int,
    rate_limit_burst: int,
    now: datetime,
) -> None:
    """Add a tenant. A limit of 0 requests a second means no limit."""
    connection.execute(
        """
        INSERT INTO organizations
            (id, name, rate_limit_per_second, rate_limit_burst, created_at, updated_at)
        VALUES (%s, %s, %s, %s, %s, %s)
        """,
        (organization_id, name, rate_limit_per_second, rate_limit_burst, now, now),
    )


def set_rate_limit(
    connection: Connection, *, organization_id: UUID, per_second: int, burst: int, now: datetime
) -> bool:
    """Change the rate limit; False when there is no such organization."""
    done = connection.execute(
        """
        UPDATE organizations SET rate_limit_per_second = %s, rate_limit_burst = %s, updated_at = %s
        WHERE id = %s
        """,
        (per_second, burst, now, organization_id),
    )
    return done.rowcount == 1


def every(connection: Connection) -> list[dict[str, Any]]:
    """All organizations, the oldest first; their number is that of customers, not of participants."""
    return connection.execute(f"SELECT {_COLUMNS} FROM organizations ORDER BY created_at, id").fetchall()


def lock_first_setup(connection: Connection) -> None:
    """Let one transaction at a time ask whether there is an organization and make the first."""
    connection.execute("LOCK TABLE organizations IN SHARE ROW EXCLUSIVE MODE")
