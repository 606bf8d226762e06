"""Events by when they happened: sorting the list by it read every event of the organization.

The block ranges that served windows on it before are no longer needed. Built beside traffic, so an
interrupted run can be repeated.
"""

from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Build the index, then drop the old one; what an interrupted run left half done is made anew."""
    with op.get_context().autocommit_block():
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS events_timestamp")
        op.execute(
            "CREATE INDEX CONCURRENTLY events_timestamp ON events (organization_id, event_timestamp, seq)"
        )
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS events_happened")
