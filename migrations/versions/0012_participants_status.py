"""Participants by their status: filtering or sorting the list by it read every row.

Built beside traffic, so an interrupted run can be repeated.
"""

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


INDEXES = {
    "participants_status": "(organization_id, status, created_at, id)",
    # Few participants are not ACTIVE, and those who are fill a page of the list by name anyway.
    "participants_status_name": "(organization_id, status, external_id, id) WHERE status <> 'ACTIVE'",
}


def upgrade() -> None:
    """Build the indexes; one that an interrupted run left half done is made anew."""
    with op.get_context().autocommit_block():
        for name, columns in INDEXES.items():
            op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
            op.execute(f"CREATE INDEX CONCURRENTLY {name} ON participants {columns}")
