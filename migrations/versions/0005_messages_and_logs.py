"""Webhook endpoints, the outbox and deliveries; request logs and usage; imports; the roles' permissions."""

from alembic import op

from app.settings import settings

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

SQL = """
CREATE TABLE webhook_endpoints (
    organization_id uuid NOT NULL REFERENCES organizations,
    id uuid NOT NULL,
    url text NOT NULL,
    description text,
    enabled_events text[] NOT NULL CHECK (cardinality(enabled_events) >= 1),
    metadata jsonb,
    status text NOT NULL DEFAULT 'ACTIVE' CHECK (status IN ('ACTIVE', 'DISABLED', 'ARCHIVED')),
    secret bytea NOT NULL,
    previous_secret bytea,
    previous_secret_until timestamptz,
    consecutive_failures integer NOT NULL DEFAULT 0,
    circuit_broken_until timestamptz,
    circuit_delay_seconds integer NOT NULL DEFAULT 0,
    rate_limited_until timestamptz,
    last_attempt_at timestamptz,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (organization_id, id)
) WITH (fillfactor = 50);

-- Messages written in the transaction that caused them, for types that somebody subscribes to.
CREATE TABLE outbox (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    type text NOT NULL,
    created_at timestamptz NOT NULL,
    participant_id uuid,
    data jsonb NOT NULL,
    PRIMARY KEY (organization_id, id)
) WITH (autovacuum_vacuum_insert_scale_factor = 0.05);

-- Messages not yet handed to their endpoints; deleted by the fan-out.
CREATE TABLE outbox_pending (
    organization_id uuid NOT NULL,
    outbox_id uuid NOT NULL,
    PRIMARY KEY (outbox_id, organization_id)
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000);

CREATE TABLE webhook_deliveries (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    webhook_endpoint_id uuid NOT NULL,
    webhook_event_id uuid NOT NULL,
    event_type text NOT NULL,
    status text NOT NULL DEFAULT 'PENDING' CHECK (status IN ('PENDING', 'SENDING', 'DELIVERED', 'FAILED')),
    attempt_count smallint NOT NULL DEFAULT 0,
    max_attempts smallint NOT NULL DEFAULT 8,
    next_attempt_at timestamptz,
    last_attempt_at timestamptz,
    delivered_at timestamptz,
    last_response_status integer,
    last_response_body text,
    last_error text,
    error_code text,
    resend_seq integer NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (organization_id, id),
    FOREIGN KEY (organization_id, webhook_endpoint_id) REFERENCES webhook_endpoints
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05);
-- While a delivery is SENDING, next_attempt_at is the end of its worker's lease: one index finds all due.
CREATE INDEX webhook_deliveries_due ON webhook_deliveries (webhook_endpoint_id, next_attempt_at)
    WHERE status IN ('PENDING', 'SENDING');
CREATE INDEX webhook_deliveries_sending ON webhook_deliveries (webhook_endpoint_id, next_attempt_at)
    WHERE status = 'SENDING';
CREATE INDEX webhook_deliveries_attempted
    ON webhook_deliveries (organization_id, webhook_endpoint_id, last_attempt_at) INCLUDE (status);
CREATE INDEX webhook_deliveries_endpoint ON webhook_deliveries (organization_id, webhook_endpoint_id, id);
CREATE INDEX webhook_deliveries_event ON webhook_deliveries (organization_id, webhook_event_id);

-- Messages to be delivered once more, since an instant; worked off behind what is new.
CREATE TABLE webhook_replays (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    webhook_endpoint_id uuid NOT NULL,
    next_outbox_id uuid NOT NULL,
    last_outbox_id uuid NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (organization_id, id),
    FOREIGN KEY (organization_id, webhook_endpoint_id) REFERENCES webhook_endpoints
);

CREATE TABLE request_logs (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    request_id text NOT NULL,
    method text NOT NULL,
    path text NOT NULL,
    route_pattern text,
    status_code smallint NOT NULL,
    duration_ms integer NOT NULL,
    error_code text,
    auth_type text,
    created_at timestamptz NOT NULL,
    request_body jsonb,
    response_body jsonb,
    ip_address text,
    user_agent text,
    PRIMARY KEY (organization_id, id)
) WITH (autovacuum_vacuum_insert_scale_factor = 0.05);
CREATE INDEX request_logs_request ON request_logs (organization_id, request_id);
CREATE INDEX request_logs_created ON request_logs USING brin (created_at);

CREATE TABLE usage_days (
    organization_id uuid NOT NULL,
    day date NOT NULL,
    requests bigint NOT NULL DEFAULT 0,
    errors bigint NOT NULL DEFAULT 0,
    latency_ms_total double precision NOT NULL DEFAULT 0,
    events bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (organization_id, day)
) WITH (fillfactor = 50);

CREATE TABLE imports (
    organization_id uuid NOT NULL REFERENCES organizations,
    id uuid NOT NULL,
    program_id uuid,
    kind text NOT NULL CHECK (kind IN ('participants', 'balances', 'events')),
    format text NOT NULL CHECK (format IN ('csv', 'jsonl')),
    dry_run boolean NOT NULL DEFAULT false,
    status text NOT NULL DEFAULT 'PENDING'
        CHECK (status IN ('PENDING', 'PROCESSING', 'COMPLETED', 'FAILED', 'CANCELLED')),
    total_lines bigint,
    processed_lines bigint NOT NULL DEFAULT 0,
    accepted_lines bigint NOT NULL DEFAULT 0,
    rejected_lines bigint NOT NULL DEFAULT 0,
    byte_offset bigint NOT NULL DEFAULT 0,
    -- The bytes received so far, and whether they are all; a worker begins when they are.
    byte_total bigint NOT NULL DEFAULT 0,
    uploaded boolean NOT NULL DEFAULT false,
    header text[],
    error_message text,
    api_key_id uuid,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    completed_at timestamptz,
    PRIMARY KEY (organization_id, id)
);
CREATE INDEX imports_unfinished ON imports (created_at)
    WHERE uploaded AND status IN ('PENDING', 'PROCESSING');

CREATE TABLE import_parts (
    organization_id uuid NOT NULL,
    import_id uuid NOT NULL,
    start bigint NOT NULL CHECK (start >= 0),
    content bytea NOT NULL,
    PRIMARY KEY (organization_id, import_id, start),
    FOREIGN KEY (organization_id, import_id) REFERENCES imports
);
-- Not compressed, so that a window of it is read without the rest.
ALTER TABLE import_parts ALTER COLUMN content SET STORAGE EXTERNAL;

CREATE TABLE import_errors (
    organization_id uuid NOT NULL,
    import_id uuid NOT NULL,
    line bigint NOT NULL,
    code text NOT NULL,
    message text NOT NULL,
    PRIMARY KEY (organization_id, import_id, line),
    FOREIGN KEY (organization_id, import_id) REFERENCES imports
);

-- Who leads a background duty; taken over when the leader stops renewing.
CREATE TABLE leaders (
    duty text PRIMARY KEY,
    holder text NOT NULL,
    renewed_at timestamptz NOT NULL
) WITH (fillfactor = 20);
"""

GRANTS = """
GRANT USAGE ON SCHEMA public TO {role};
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {role};
GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {role};
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA public TO {role};
REVOKE UPDATE, DELETE ON journal_entries, postings, lot_movements, journal_seals, rulesets, rule_history
    FROM {role};
REVOKE DELETE ON organizations, owners, accounts, lots, events, decisions, journal_texts FROM {role};
"""


def upgrade() -> None:
    """Create the tables, then give the application's role what it needs and no more."""
    op.execute(SQL)
    role = settings().app_database_role
    exists = op.get_bind().exec_driver_sql(
        "SELECT 1 FROM pg_roles WHERE rolname = %s AND rolname <> current_user", (role,)
    )
    if exists.scalar() is not None:
        op.execute(GRANTS.format(role='"' + role.replace('"', '""') + '"'))
