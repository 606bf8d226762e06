"""Since when a budget's consumption is counted, so that it can be recounted from the journal exactly.

The first rule set that it belonged to (an event decided by an earlier one was not charged), and the start of
its present period. Of budgets from before this both are unknown, and the check has only a bound. The columns
cost no rewrite, and the previous release does not know of them.
"""

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns."""
    op.execute("SET LOCAL lock_timeout = '3s'")
    op.execute("ALTER TABLE rule_budgets ADD COLUMN first_ruleset integer")
    op.execute("ALTER TABLE rule_budgets ADD COLUMN counted_from timestamptz")
