"""The ledger: accounts with their balances, entries, postings, lots and their movements, and the seals.

Entry ids are ordered by time (UUID, version 7 layout with the instant in microseconds), so the primary keys
are also the time indexes. The last byte of an entry id is zero; a posting's public id adds its line to it.
"""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

SQL = """
CREATE SEQUENCE account_id AS bigint INCREMENT BY 1000 CACHE 1;
CREATE SEQUENCE system_account_id AS bigint CACHE 1;

-- One owner's balance of one asset, the three buckets side by side: the row is the balance.
-- Accounts of SYSTEM_ISSUANCE, SYSTEM_BREAKAGE and SYSTEM_REDEMPTION have negative ids and no balance here:
-- every posting would meet on their row. Theirs is rolled up in system_balances.
CREATE TABLE accounts (
    organization_id uuid NOT NULL,
    id bigint NOT NULL CHECK (id <> 0),
    owner_type text NOT NULL CHECK (owner_type IN ('PARTICIPANT', 'GROUP', 'PROGRAM', 'LEDGER_ENTITY',
        'SYSTEM_ISSUANCE', 'SYSTEM_BREAKAGE', 'SYSTEM_REDEMPTION')),
    owner_id uuid NOT NULL,
    asset_id uuid NOT NULL,
    available numeric(38, 18) NOT NULL DEFAULT 0,
    held numeric(38, 18) NOT NULL DEFAULT 0 CHECK (held >= 0),
    deferred numeric(38, 18) NOT NULL DEFAULT 0 CHECK (deferred >= 0),
    -- Set by the operations that may overdraw; without it the database itself refuses a negative balance.
    overdrawn boolean NOT NULL DEFAULT false,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (organization_id, id),
    UNIQUE (organization_id, owner_id, asset_id, owner_type),
    CHECK (available >= 0 OR overdrawn),
    CHECK (id > 0 OR (available = 0 AND held = 0 AND deferred = 0)),
    CHECK ((id < 0) = (owner_type LIKE 'SYSTEM%'))
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05);

-- What the sealed postings of a system account sum up to; the unsealed tail is added when it is read.
CREATE TABLE system_balances (
    organization_id uuid NOT NULL,
    account_id bigint NOT NULL,
    balance numeric(38, 18) NOT NULL DEFAULT 0,
    PRIMARY KEY (organization_id, account_id)
) WITH (fillfactor = 50);

CREATE TABLE journal_entries (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    program_id uuid,
    asset_id uuid NOT NULL,
    action_type text NOT NULL CHECK (action_type IN ('CREDIT', 'DEBIT', 'ADJUST_CREDIT', 'ADJUST_DEBIT',
        'HOLD', 'RELEASE', 'FORFEIT', 'SETTLE', 'VOID_HOLD', 'MATURITY', 'EXPIRATION', 'REDEMPTION',
        'REDEMPTION_REVERSAL', 'TRANSFER', 'FUND', 'BURN', 'EVENT_REVERSAL')),
    event_seq bigint,
    rule_id uuid,
    api_key_id uuid,
    created_at timestamptz NOT NULL,
    -- SHA-256 over salt, description and reference; the texts stand in journal_texts, erasable.
    text_hash bytea CHECK (length(text_hash) = 32),
    -- The number of the writing transaction: sealing follows commits with it (bigint, as BRIN knows no xid8).
    transaction_id bigint NOT NULL DEFAULT pg_current_xact_id()::text::bigint,
    PRIMARY KEY (organization_id, id)
) WITH (autovacuum_vacuum_insert_scale_factor = 0.05);
CREATE INDEX journal_entries_transaction ON journal_entries USING brin (transaction_id)
    WITH (pages_per_range = 16, autosummarize = on);

CREATE TABLE journal_texts (
    organization_id uuid NOT NULL,
    entry_id uuid NOT NULL,
    salt bytea NOT NULL,
    description text,
    reference_id text,
    PRIMARY KEY (organization_id, entry_id)
) WITH (autovacuum_vacuum_insert_scale_factor = 0.05);
CREATE INDEX journal_texts_reference ON journal_texts (organization_id, reference_id, entry_id)
    WHERE reference_id IS NOT NULL;

CREATE TABLE postings (
    organization_id uuid NOT NULL,
    entry_id uuid NOT NULL,
    line smallint NOT NULL CHECK (line BETWEEN 1 AND 255),
    account_id bigint NOT NULL,
    bucket text NOT NULL CHECK (bucket IN ('AVAILABLE', 'HELD', 'DEFERRED')),
    amount numeric(38, 18) NOT NULL CHECK (amount <> 0),
    PRIMARY KEY (organization_id, entry_id, line)
) WITH (autovacuum_vacuum_insert_scale_factor = 0.05);
CREATE INDEX postings_account ON postings (organization_id, account_id, entry_id, line) WHERE account_id > 0;

-- Refuses an entry that does not balance. Over the inserted rows, once a statement: a deferred trigger
-- for each row halves the speed. All postings of an entry are written by one statement.
CREATE FUNCTION refuse_unbalanced() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE unbalanced uuid;
BEGIN
    SELECT entry_id INTO unbalanced FROM inserted
        GROUP BY organization_id, entry_id HAVING sum(amount) <> 0 OR count(*) < 2 LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'journal entry % does not balance', unbalanced USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER postings_balance AFTER INSERT ON postings REFERENCING NEW TABLE AS inserted
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_unbalanced();

-- A parcel of value of a LOT asset: one credit makes one lot; splitting makes a child with the same dates.
CREATE TABLE lots (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    account_id bigint NOT NULL,
    entry_id uuid NOT NULL,
    program_id uuid,
    parent_lot_id uuid,
    bucket text NOT NULL CHECK (bucket IN ('AVAILABLE', 'HELD', 'DEFERRED')),
    amount numeric(38, 18) NOT NULL CHECK (amount > 0),
    remaining numeric(38, 18) NOT NULL CHECK (remaining >= 0),
    expired boolean NOT NULL DEFAULT false,
    -- Credited straight into HELD under a reference: may be settled or voided, never released.
    provisional boolean NOT NULL DEFAULT false,
    reference_id text,
    created_at timestamptz NOT NULL,
    expires_at timestamptz,
    matures_at timestamptz,
    PRIMARY KEY (organization_id, id),
    CHECK (remaining <= amount),
    CHECK (NOT expired OR remaining = 0),
    CHECK (matures_at < expires_at)
) WITH (fillfactor = 85, autovacuum_vacuum_scale_factor = 0.05);
CREATE INDEX lots_live ON lots (organization_id, account_id, created_at, id) WHERE remaining > 0;
CREATE INDEX lots_account ON lots (organization_id, account_id, created_at, id);
CREATE INDEX lots_expiring ON lots (expires_at, organization_id, account_id)
    WHERE remaining > 0 AND bucket <> 'HELD' AND expires_at IS NOT NULL;
-- What is due of one account, so that reading a balance never walks its other lots.
CREATE INDEX lots_due ON lots (organization_id, account_id, expires_at)
    WHERE remaining > 0 AND bucket <> 'HELD' AND expires_at IS NOT NULL;
CREATE INDEX lots_maturing ON lots (matures_at, organization_id, account_id)
    WHERE remaining > 0 AND bucket = 'DEFERRED';

-- Which lot paid, received or moved in which entry: the lineage that reversals follow backwards.
CREATE TABLE lot_movements (
    organization_id uuid NOT NULL,
    entry_id uuid NOT NULL,
    line integer NOT NULL CHECK (line >= 1),
    lot_id uuid NOT NULL,
    kind text NOT NULL
        CHECK (kind IN ('CREATED', 'CONSUMED', 'RESTORED', 'MOVED', 'EXPIRED', 'SPLIT', 'REPAID')),
    amount numeric(38, 18) NOT NULL,
    PRIMARY KEY (organization_id, entry_id, line)
) WITH (autovacuum_vacuum_insert_scale_factor = 0.05);
CREATE INDEX lot_movements_lot ON lot_movements (organization_id, lot_id, entry_id);

-- The hash chain of an organization: sealed in batches behind the postings, insert only.
CREATE TABLE journal_seals (
    organization_id uuid NOT NULL,
    sequence_number bigint NOT NULL,
    entry_id uuid NOT NULL,
    entry_hash bytea NOT NULL CHECK (length(entry_hash) = 32),
    sealed_at timestamptz NOT NULL,
    PRIMARY KEY (organization_id, sequence_number),
    UNIQUE (organization_id, entry_id)
);

-- Every entry of a transaction below this number is sealed.
CREATE TABLE seal_horizon (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    transaction_id bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 20);
INSERT INTO seal_horizon DEFAULT VALUES;

-- Where the auditor stands, and the last seal it saw: a chain that ends before it has lost its tail.
CREATE TABLE audits (
    organization_id uuid PRIMARY KEY,
    account_id bigint NOT NULL DEFAULT 0,
    checked_sequence bigint NOT NULL DEFAULT 0,
    head_sequence bigint NOT NULL DEFAULT 0,
    head_hash bytea CHECK (length(head_hash) = 32),
    violations bigint NOT NULL DEFAULT 0,
    audited_at timestamptz
) WITH (fillfactor = 50);

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON journal_entries
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON postings
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON lot_movements
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON journal_seals
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
"""


def upgrade() -> None:
    """Create the ledger's tables and the triggers that guard them."""
    op.execute(SQL)
