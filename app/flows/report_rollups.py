"""Rolling up the sealed journal for reports, step by step, each step one transaction."""

from uuid import UUID

from app.book import report_rollups
from app.db import transaction

ENTRIES_PER_STEP = 5_000
STEPS_PER_RUN = 40  # Then other organizations, and other work, have their turn.


def run() -> bool:
    """Roll up what is sealed, each organization for a while; returns whether more is left."""
    with transaction() as c:
        waiting = report_rollups.behind(c)
    left = [_roll_up(organization_id) for organization_id in waiting]
    return any(left)


def _roll_up(organization_id: UUID) -> bool:
    for _ in range(STEPS_PER_RUN):
        with transaction() as c:
            if not report_rollups.roll_up(c, organization_id, ENTRIES_PER_STEP):
                return False
    return True
