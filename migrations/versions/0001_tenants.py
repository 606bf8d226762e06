"""Organizations, keys, the clock, programs, assets, participants, groups: what every later table hangs on."""

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

SQL = """
-- The one clock of the system. A test clock moves it forward for every process at once.
CREATE TABLE clock (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    ahead interval NOT NULL DEFAULT '0' CHECK (ahead >= '0')
);
INSERT INTO clock DEFAULT VALUES;
CREATE FUNCTION read_clock() RETURNS timestamptz LANGUAGE sql VOLATILE AS
    'SELECT clock_timestamp() + ahead FROM clock';

CREATE TABLE organizations (
    id uuid PRIMARY KEY,
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 255),
    status text NOT NULL DEFAULT 'ACTIVE' CHECK (status IN ('ACTIVE', 'SUSPENDED')),
    rate_limit_per_second integer NOT NULL DEFAULT 10 CHECK (rate_limit_per_second >= 0),
    rate_limit_burst integer NOT NULL DEFAULT 30 CHECK (rate_limit_burst >= 0),
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);

CREATE TABLE api_keys (
    organization_id uuid NOT NULL REFERENCES organizations,
    id uuid NOT NULL,
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 255),
    key_hash bytea NOT NULL UNIQUE CHECK (length(key_hash) = 32),
    prefix text NOT NULL CHECK (length(prefix) = 8),
    created_at timestamptz NOT NULL,
    last_used_at timestamptz,
    revoked_at timestamptz,
    PRIMARY KEY (organization_id, id)
);

-- Whoever can own value or state, in one list, so that one statement locks participants and groups by id.
-- The profile stands elsewhere: this row is rewritten in place by every event and carries no second index.
CREATE TABLE owners (
    organization_id uuid NOT NULL REFERENCES organizations,
    id uuid NOT NULL,
    kind text NOT NULL CHECK (kind IN ('PARTICIPANT', 'GROUP', 'PROGRAM', 'LEDGER_ENTITY')),
    tags text[] NOT NULL DEFAULT '{}',
    counters jsonb NOT NULL DEFAULT '{}',
    attributes jsonb NOT NULL DEFAULT '{}',
    last_posted_at timestamptz,
    last_activity_at timestamptz,
    webhook_sequence bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (organization_id, id)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05);

CREATE TABLE ledger_entities (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 255),
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (organization_id, id),
    FOREIGN KEY (organization_id, id) REFERENCES owners
);

CREATE TABLE programs (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 255),
    description text CHECK (length(description) <= 1000),
    on_unknown_participant text NOT NULL DEFAULT 'CREATE'
        CHECK (on_unknown_participant IN ('CREATE', 'REJECT')),
    status text NOT NULL DEFAULT 'ACTIVE' CHECK (status IN ('ACTIVE', 'SUSPENDED', 'ARCHIVED')),
    redemption_target_type text NOT NULL DEFAULT 'SYSTEM_REDEMPTION'
        CHECK (redemption_target_type IN ('SYSTEM_REDEMPTION', 'SYSTEM_BREAKAGE', 'LEDGER_ENTITY')),
    redemption_target_entity_id uuid,
    reversal_grace text NOT NULL DEFAULT '720h',
    ruleset_version integer NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    deleted_at timestamptz,
    PRIMARY KEY (organization_id, id),
    FOREIGN KEY (organization_id, id) REFERENCES owners,
    FOREIGN KEY (organization_id, redemption_target_entity_id)
        REFERENCES ledger_entities (organization_id, id),
    CHECK ((redemption_target_type = 'LEDGER_ENTITY') = (redemption_target_entity_id IS NOT NULL))
);
CREATE INDEX programs_created ON programs (organization_id, created_at, id);

CREATE TABLE assets (
    organization_id uuid NOT NULL REFERENCES organizations,
    id uuid NOT NULL,
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 255),
    symbol text NOT NULL CHECK (symbol ~ '^[A-Za-z0-9_]{1,16}$'),
    inventory_mode text NOT NULL CHECK (inventory_mode IN ('SIMPLE', 'LOT')),
    issuance_policy text NOT NULL CHECK (issuance_policy IN ('UNLIMITED', 'PREFUNDED')),
    scale smallint NOT NULL CHECK (scale BETWEEN 0 AND 18),
    max_transaction_amount numeric(38, 18) CHECK (max_transaction_amount > 0),
    status text NOT NULL DEFAULT 'ACTIVE' CHECK (status IN ('ACTIVE', 'ARCHIVED')),
    -- The three system accounts of the asset; negative, so that the index of owners' postings skips them.
    issuance_account bigint NOT NULL CHECK (issuance_account < 0),
    breakage_account bigint NOT NULL CHECK (breakage_account < 0),
    redemption_account bigint NOT NULL CHECK (redemption_account < 0),
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    deleted_at timestamptz,
    PRIMARY KEY (organization_id, id),
    UNIQUE (organization_id, symbol)
);
CREATE INDEX assets_created ON assets (organization_id, created_at, id);

CREATE TABLE program_assets (
    organization_id uuid NOT NULL,
    program_id uuid NOT NULL,
    asset_id uuid NOT NULL,
    linked_at timestamptz NOT NULL,
    PRIMARY KEY (organization_id, program_id, asset_id),
    FOREIGN KEY (organization_id, program_id) REFERENCES programs,
    FOREIGN KEY (organization_id, asset_id) REFERENCES assets
);
CREATE INDEX program_assets_asset ON program_assets (organization_id, asset_id);

CREATE TABLE participants (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    external_id text NOT NULL CHECK (length(external_id) BETWEEN 1 AND 255),
    status text NOT NULL DEFAULT 'ACTIVE' CHECK (status IN ('ACTIVE', 'SUSPENDED', 'CLOSED')),
    email text CHECK (length(email) <= 255),
    phone text CHECK (length(phone) <= 50),
    first_name text CHECK (length(first_name) <= 255),
    last_name text CHECK (length(last_name) <= 255),
    display_name text CHECK (length(display_name) <= 255),
    erased_at timestamptz,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (organization_id, id),
    UNIQUE (organization_id, external_id),
    FOREIGN KEY (organization_id, id) REFERENCES owners
) WITH (fillfactor = 90);
CREATE INDEX participants_created ON participants (organization_id, created_at, id);

-- What a search looks into, as one text. Where the extension pg_trgm can be had, an index finds any substring
-- of three characters or more; where not, a search reads the list in its order.
CREATE FUNCTION participant_search(external_id text, email text, phone text, first_name text, last_name text,
    display_name text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN
    external_id || E'\\n' || COALESCE(email, '') || E'\\n' || COALESCE(phone, '') || E'\\n' ||
    COALESCE(first_name, '') || E'\\n' || COALESCE(last_name, '') || E'\\n' || COALESCE(display_name, '');
DO $$ BEGIN
    IF EXISTS (SELECT 1 FROM pg_available_extensions WHERE name = 'pg_trgm') THEN
        CREATE EXTENSION IF NOT EXISTS pg_trgm;
        CREATE INDEX participants_search ON participants USING gin (
            participant_search(external_id, email, phone, first_name, last_name, display_name) gin_trgm_ops);
    END IF;
EXCEPTION WHEN insufficient_privilege THEN
    RAISE NOTICE 'pg_trgm is not installed: searches will read the list';
END $$;

CREATE TABLE enrollments (
    organization_id uuid NOT NULL,
    program_id uuid NOT NULL,
    participant_id uuid NOT NULL,
    status text NOT NULL DEFAULT 'ACTIVE' CHECK (status IN ('ACTIVE', 'FROZEN', 'LOCKED', 'CLOSED')),
    enrolled_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (organization_id, participant_id, program_id),
    FOREIGN KEY (organization_id, program_id) REFERENCES programs,
    FOREIGN KEY (organization_id, participant_id) REFERENCES participants
);
CREATE INDEX enrollments_program ON enrollments (organization_id, program_id, participant_id);

CREATE TABLE groups (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 255),
    status text NOT NULL DEFAULT 'ACTIVE' CHECK (status IN ('ACTIVE', 'ARCHIVED')),
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    deleted_at timestamptz,
    PRIMARY KEY (organization_id, id),
    FOREIGN KEY (organization_id, id) REFERENCES owners
);
CREATE INDEX groups_created ON groups (organization_id, created_at, id);

CREATE TABLE group_members (
    organization_id uuid NOT NULL,
    group_id uuid NOT NULL,
    participant_id uuid NOT NULL,
    role text NOT NULL CHECK (role IN ('ADMIN', 'MEMBER')),
    status text NOT NULL DEFAULT 'ACTIVE' CHECK (status IN ('ACTIVE', 'LEFT')),
    on_behalf_of_participant_id uuid,
    joined_at timestamptz NOT NULL,
    left_at timestamptz,
    PRIMARY KEY (organization_id, group_id, participant_id),
    FOREIGN KEY (organization_id, group_id) REFERENCES groups,
    FOREIGN KEY (organization_id, participant_id) REFERENCES participants,
    CHECK ((status = 'LEFT') = (left_at IS NOT NULL))
);
CREATE INDEX group_members_participant ON group_members (organization_id, participant_id)
    WHERE status = 'ACTIVE';
"""


def upgrade() -> None:
    """Create the tables of tenants and of the nouns that own value."""
    op.execute(SQL)
