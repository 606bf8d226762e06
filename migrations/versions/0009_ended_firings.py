"""Finding firings by when they ended, so that old ones can be deleted.

Built beside traffic, so an interrupted run can be repeated.
"""

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Build the index; one that an interrupted run left half done is made anew."""
    with op.get_context().autocommit_block():
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS firings_ended")
        op.execute(
            "CREATE INDEX CONCURRENTLY firings_ended ON firings (completed_at) WHERE completed_at IS NOT NULL"
        )
