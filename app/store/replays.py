"""Both sides of a replay: filling an empty database with what events start from, and reading what came out.

Statements here concern whole databases, of all organizations: a replay is an operator's, never a tenant's.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, LiteralString
from uuid import UUID

import psycopg
from psycopg import sql

from app.db import Connection

# What events are decided under, in an order that foreign keys allow. Automations, subscriptions and endpoints
# stay away: their events are in the log already, and nobody is to be told twice.
CONFIGURATION = (
    "organizations", "owners", "ledger_entities", "programs", "assets", "program_assets", "participants",
    "enrollments", "groups", "group_members", "rules", "rule_history", "rulesets", "tiers", "tier_levels",
    "events",
)
# Events are taken one by one, at the instant of the batch they were decided in: so an owner may be posted
# to twice at one instant, which the clock of a worker would step over. What a decision announces (lots it
# found expired) is among the events already, under a number and a key of its own.
_START: LiteralString = """
UPDATE owners SET tags = '{}', counters = '{}', attributes = '{}', last_posted_at = NULL,
    last_activity_at = NULL, webhook_sequence = 0;
CREATE OR REPLACE FUNCTION read_clock() RETURNS timestamptz LANGUAGE sql VOLATILE AS
    $$ SELECT current_setting('florin.replayed_at')::timestamptz $$;
CREATE FUNCTION forget_posting() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN NEW.last_posted_at := NULL; RETURN NEW; END $$;
CREATE TRIGGER forget_posting BEFORE UPDATE ON owners FOR EACH ROW EXECUTE FUNCTION forget_posting();
CREATE FUNCTION refuse_event() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
CREATE TRIGGER refuse_event BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION refuse_event();
"""
_DECISIONS = """
SELECT DISTINCT ON (d.organization_id, d.event_seq) d.organization_id, d.event_seq, d.commit_order,
    d.decided_at, d.status, d.error_code, d.ruleset_version, e.program_id, e.partition, e.participant_id,
    e.group_id, e.recipient_id, p.external_id LIKE 'erased-%%' AS erased,
    d.inputs ? 'program' AS reads_program
FROM decisions d JOIN events e ON e.organization_id = d.organization_id AND e.seq = d.event_seq
LEFT JOIN participants p ON p.organization_id = e.organization_id AND p.id = e.participant_id
WHERE %(organization_id)s::uuid IS NULL OR d.organization_id = %(organization_id)s
ORDER BY d.organization_id, d.event_seq, d.commit_order DESC
"""
_WAITS = """
INSERT INTO inbox (partition, position, organization_id, event_seq, owner_id)
SELECT partition, seq, organization_id, seq, COALESCE(participant_id, group_id, program_id)
FROM events WHERE organization_id = %s AND seq = %s
"""
# What moved without an event, of assets without lots: sums that a later decision starts from.
_OUTSIDE_SUMS = """
SELECT e.organization_id, e.created_at, p.bucket, p.amount, a.owner_type, a.owner_id, a.asset_id, a.overdrawn
FROM journal_entries e
JOIN postings p ON p.organization_id = e.organization_id AND p.entry_id = e.id AND p.account_id > 0
JOIN accounts a ON a.organization_id = p.organization_id AND a.id = p.account_id
JOIN assets s ON s.organization_id = e.organization_id AND s.id = e.asset_id
WHERE e.event_seq IS NULL AND s.inventory_mode = 'SIMPLE' ORDER BY e.created_at, e.id
"""
# Whom something else than an event changed. Of a membership only the last time is kept: it is sure only where
# it began before the person's first event and has not ended. Status and names of a person have no history.
_OUTSIDE_OWNERS = """
SELECT a.owner_id FROM journal_entries e
JOIN postings p ON p.organization_id = e.organization_id AND p.entry_id = e.id AND p.account_id > 0
JOIN accounts a ON a.organization_id = p.organization_id AND a.id = p.account_id
JOIN assets s ON s.organization_id = e.organization_id AND s.id = e.asset_id
WHERE e.event_seq IS NULL AND s.inventory_mode <> 'SIMPLE'
UNION SELECT owner_id FROM state_history WHERE event_seq IS NULL
UNION SELECT id FROM participants WHERE status <> 'ACTIVE' OR updated_at > created_at
UNION SELECT id FROM groups WHERE status <> 'ACTIVE' OR updated_at > created_at
UNION SELECT m.participant_id FROM group_members m WHERE m.status <> 'ACTIVE' OR m.joined_at > (
    SELECT min(e.created_at) FROM events e WHERE e.organization_id = m.organization_id
        AND (e.participant_id = m.participant_id OR e.recipient_id = m.participant_id))
