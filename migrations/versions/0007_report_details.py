"""More roll-ups for reports: events, rules, live lots, vintages, people; and marks that follow commits.

Events and decisions get the number of the transaction that wrote them, as entries have it, so that a roll-up
in that order never meets a row twice or too late. Rows from before have none; the first roll-up takes them
all. The columns cost no rewrite, and the previous release does not know of them.
"""

from alembic import op

from app.settings import settings

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

SQL = """
ALTER TABLE events ADD COLUMN transaction_id bigint;
ALTER TABLE events ALTER COLUMN transaction_id SET DEFAULT pg_current_xact_id()::text::bigint;
ALTER TABLE decisions ADD COLUMN transaction_id bigint;
ALTER TABLE decisions ALTER COLUMN transaction_id SET DEFAULT pg_current_xact_id()::text::bigint;

-- Every event and decision of a transaction below this number is rolled up; -1: not even those without one.
CREATE TABLE report_horizon (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    transaction_id bigint NOT NULL DEFAULT -1
) WITH (fillfactor = 20);
INSERT INTO report_horizon DEFAULT VALUES;

-- Up to which place of the chain the tables below are rolled up: the previous release moves only the other.
ALTER TABLE report_marks ADD COLUMN details_number bigint NOT NULL DEFAULT 0;

-- Accepted events by hour, day and month of their creation.
CREATE TABLE report_events (
    organization_id uuid NOT NULL,
    grain text NOT NULL CHECK (grain IN ('HOUR', 'DAY', 'MONTH')),
    period timestamptz NOT NULL,
    program_id uuid NOT NULL,
    events bigint NOT NULL,
    last_at timestamptz NOT NULL,
    PRIMARY KEY (organization_id, grain, period, program_id)
) WITH (fillfactor = 80);

-- What became of each rule on each day (UTC), from the decisions.
CREATE TABLE report_rule_days (
    organization_id uuid NOT NULL,
    day date NOT NULL,
    rule_id uuid NOT NULL,
    evaluated bigint NOT NULL DEFAULT 0,
    matched bigint NOT NULL DEFAULT 0,
    failed bigint NOT NULL DEFAULT 0,
    budget_exceeded bigint NOT NULL DEFAULT 0,
    outside_time_window bigint NOT NULL DEFAULT 0,
    stopped_by_rule bigint NOT NULL DEFAULT 0,
    error bigint NOT NULL DEFAULT 0,
    timeout bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (organization_id, day, rule_id)
) WITH (fillfactor = 70);

-- What each rule issued of each asset on each day, from the journal, and what its budget had left when the
-- day was last looked at (null: no budget, or not looked at on the day itself).
CREATE TABLE report_rule_assets (
    organization_id uuid NOT NULL,
    day date NOT NULL,
    rule_id uuid NOT NULL,
    asset_id uuid NOT NULL,
    issued numeric NOT NULL DEFAULT 0,
    budget_left numeric,
    PRIMARY KEY (organization_id, day, rule_id, asset_id)
) WITH (fillfactor = 70);

-- Who earned or redeemed in a program, and how many they are.
CREATE TABLE report_actors (
    organization_id uuid NOT NULL,
    program_id uuid NOT NULL,
    owner_id uuid NOT NULL,
    PRIMARY KEY (organization_id, program_id, owner_id)
);
CREATE TABLE report_people (
    organization_id uuid NOT NULL,
    program_id uuid NOT NULL,
    people bigint NOT NULL,
    PRIMARY KEY (organization_id, program_id)
) WITH (fillfactor = 50);

-- Each live lot as it is counted in the cells below, so that a change takes out what went in.
CREATE TABLE report_lots (
    organization_id uuid NOT NULL,
    lot_id uuid NOT NULL,
    asset_id uuid NOT NULL,
    program_id uuid NOT NULL,
    held boolean NOT NULL,
    expires_on date NOT NULL,
    remaining numeric NOT NULL,
    PRIMARY KEY (organization_id, lot_id)
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05);

-- Live lots by the day of their expiry (UTC; infinity: never).
CREATE TABLE report_lot_cells (
    organization_id uuid NOT NULL,
    asset_id uuid NOT NULL,
    program_id uuid NOT NULL,
    held boolean NOT NULL,
    expires_on date NOT NULL,
    amount numeric NOT NULL,
    lots bigint NOT NULL,
    PRIMARY KEY (organization_id, asset_id, program_id, held, expires_on)
) WITH (fillfactor = 70);

-- What became in each month of the value earned in one (the cohort), from the movements of lots.
CREATE TABLE report_vintages (
    organization_id uuid NOT NULL,
    asset_id uuid NOT NULL,
    program_id uuid NOT NULL,
    cohort date NOT NULL,
    month date NOT NULL,
    issued numeric NOT NULL,
    redeemed numeric NOT NULL,
    broken numeric NOT NULL,
    withdrawn numeric NOT NULL,
    PRIMARY KEY (organization_id, asset_id, program_id, cohort, month)
) WITH (fillfactor = 70);
"""

GRANT = """GRANT SELECT, INSERT, UPDATE, DELETE ON report_horizon, report_events, report_rule_days,
    report_rule_assets, report_actors, report_people, report_lots, report_lot_cells, report_vintages
TO {role}"""


def upgrade() -> None:
    """Add the columns and tables, and let the application's role write them."""
    op.execute(SQL)
    role = settings().app_database_role
    exists = op.get_bind().exec_driver_sql(
        "SELECT 1 FROM pg_roles WHERE rolname = %s AND rolname <> current_user", (role,)
    )
    if exists.scalar() is not None:
        op.execute(GRANT.format(role='"' + role.replace('"', '""') + '"'))
