"""The first organization, its first key, and the test clock: what an empty database needs to be of use."""

from datetime import timedelta
from uuid import UUID

from app.db import Connection, read_clock, transaction
from app.domain.ids import TimeOrdered
from app.flows.api_keys import store
from app.store import clock, organizations

FIRST_ORGANIZATION = "My organization"
FIRST_KEY = "First key"
# The first tenant is the operator's own: generous, yet bounded.
RATE_LIMIT_PER_SECOND = 10_000
RATE_LIMIT_BURST = 20_000
# Every later one starts with the contract's limit (decision A3).
GUEST_LIMIT_PER_SECOND = 10
GUEST_LIMIT_BURST = 30


def ensure_first_organization(key: str) -> bool:
    """Make the first organization with this key, unless there is one already; True when it was made.

    Safe when several processes start at once: the second waits and then finds the organization.
    """
    with transaction() as connection:
        organizations.lock_first_setup(connection)
        if organizations.every(connection):
            return False
        organization_id = create_organization(
            connection, FIRST_ORGANIZATION, RATE_LIMIT_PER_SECOND, RATE_LIMIT_BURST
        )
        now = read_clock(connection)
        store(connection, organization_id=organization_id, name=FIRST_KEY, key=key, now=now)
        return True


def create_organization(
    connection: Connection, name: str, rate_limit_per_second: int, rate_limit_burst: int
) -> UUID:
    """Add a tenant within the caller's transaction, and return its id."""
    now = read_clock(connection)
    organization_id = TimeOrdered(now).next()
    organizations.insert(
        connection,
        organization_id=organization_id,
        name=name,
        rate_limit_per_second=rate_limit_per_second,
        rate_limit_burst=rate_limit_burst,
        now=now,
    )
    return organization_id


def set_test_clock(ahead: timedelta) -> None:
    """Let the whole system's clock run at least so far ahead; a clock never moves back."""
    with transaction() as connection:
        clock.move_ahead(connection, ahead)
