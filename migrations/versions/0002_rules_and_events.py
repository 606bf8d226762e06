"""Rules with their history and budgets; events, the inbox, decisions and state history: the main path's tables.

The tables that every event writes carry no foreign keys (they cost a third of the throughput); the
auditor looks for orphans instead.
"""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

SQL = """
CREATE TABLE rules (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    program_id uuid NOT NULL,
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 255),
    description text CHECK (length(description) <= 1000),
    condition text NOT NULL,
    actions jsonb NOT NULL,
    position integer NOT NULL CHECK (position >= 1),
    stop_after_match boolean NOT NULL DEFAULT false,
    active_from timestamptz,
    active_to timestamptz,
    status text NOT NULL DEFAULT 'ACTIVE' CHECK (status IN ('ACTIVE', 'SUSPENDED', 'ARCHIVED')),
    history_id uuid NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    deleted_at timestamptz,
    PRIMARY KEY (organization_id, id),
    FOREIGN KEY (organization_id, program_id) REFERENCES programs
);
CREATE UNIQUE INDEX rules_position ON rules (organization_id, program_id, position) WHERE status = 'ACTIVE';
CREATE INDEX rules_program ON rules (organization_id, program_id, position, id);

CREATE TABLE rule_budgets (
    organization_id uuid NOT NULL,
    rule_id uuid NOT NULL,
    asset_id uuid NOT NULL,
    amount_limit numeric(38, 18) NOT NULL CHECK (amount_limit >= 0),
    consumed numeric(38, 18) NOT NULL DEFAULT 0 CHECK (consumed >= 0),
    schedule_type text CHECK (schedule_type IN ('CRON', 'INTERVAL')),
    cron_expression text,
    interval_text text,
    next_reset_at timestamptz,
    PRIMARY KEY (organization_id, rule_id, asset_id),
    FOREIGN KEY (organization_id, rule_id) REFERENCES rules,
    FOREIGN KEY (organization_id, asset_id) REFERENCES assets,
    CHECK ((schedule_type IS NULL) = (next_reset_at IS NULL)),
    CHECK ((schedule_type = 'CRON') = (cron_expression IS NOT NULL) OR schedule_type IS NULL)
) WITH (fillfactor = 50);

CREATE TABLE rule_history (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    rule_id uuid NOT NULL,
    program_id uuid NOT NULL,
    change_type text NOT NULL
        CHECK (change_type IN ('created', 'updated', 'archived', 'suspended', 'activated')),
    changed_at timestamptz NOT NULL,
    changed_by_api_key_id uuid,
    changes jsonb NOT NULL,
    snapshot jsonb NOT NULL,
    PRIMARY KEY (organization_id, id),
    FOREIGN KEY (organization_id, rule_id) REFERENCES rules
);
CREATE INDEX rule_history_rule ON rule_history (organization_id, rule_id, changed_at, id);

-- The rules in force at one moment, immutable: a decision names the version it was taken under.
CREATE TABLE rulesets (
    organization_id uuid NOT NULL,
    program_id uuid NOT NULL,
    version integer NOT NULL,
    history_ids uuid[] NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (organization_id, program_id, version),
    FOREIGN KEY (organization_id, program_id) REFERENCES programs
);

-- One sequence orders all accepted work. Cache 1: a later request always draws a higher number.
CREATE SEQUENCE event_seq AS bigint CACHE 1;
CREATE SEQUENCE commit_order AS bigint INCREMENT BY 1000 CACHE 1;

-- Written once, never updated (erasure apart): what happened, as it was told.
CREATE TABLE events (
    organization_id uuid NOT NULL,
    seq bigint NOT NULL,
    id uuid NOT NULL,
    program_id uuid NOT NULL,
    event_type text NOT NULL CHECK (event_type IN ('EXTERNAL', 'SYSTEM')),
    participant_id uuid,
    group_id uuid,
    recipient_id uuid,
    external_id text,
    recipient_external_id text,
    idempotency_key text NOT NULL,
    event_timestamp timestamptz NOT NULL,
    created_at timestamptz NOT NULL,
    event_data jsonb NOT NULL,
    partition smallint NOT NULL CHECK (partition BETWEEN 0 AND 63),
    depth smallint NOT NULL DEFAULT 0,
    caused_by_event_id uuid,
    automation_id uuid,
    PRIMARY KEY (organization_id, seq),
    UNIQUE (organization_id, id)
) WITH (autovacuum_vacuum_insert_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05);
CREATE INDEX events_created ON events (organization_id, created_at, seq);
CREATE INDEX events_partition ON events (organization_id, partition, seq) INCLUDE (participant_id);

-- Work that waits: one narrow row an event, deleted by the transaction that decides it.
CREATE TABLE inbox (
    partition smallint NOT NULL,
    position bigint NOT NULL,
    organization_id uuid NOT NULL,
    event_seq bigint NOT NULL,
    owner_id uuid NOT NULL,
    attempts smallint NOT NULL DEFAULT 0,
    error_message text,
    PRIMARY KEY (partition, position)
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000,
        autovacuum_vacuum_cost_delay = 0);

-- Owners whose head event waits for another attempt: their later events wait with it, nobody else's.
CREATE TABLE blocked_owners (
    owner_id uuid PRIMARY KEY,
    partition smallint NOT NULL,
    until timestamptz NOT NULL
);

-- What a worker has in hand. A row left behind by a worker that died marks its batch for a careful second try.
CREATE TABLE partition_leases (
    partition smallint PRIMARY KEY CHECK (partition BETWEEN 0 AND 63),
    worker text,
    from_position bigint,
    to_position bigint,
    alone boolean NOT NULL DEFAULT false,
    crashes smallint NOT NULL DEFAULT 0
) WITH (fillfactor = 20);
INSERT INTO partition_leases (partition) SELECT generate_series(0, 63);

-- What was decided about an event, under which rules, from which inputs. Insert only; a retry adds a row.
CREATE TABLE decisions (
    organization_id uuid NOT NULL,
    event_seq bigint NOT NULL,
    commit_order bigint NOT NULL,
    decided_at timestamptz NOT NULL,
    status text NOT NULL CHECK (status IN ('COMPLETED', 'FAILED')),
    ruleset_version integer NOT NULL,
    error_code text,
    error_message text,
    evaluations jsonb,
    inputs jsonb,
    PRIMARY KEY (organization_id, event_seq, commit_order),
    CHECK ((status = 'FAILED') = (error_code IS NOT NULL))
) WITH (autovacuum_vacuum_insert_scale_factor = 0.05);
CREATE INDEX decisions_failed ON decisions (organization_id, event_seq) WHERE status = 'FAILED';

-- Every change of tags, counters, attributes and tiers; the changes of one event to one owner share a row.
CREATE TABLE state_history (
    organization_id uuid NOT NULL,
    owner_id uuid NOT NULL,
    id uuid NOT NULL,
    changed_at timestamptz NOT NULL,
    event_seq bigint,
    program_id uuid,
    changed_by_api_key_id uuid,
    changes jsonb NOT NULL,
    PRIMARY KEY (organization_id, owner_id, id)
) WITH (autovacuum_vacuum_insert_scale_factor = 0.05);

-- Answers of money operations under their idempotency key; kept for ever.
CREATE TABLE idempotency_keys (
    organization_id uuid NOT NULL,
    program_id uuid NOT NULL,
    operation text NOT NULL,
    key text NOT NULL,
    request_hash bytea NOT NULL CHECK (length(request_hash) = 32),
    response jsonb NOT NULL,
    participant_id uuid,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (organization_id, program_id, operation, key)
);
"""


def upgrade() -> None:
    """Create the tables of rules, events and decisions."""
    op.execute(SQL)
