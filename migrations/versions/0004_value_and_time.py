"""Rewards and redemptions, tiers, automations, and the table of what is due."""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

SQL = """
CREATE TABLE rewards (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    program_id uuid NOT NULL,
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 255),
    description text CHECK (length(description) <= 1000),
    category text CHECK (length(category) <= 100),
    redemption_type text NOT NULL CHECK (redemption_type IN ('UNIT_BASED', 'AMOUNT_BASED')),
    asset_id uuid NOT NULL,
    unit_cost numeric(38, 18) NOT NULL CHECK (unit_cost > 0),
    max_total integer CHECK (max_total >= 0),
    max_per_participant integer CHECK (max_per_participant >= 0),
    status text NOT NULL CHECK (status IN ('DRAFT', 'ACTIVE', 'OUT_OF_STOCK', 'ARCHIVED')),
    available_from timestamptz,
    available_until timestamptz,
    eligibility text,
    metadata jsonb,
    redeemed_count integer NOT NULL DEFAULT 0 CHECK (redeemed_count >= 0),
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (organization_id, id),
    UNIQUE (organization_id, program_id, name),
    FOREIGN KEY (organization_id, program_id) REFERENCES programs,
    FOREIGN KEY (organization_id, asset_id) REFERENCES assets,
    CHECK (max_total IS NULL OR redeemed_count <= max_total OR status <> 'ACTIVE'),
    CHECK (redemption_type = 'UNIT_BASED' OR (max_total IS NULL AND max_per_participant IS NULL))
) WITH (fillfactor = 70);
CREATE INDEX rewards_created ON rewards (organization_id, program_id, created_at, id);

CREATE TABLE reward_holders (
    organization_id uuid NOT NULL,
    reward_id uuid NOT NULL,
    participant_id uuid NOT NULL,
    redeemed_count integer NOT NULL CHECK (redeemed_count >= 0),
    PRIMARY KEY (organization_id, reward_id, participant_id)
) WITH (fillfactor = 70);

CREATE TABLE redemptions (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    participant_id uuid NOT NULL,
    program_id uuid NOT NULL,
    asset_id uuid NOT NULL,
    reward_id uuid,
    quantity integer CHECK (quantity > 0),
    unit_cost numeric(38, 18),
    amount numeric(38, 18) NOT NULL CHECK (amount > 0),
    description text,
    target_account bigint NOT NULL,
    target_type text NOT NULL
        CHECK (target_type IN ('SYSTEM_REDEMPTION', 'SYSTEM_BREAKAGE', 'LEDGER_ENTITY')),
    reversed_amount numeric(38, 18) NOT NULL DEFAULT 0 CHECK (reversed_amount >= 0),
    reversed_quantity integer CHECK (reversed_quantity >= 0),
    status text NOT NULL CHECK (status IN ('COMPLETED', 'PARTIALLY_REVERSED', 'FULLY_REVERSED')),
    journal_entry_id uuid NOT NULL,
    api_key_id uuid,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (organization_id, id),
    CHECK (reversed_amount <= amount),
    CHECK (reversed_quantity <= quantity)
) WITH (fillfactor = 90);
CREATE INDEX redemptions_participant ON redemptions (organization_id, participant_id, id);

CREATE TABLE redemption_reversals (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    redemption_id uuid NOT NULL,
    amount numeric(38, 18) NOT NULL CHECK (amount > 0),
    quantity integer CHECK (quantity > 0),
    reason text NOT NULL,
    journal_entry_id uuid NOT NULL,
    api_key_id uuid,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (organization_id, id),
    FOREIGN KEY (organization_id, redemption_id) REFERENCES redemptions
);
CREATE INDEX redemption_reversals_redemption ON redemption_reversals (organization_id, redemption_id, id);

CREATE TABLE tiers (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    program_id uuid NOT NULL,
    key text NOT NULL CHECK (key ~ '^[a-z][a-z0-9_]*$'),
    display_name text CHECK (length(display_name) <= 255),
    lifecycle jsonb,
    status text NOT NULL DEFAULT 'ACTIVE' CHECK (status IN ('ACTIVE', 'ARCHIVED')),
    archived_at timestamptz,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (organization_id, id),
    UNIQUE (organization_id, program_id, key),
    FOREIGN KEY (organization_id, program_id) REFERENCES programs
);

CREATE TABLE tier_levels (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    tier_id uuid NOT NULL,
    key text NOT NULL CHECK (key ~ '^[a-z][a-z0-9_]*$'),
    rank integer NOT NULL,
    display_name text,
    qualification jsonb,
    benefits jsonb,
    color text,
    icon_url text,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (organization_id, id),
    UNIQUE (organization_id, tier_id, key),
    CONSTRAINT tier_levels_rank UNIQUE (organization_id, tier_id, rank) DEFERRABLE INITIALLY DEFERRED,
    FOREIGN KEY (organization_id, tier_id) REFERENCES tiers
);

-- Where an owner stands in a tier; without a level it is at the base and only counts.
CREATE TABLE tier_states (
    organization_id uuid NOT NULL,
    owner_id uuid NOT NULL,
    tier_id uuid NOT NULL,
    program_id uuid NOT NULL,
    level_key text,
    acquired_at timestamptz,
    expires_at timestamptz,
    -- When the lifecycle looks next: the end of a period, or of the time that a level lasts without activity.
    checks_at timestamptz,
    -- The level is lost already and falls to this one (NULL: the base) then.
    grace_until timestamptz,
    falls_to text,
    review_at timestamptz GENERATED ALWAYS AS (least(expires_at, checks_at, grace_until)) STORED,
    PRIMARY KEY (organization_id, owner_id, tier_id),
    FOREIGN KEY (organization_id, owner_id) REFERENCES owners,
    FOREIGN KEY (organization_id, tier_id) REFERENCES tiers,
    CHECK (level_key IS NOT NULL OR (acquired_at IS NULL AND expires_at IS NULL AND grace_until IS NULL))
) WITH (fillfactor = 80);
CREATE INDEX tier_states_review ON tier_states (review_at, organization_id, owner_id)
    WHERE review_at IS NOT NULL;
CREATE INDEX tier_states_tier ON tier_states (organization_id, tier_id, owner_id);

CREATE TABLE automations (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    program_id uuid NOT NULL,
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 255),
    description text CHECK (length(description) <= 1000),
    event_name text NOT NULL CHECK (length(event_name) BETWEEN 1 AND 255),
    payload jsonb NOT NULL DEFAULT '{}',
    scope text NOT NULL CHECK (scope IN ('program', 'participants')),
    trigger_type text NOT NULL CHECK (trigger_type IN ('cron', 'one_time', 'immediate', 'participant_state')),
    cron_expression text,
    timezone text,
    trigger_at timestamptz,
    schedule_type text CHECK (schedule_type IN ('ATTRIBUTE_DATE', 'INTERVAL', 'CRON', 'THRESHOLD')),
    schedule_config jsonb,
    participant_filter text,
    guard_condition text,
    filter_hints jsonb,
    participant_id uuid,
    status text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'paused', 'archived', 'completed')),
    next_run_at timestamptz,
    last_run_at timestamptz,
    last_error text,
    failures smallint NOT NULL DEFAULT 0,
    processed_at timestamptz,
    error_message text,
    last_evaluated_at timestamptz,
    -- When the subscriptions are looked over next, and the last participant that a look in hand has passed.
    refresh_at timestamptz,
    refresh_cursor uuid,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (organization_id, id),
    FOREIGN KEY (organization_id, program_id) REFERENCES programs
);
CREATE INDEX automations_refresh ON automations (refresh_at)
    WHERE status = 'active' AND refresh_at IS NOT NULL;
CREATE INDEX automations_thresholds ON automations (organization_id)
    WHERE status = 'active' AND schedule_type = 'THRESHOLD';
CREATE UNIQUE INDEX automations_name ON automations (organization_id, program_id, name)
    WHERE status <> 'archived';
CREATE INDEX automations_due ON automations (next_run_at) WHERE status = 'active' AND next_run_at IS NOT NULL;
CREATE INDEX automations_program ON automations (organization_id, program_id, created_at, id);

-- One firing, or one scheduled or broadcast event of a rule: unique by what fired and when. The cursor makes
-- the fan-out resumable.
CREATE TABLE firings (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    automation_id uuid,
    program_id uuid NOT NULL,
    source text NOT NULL CHECK (source IN ('api', 'rule_action')),
    kind text NOT NULL CHECK (kind IN ('ONE', 'FAN_OUT')),
    event_name text NOT NULL,
    payload jsonb NOT NULL DEFAULT '{}',
    scheduled_for timestamptz NOT NULL,
    participant_id uuid,
    group_id uuid,
    depth smallint NOT NULL DEFAULT 0,
    caused_by_event_id uuid,
    caused_by_rule_id uuid,
    status text NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'executing', 'completed', 'failed')),
    -- Due while its program takes no part in business; waits outside of the queue until it does again.
    parked boolean NOT NULL DEFAULT false,
    error text,
    archived_at timestamptz,
    fan_out_cursor uuid,
    participants_total bigint,
    participants_processed bigint NOT NULL DEFAULT 0,
    participants_failed bigint NOT NULL DEFAULT 0,
    started_at timestamptz,
    completed_at timestamptz,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (organization_id, id),
    UNIQUE (organization_id, automation_id, scheduled_for),
    FOREIGN KEY (organization_id, program_id) REFERENCES programs
) WITH (fillfactor = 80);
CREATE INDEX firings_due ON firings (kind, scheduled_for, organization_id, id)
    WHERE status IN ('pending', 'executing') AND NOT parked;
CREATE INDEX firings_parked ON firings (organization_id, program_id) WHERE parked;
CREATE INDEX firings_rule_action ON firings (organization_id, program_id, created_at, id)
    WHERE source = 'rule_action';

CREATE TABLE automation_subscriptions (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    automation_id uuid NOT NULL,
    participant_id uuid NOT NULL,
    status text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'completed', 'failed', 'cancelled')),
    next_trigger_at timestamptz,
    last_triggered_at timestamptz,
    trigger_count integer NOT NULL DEFAULT 0,
    retry_count integer NOT NULL DEFAULT 0,
    last_error text,
    enrolled_at timestamptz NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (organization_id, id),
    UNIQUE (organization_id, automation_id, participant_id),
    FOREIGN KEY (organization_id, automation_id) REFERENCES automations
) WITH (fillfactor = 80);
CREATE INDEX automation_subscriptions_list ON automation_subscriptions (organization_id, automation_id, id);
CREATE INDEX automation_subscriptions_due ON automation_subscriptions (next_trigger_at, organization_id, id)
    WHERE status = 'active' AND next_trigger_at IS NOT NULL;

-- The partition in which an owner's events run, as app/domain/ids.py computes it. Fan-outs go through a
-- program's participants partition by partition: what one window adds is decided in one batch, not in 64.
CREATE FUNCTION partition_of(owner_id uuid) RETURNS integer LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN get_byte(uuid_send(owner_id), 14) % 64;
CREATE INDEX enrollments_partition ON enrollments
    (organization_id, program_id, partition_of(participant_id), participant_id);

-- What else is due: one row a thing, read by the time it is due, worked off in bounded batches.
CREATE TABLE due_work (
    kind text NOT NULL,
    organization_id uuid NOT NULL,
    subject_id uuid NOT NULL,
    due_at timestamptz NOT NULL,
    details jsonb NOT NULL DEFAULT '{}',
    PRIMARY KEY (organization_id, kind, subject_id)
);
CREATE INDEX due_work_due ON due_work (due_at, organization_id, kind, subject_id);
"""


def upgrade() -> None:
    """Create the tables of rewards, tiers, automations and due work."""
    op.execute(SQL)