"""
# The configuration of budgets as it was written, and the times that somebody reset one.
_BUDGET_CHANGES = """
SELECT h.organization_id, h.rule_id, NULL::uuid AS asset_id, h.id AS history_id, h.changed_at AS at,
    h.snapshot
FROM rule_history h WHERE h.change_type = 'created' OR h.changes ? 'budgets'
UNION ALL SELECT organization_id, rule_id, asset_id, NULL, reset_at, NULL FROM budget_resets
ORDER BY at, history_id
"""
_BUDGETED = """
SELECT DISTINCT r.organization_id, r.number, r.id FROM rules r
JOIN rule_history h ON h.organization_id = r.organization_id AND h.rule_id = r.id
WHERE jsonb_array_length(h.snapshot->'budgets') > 0
"""
_ADD = """
INSERT INTO accounts AS a (organization_id, id, owner_type, owner_id, asset_id, overdrawn, updated_at,
    {bucket})
VALUES (%(organization_id)s, nextval('account_id'), %(owner_type)s, %(owner_id)s, %(asset_id)s, %(overdrawn)s,
    %(created_at)s, %(amount)s)
ON CONFLICT (organization_id, owner_id, asset_id, owner_type)
DO UPDATE SET {bucket} = a.{bucket} + EXCLUDED.{bucket}, overdrawn = EXCLUDED.overdrawn
"""
_ENTRIES = """
SELECT e.organization_id, e.event_seq, e.id, e.action_type, e.program_id, e.asset_id, e.rule_id, e.created_at,
    t.description, t.reference_id, (SELECT jsonb_agg(jsonb_build_array(a.owner_type, a.owner_id, p.bucket,
        p.amount) ORDER BY p.line) FROM postings p JOIN accounts a ON a.organization_id = p.organization_id
        AND a.id = p.account_id WHERE p.organization_id = e.organization_id AND p.entry_id = e.id) AS postings
FROM journal_entries e
LEFT JOIN journal_texts t ON t.organization_id = e.organization_id AND t.entry_id = e.id
WHERE e.event_seq IS NOT NULL ORDER BY e.id
"""
_CHANGES = """
SELECT organization_id, event_seq, owner_id, changed_at, program_id, changes
FROM state_history WHERE event_seq IS NOT NULL ORDER BY event_seq, owner_id
"""
_DECIDED = """
SELECT DISTINCT ON (organization_id, event_seq) organization_id, event_seq, decided_at, status, error_code,
    error_message, ruleset_version, evaluations, inputs
FROM decisions ORDER BY organization_id, event_seq, commit_order DESC
"""
# What is left at the end, by owner.
LEFT: dict[str, LiteralString] = {
    "accounts": "SELECT owner_id, asset_id, available, held, deferred FROM accounts"
                " WHERE organization_id = %s AND id > 0 AND (available, held, deferred) <> (0, 0, 0)",
    "states": "SELECT id AS owner_id, tags, counters, attributes FROM owners WHERE organization_id = %s",
    "tiers": "SELECT owner_id, tier_id, level_key, acquired_at FROM tier_states"
             " WHERE organization_id = %s AND level_key IS NOT NULL",
    "lots": "SELECT a.owner_id, a.asset_id, l.bucket, l.amount, l.remaining, l.expired, l.provisional,"
            " l.reference_id, l.created_at, l.expires_at, l.matures_at FROM lots l"
            " JOIN accounts a ON a.organization_id = l.organization_id AND a.id = l.account_id"
            " WHERE l.organization_id = %s",
    "budgets": "SELECT rule_id AS owner_id, asset_id, consumed FROM rule_budgets WHERE organization_id = %s",
}


def is_empty(c: Connection) -> bool:
    """Say whether a database holds nobody's data: no table at all, or ours without an organization."""
    row: Any = c.execute(
        "SELECT count(*) AS tables, to_regclass('public.partition_leases') IS NOT NULL AS ours FROM pg_tables"
        " WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
    ).fetchone()
    if not row["ours"]:
        return bool(row["tables"] == 0)
    return c.execute("SELECT 1 FROM organizations LIMIT 1").fetchone() is None


