"""Sums of system accounts without a bound: what was issued in all may be more than one balance can hold.

A balance keeps 20 digits before the point. Two customers may have as many each, so that what the system
issued has 21: the seal that should have added it up failed, and with it all sealing behind it. Taking the
precision off a column rewrites nothing and takes its lock for a moment only.
"""

from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

SQL = """
SET LOCAL lock_timeout = '3s';
ALTER TABLE system_balances ALTER COLUMN balance TYPE numeric;
"""


def upgrade() -> None:
    """Widen the column."""
    op.execute(SQL)
