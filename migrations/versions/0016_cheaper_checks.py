"""The ledger's CHECK constraints, saying the same in fewer words, which each statement pays for.

PostgreSQL keeps a CHECK as the text of its expression, and every statement that writes to the table reads and
plans that text anew: of a transfer's one INSERT that was two fifths. A domain's constraint is planned once a
session, so a list of words stands in a domain, and the CHECK only casts to it; columns keep their types, for
a prepared statement of a running process would fail on another one. Constants have the column's type, and
what is said of one row is one constraint.

Each table is locked for a moment, by itself, and read beside traffic afterwards, so an interrupted run can be
repeated.
"""

from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

DOMAINS = {
    "entry_type": (
        "'CREDIT', 'DEBIT', 'ADJUST_CREDIT', 'ADJUST_DEBIT', 'HOLD', 'RELEASE', 'FORFEIT', 'SETTLE',"
        " 'VOID_HOLD', 'MATURITY', 'EXPIRATION', 'REDEMPTION', 'REDEMPTION_REVERSAL', 'TRANSFER', 'FUND',"
        " 'BURN', 'EVENT_REVERSAL'"
    ),
    "account_kind": (
        "'PARTICIPANT', 'GROUP', 'PROGRAM', 'LEDGER_ENTITY', 'SYSTEM_ISSUANCE', 'SYSTEM_BREAKAGE',"
        " 'SYSTEM_REDEMPTION'"
    ),
    "bucket_name": "'AVAILABLE', 'HELD', 'DEFERRED'",
    "lot_movement_kind": "'CREATED', 'CONSUMED', 'RESTORED', 'MOVED', 'EXPIRED', 'SPLIT', 'REPAID'",
}

DOMAIN = """
DO $$ BEGIN
    CREATE DOMAIN {name} AS text CHECK (VALUE IN ({words}));
EXCEPTION WHEN duplicate_object THEN NULL;  -- By a run that was interrupted.
END $$
"""

# What is said of a row of each table, in place of the constraints that go.
CHECKS = {
    "journal_entries": "action_type::entry_type IS NOT NULL",
    "postings": "line BETWEEN 1 AND 255 AND bucket::bucket_name IS NOT NULL AND amount <> '0'",
    "accounts": """
        owner_type::account_kind IS NOT NULL AND (id < 0) = (owner_type LIKE 'SYSTEM%')
        AND held >= '0' AND deferred >= '0' AND (id > 0 AND (available >= '0' OR overdrawn)
            OR id < 0 AND available = '0' AND held + deferred = '0')""",
    "lots": """
        bucket::bucket_name IS NOT NULL AND amount > '0' AND remaining >= '0' AND remaining <= amount
        AND (NOT expired OR remaining = '0') AND matures_at < expires_at""",
    "lot_movements": "line >= 1 AND kind::lot_movement_kind IS NOT NULL",
}
GONE = {
    "journal_entries": ["action_type_check"],
    "postings": ["line_check", "bucket_check", "amount_check"],
    "accounts": [
        "id_check", "owner_type_check", "held_check", "deferred_check", "check", "check1", "check2",
    ],
    "lots": ["bucket_check", "amount_check", "remaining_check", "check", "check1", "check2"],
    "lot_movements": ["line_check", "kind_check"],
}


def upgrade() -> None:
    """Make the domains, change the constraints table by table, then let each be checked beside traffic."""
    for name, words in DOMAINS.items():
        op.execute(DOMAIN.format(name=name, words=words))
    with op.get_context().autocommit_block():
        for table, check in CHECKS.items():
            gone = ", ".join(f"DROP CONSTRAINT IF EXISTS {table}_{name}" for name in [*GONE[table], "sound"])
            op.execute(f"ALTER TABLE {table} {gone}, ADD CONSTRAINT {table}_sound CHECK ({check}) NOT VALID")
        for table in CHECKS:
            op.execute(f"ALTER TABLE {table} VALIDATE CONSTRAINT {table}_sound")