def fill(source: Connection, target: Connection) -> None:
    """Copy the configuration and the events, and bring state, balances and budgets back to nothing."""
    for table in CONFIGURATION:
        _copy(source, target, sql.SQL("SELECT * FROM {}").format(sql.Identifier(table)), table)
    # System accounts belong to their assets; the others are opened as events need them.
    _copy(source, target, sql.SQL("SELECT * FROM accounts WHERE id < 0"), "accounts")
    target.execute(_START)


def _copy(source: Connection, target: Connection, query: sql.Composable, table: str) -> None:
    out = sql.SQL("COPY ({}) TO STDOUT (FORMAT binary)").format(query)
    into = sql.SQL("COPY {} FROM STDIN (FORMAT binary)").format(sql.Identifier(table))
    with source.cursor().copy(out) as reading, target.cursor().copy(into) as writing:
        for block in reading:
            writing.write(block)


def budget_changes(c: Connection) -> list[dict[str, Any]]:
    """Return how budgets were written (with a snapshot of the rule) and reset by hand, in order."""
    return c.execute(_BUDGET_CHANGES).fetchall()


def budgeted_rules(c: Connection) -> dict[tuple[UUID, int], UUID]:
    """Return the rules that ever had a budget, by organization and number."""
    return {(row["organization_id"], row["number"]): row["id"] for row in c.execute(_BUDGETED).fetchall()}


def decisions(c: Connection, organization_id: UUID | None) -> list[dict[str, Any]]:
    """Return the last decision about each event, in the order of their commits."""
    rows = c.execute(_DECISIONS, {"organization_id": organization_id}).fetchall()
    return sorted(rows, key=lambda row: row["commit_order"])


def outside_sums(c: Connection) -> list[dict[str, Any]]:
    """Return what was posted without an event to accounts without lots, in order."""
    return c.execute(_OUTSIDE_SUMS).fetchall()


def outside_owners(c: Connection) -> set[UUID]:
    """Return whose state or lots were changed by something else than an event."""
    return {row["owner_id"] for row in c.execute(_OUTSIDE_OWNERS).fetchall()}


def add(c: Connection, row: dict[str, Any]) -> None:
    """Do to the target's balance what a posting without an event did."""
    bucket = sql.Identifier(row["bucket"].lower())
    c.execute(sql.SQL(_ADD).format(bucket=bucket), row)


def wait(c: Connection, organization_id: UUID, seq: int) -> None:
    """Put an event into the target's inbox."""
    c.execute(_WAITS, (organization_id, seq))


def enter(c: Connection, at: datetime) -> None:
    """Make an instant the target's present."""
    c.execute("SELECT set_config('florin.replayed_at', %s, false)", (at.isoformat(),))


def put_in_force(c: Connection, organization_id: UUID, program_id: UUID, version: int, status: str) -> None:
    """Put a version of a program's rules in force."""
    c.execute(
        "UPDATE programs SET ruleset_version = %s, status = %s WHERE organization_id = %s AND id = %s",
        (version, status, organization_id, program_id),
    )


def outcomes(c: Connection) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every decision, entry and change of state that events made: its kind and its row."""
    queries: tuple[tuple[str, LiteralString], ...] = (
        ("entries", _ENTRIES), ("decisions", _DECIDED), ("changes", _CHANGES),
    )
    for kind, query in queries:
        for row in c.execute(query).fetchall():
            yield kind, row


def left(c: Connection, kind: str, organization_id: UUID) -> list[dict[str, Any]]:
    """Return what an organization has at the end, of one kind."""
    return c.execute(LEFT[kind], (organization_id,)).fetchall()


def organizations(c: Connection) -> list[UUID]:
    """Return every organization."""
    return [row["id"] for row in c.execute("SELECT id FROM organizations ORDER BY id").fetchall()]


def open_copy(url: str, options: dict[str, Any]) -> Connection:
    """Open a connection to a database that is replayed into; nothing is waited for the disk there."""
    c: Connection = psycopg.connect(url, autocommit=True, **options)
    c.execute("SET synchronous_commit = off")
    c.execute("SET statement_timeout = 0")
    return c
