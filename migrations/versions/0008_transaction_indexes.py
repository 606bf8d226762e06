"""Finding events and decisions by the transaction that wrote them: block ranges, nearly free to keep.

Built beside traffic, each on its own, so an interrupted run can be repeated.
"""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

CREATE = """CREATE INDEX CONCURRENTLY {table}_transaction ON {table} USING brin (transaction_id)
    WITH (pages_per_range = 16, autosummarize = on)"""


def upgrade() -> None:
    """Build the two indexes; one that an interrupted run left half done is made anew."""
    with op.get_context().autocommit_block():
        for table in ("events", "decisions"):
            op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {table}_transaction")
            op.execute(CREATE.format(table=table))
