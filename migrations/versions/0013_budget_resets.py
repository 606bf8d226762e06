"""Budgets that somebody reset by hand, so that a replay of the event log resets them at the same place.

Until now only the last time was known, and of budgets with a schedule not whose it was.
"""

from alembic import op

from app.settings import settings

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

SQL = """
SET LOCAL lock_timeout = '3s';
CREATE TABLE budget_resets (
    organization_id uuid NOT NULL,
    rule_id uuid NOT NULL,
    asset_id uuid NOT NULL,
    reset_at timestamptz NOT NULL,
    PRIMARY KEY (organization_id, rule_id, asset_id, reset_at),
    FOREIGN KEY (organization_id, rule_id) REFERENCES rules
);
INSERT INTO budget_resets (organization_id, rule_id, asset_id, reset_at)
SELECT organization_id, rule_id, asset_id, counted_from FROM rule_budgets
WHERE schedule_type IS NULL AND counted_from IS NOT NULL;
"""
GRANT = "GRANT SELECT, INSERT, UPDATE, DELETE ON budget_resets TO {role}"


def upgrade() -> None:
    """Add the table with what is known, and let the application's role write it."""
    op.execute(SQL)
    role = settings().app_database_role
    exists = op.get_bind().exec_driver_sql(
        "SELECT 1 FROM pg_roles WHERE rolname = %s AND rolname <> current_user", (role,)
    )
    if exists.scalar() is not None:
        op.execute(GRANT.format(role='"' + role.replace('"', '""') + '"'))
