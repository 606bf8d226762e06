"""Roll-ups of the journal for reports: sums of sealed entries by hour, day and month, and who took part.

They are derived, and added to in batches behind the seals; a report adds what is not rolled up yet. Dropping
the rows and the marks makes them anew.
"""

from alembic import op

from app.settings import settings

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

SQL = """
-- Up to which place of its chain an organization's journal is rolled up.
CREATE TABLE report_marks (
    organization_id uuid PRIMARY KEY,
    sequence_number bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 50);

-- Signed sums of postings. The three grains hold the same entries; a prefix of time takes whole months, then
-- whole days, then whole hours. The program is the zero UUID for entries without one.
CREATE TABLE report_cells (
    organization_id uuid NOT NULL,
    grain text NOT NULL CHECK (grain IN ('HOUR', 'DAY', 'MONTH')),
    period timestamptz NOT NULL,
    asset_id uuid NOT NULL,
    program_id uuid NOT NULL,
    action_type text NOT NULL,
    owner_type text NOT NULL,
    bucket text NOT NULL,
    -- Whether a SETTLE credited more than was held; false for all other types.
    rising boolean NOT NULL,
    amount numeric NOT NULL,
    -- Entries whose first posting is in this cell, so that every entry counts once.
    entries bigint NOT NULL,
    last_at timestamptz NOT NULL,
    PRIMARY KEY (organization_id, grain, period, asset_id, program_id, action_type, owner_type, bucket,
        rising)
) WITH (fillfactor = 80);

-- Which participants' accounts a program has posted to, and who earned or redeemed there.
CREATE TABLE report_holders (
    organization_id uuid NOT NULL,
    program_id uuid NOT NULL,
    account_id bigint NOT NULL,
    asset_id uuid NOT NULL,
    owner_id uuid NOT NULL,
    acted boolean NOT NULL,
    PRIMARY KEY (organization_id, program_id, account_id)
) WITH (fillfactor = 90);
"""


GRANT = "GRANT SELECT, INSERT, UPDATE, DELETE ON report_marks, report_cells, report_holders TO {role}"


def upgrade() -> None:
    """Create the tables, and let the application's role write them."""
    op.execute(SQL)
    role = settings().app_database_role
    exists = op.get_bind().exec_driver_sql(
        "SELECT 1 FROM pg_roles WHERE rolname = %s AND rolname <> current_user", (role,)
    )
    if exists.scalar() is not None:
        op.execute(GRANT.format(role='"' + role.replace('"', '""') + '"'))
