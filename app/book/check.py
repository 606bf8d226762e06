"""The checks of the ledger: every promise derived again from the postings, each one statement.

A check returns rows that break it: `subject` names what is wrong, `detail` says how. All look at the whole
database, or at one organization; the slices of the auditor look at a range of accounts.
"""

from dataclasses import dataclass
from typing import Any, LiteralString
from uuid import UUID

from app.db import Connection

EXAMPLES_MAX = 20
SEAL_GRACE_SECONDS = 60

_MINE: LiteralString = "(%(organization_id)s::uuid IS NULL OR {table}.organization_id = %(organization_id)s)"

# What postings make of each account and bucket, beside what the account's row says.
_BALANCES: LiteralString = """
SELECT 'account ' || COALESCE(a.id, s.account_id) || ' of '
        || COALESCE(a.owner_type || ' ' || a.owner_id, 'nobody') AS subject,
    'balance ' || concat_ws('/', a.available, a.held, a.deferred) || ', postings '
    || concat_ws('/', s.available, s.held, s.deferred) AS detail
FROM (SELECT * FROM accounts a WHERE a.id > 0 AND {mine_a} {slice_a}) a
FULL JOIN (
    SELECT p.organization_id, p.account_id,
        sum(p.amount) FILTER (WHERE p.bucket = 'AVAILABLE') AS available,
        sum(p.amount) FILTER (WHERE p.bucket = 'HELD') AS held,
        sum(p.amount) FILTER (WHERE p.bucket = 'DEFERRED') AS deferred
    FROM postings p WHERE p.account_id > 0 AND {mine_p} {slice_p} GROUP BY 1, 2
) s ON s.organization_id = a.organization_id AND s.account_id = a.id
WHERE ({which}) AND (a.id IS NULL OR a.available <> COALESCE(s.available, 0) OR a.held <> COALESCE(s.held, 0)
    OR a.deferred <> COALESCE(s.deferred, 0))
"""

# Live lots beside the account's buckets; below zero the account has no lots in AVAILABLE, but an overdraft.
_LOTS: LiteralString = """
SELECT 'account ' || a.id || ' of ' || a.owner_type || ' ' || a.owner_id AS subject,
    'balance ' || concat_ws('/', a.available, a.held, a.deferred) || ', lots '
    || concat_ws('/', COALESCE(l.available, 0), COALESCE(l.held, 0), COALESCE(l.deferred, 0)) AS detail
FROM accounts a
JOIN assets s ON s.organization_id = a.organization_id AND s.id = a.asset_id AND s.inventory_mode = 'LOT'
LEFT JOIN (
    SELECT l.organization_id, l.account_id,
        sum(l.remaining) FILTER (WHERE l.bucket = 'AVAILABLE') AS available,
        sum(l.remaining) FILTER (WHERE l.bucket = 'HELD') AS held,
        sum(l.remaining) FILTER (WHERE l.bucket = 'DEFERRED') AS deferred
    FROM lots l WHERE l.remaining > 0 AND {mine_l} {slice_l} GROUP BY 1, 2
) l ON l.organization_id = a.organization_id AND l.account_id = a.id
WHERE a.owner_type IN ('PARTICIPANT', 'GROUP') AND {mine_a} {slice_a}
    AND (greatest(a.available, 0) <> COALESCE(l.available, 0) OR a.held <> COALESCE(l.held, 0)
        OR a.deferred <> COALESCE(l.deferred, 0))
"""

_LINEAGE: LiteralString = """
SELECT 'lot ' || COALESCE(l.id, m.lot_id) AS subject,
    'remaining ' || COALESCE(l.remaining::text, 'no lot') || ', movements ' || COALESCE(m.amount, 0) AS detail
FROM (SELECT * FROM lots l WHERE {mine_l} {slice_l}) l
{join} JOIN (
    SELECT m.organization_id, m.lot_id, sum(m.amount) FILTER (WHERE m.kind <> 'MOVED') AS amount
    FROM lot_movements m WHERE {mine_m} {slice_m} GROUP BY 1, 2
) m ON m.organization_id = l.organization_id AND m.lot_id = l.id
WHERE l.remaining IS DISTINCT FROM COALESCE(m.amount, 0)
"""

_CHECKS: dict[str, LiteralString] = {
    "postings_balanced": """
SELECT 'entry ' || e.id AS subject,
    'postings sum to ' || COALESCE(sum(p.amount), 0) || ' over ' || count(p.line) AS detail
FROM journal_entries e
LEFT JOIN postings p ON p.organization_id = e.organization_id AND p.entry_id = e.id
WHERE {mine_e} GROUP BY e.organization_id, e.id HAVING COALESCE(sum(p.amount), 1) <> 0 OR count(p.line) < 2
""",
    "value_conservation": """
SELECT 'asset ' || x.asset_id AS subject, 'all postings sum to ' || sum(x.amount) AS detail
FROM (SELECT p.organization_id, a.asset_id, p.amount FROM postings p
    LEFT JOIN accounts a ON a.organization_id = p.organization_id AND a.id = p.account_id WHERE {mine_p}) x
GROUP BY x.organization_id, x.asset_id HAVING sum(x.amount) <> 0
""",
    "balances": _BALANCES.replace("{which}", "a.owner_type IS DISTINCT FROM 'PROGRAM'"),
    "wallets": _BALANCES.replace("{which}", "a.owner_type = 'PROGRAM'"),
    "lots": _LOTS,
    "lot_lineage": _LINEAGE.replace("{join}", "FULL"),
    "system_balances": """
SELECT 'account ' || b.account_id AS subject,
    'rolled up ' || b.balance || ', sealed postings ' || COALESCE(s.amount, 0) AS detail
FROM system_balances b
LEFT JOIN (SELECT p.organization_id, p.account_id, sum(p.amount) AS amount FROM postings p
    JOIN journal_seals j ON j.organization_id = p.organization_id AND j.entry_id = p.entry_id
    WHERE p.account_id < 0 AND {mine_p} GROUP BY 1, 2
) s ON s.organization_id = b.organization_id AND s.account_id = b.account_id
WHERE {mine_b} AND b.balance <> COALESCE(s.amount, 0)
""",
    "orphans": """
SELECT 'posting ' || p.entry_id || '/' || p.line AS subject, 'has no entry' AS detail FROM postings p
WHERE {mine_p} AND NOT EXISTS (SELECT 1 FROM journal_entries e
    WHERE e.organization_id = p.organization_id AND e.id = p.entry_id)
UNION ALL
SELECT 'posting ' || p.entry_id || '/' || p.line, 'has no account' FROM postings p
WHERE {mine_p} AND NOT EXISTS (SELECT 1 FROM accounts a
    WHERE a.organization_id = p.organization_id AND a.id = p.account_id)
UNION ALL
SELECT 'entry ' || e.id, 'has no event ' || e.event_seq FROM journal_entries e
WHERE {mine_e} AND e.event_seq IS NOT NULL AND NOT EXISTS (SELECT 1 FROM events v
    WHERE v.organization_id = e.organization_id AND v.seq = e.event_seq)
UNION ALL
SELECT 'movement of lot ' || m.lot_id, 'has no entry ' || m.entry_id FROM lot_movements m
WHERE {mine_m} AND NOT EXISTS (SELECT 1 FROM journal_entries e
    WHERE e.organization_id = m.organization_id AND e.id = m.entry_id)
""",
    "texts": """
SELECT 'entry ' || e.id AS subject, 'its texts do not fit their hash' AS detail
FROM journal_entries e JOIN journal_texts t ON t.organization_id = e.organization_id AND t.entry_id = e.id
WHERE {mine_e} AND (t.description IS NOT NULL OR t.reference_id IS NOT NULL)
    AND e.text_hash IS DISTINCT FROM sha256(t.salt
        || COALESCE(convert_to(octet_length(t.description) || ':' || t.description, 'UTF8'), '-')
        || COALESCE(convert_to(octet_length(t.reference_id) || ':' || t.reference_id, 'UTF8'), '-'))
""",
    # Credits, and what settles issued beyond the held value, since the budget or its period began. Of a
    # budget from before that was noted only a bound is known.
    "budgets": """
SELECT 'budget of rule ' || b.rule_id || ' in asset ' || b.asset_id AS subject,
    'consumed ' || b.consumed || ', issued ' || COALESCE(s.amount, 0) AS detail
FROM rule_budgets b
LEFT JOIN (
    SELECT i.organization_id, i.rule_id, i.asset_id, sum(i.amount) AS amount
    FROM (
        SELECT e.organization_id, e.id, e.rule_id, e.asset_id, CASE e.action_type
            WHEN 'CREDIT' THEN sum(p.amount) FILTER (WHERE p.amount > 0)
            ELSE greatest(sum(p.amount) FILTER (WHERE a.owner_type IN ('PARTICIPANT', 'GROUP')), 0)
            END AS amount
        FROM journal_entries e
        JOIN rule_budgets b ON b.organization_id = e.organization_id AND b.rule_id = e.rule_id
            AND b.asset_id = e.asset_id
        JOIN postings p ON p.organization_id = e.organization_id AND p.entry_id = e.id
        JOIN accounts a ON a.organization_id = p.organization_id AND a.id = p.account_id
        LEFT JOIN decisions d ON d.organization_id = e.organization_id AND d.event_seq = e.event_seq
        WHERE {mine_e} AND e.action_type IN ('CREDIT', 'SETTLE')
            AND (b.counted_from IS NULL OR e.created_at >= b.counted_from)
            AND (b.first_ruleset IS NULL OR d.ruleset_version IS NULL
                OR d.ruleset_version >= b.first_ruleset)
        GROUP BY 1, 2, 3, 4, e.action_type
    ) i GROUP BY 1, 2, 3
) s ON s.organization_id = b.organization_id AND s.rule_id = b.rule_id AND s.asset_id = b.asset_id
WHERE {mine_b} AND CASE WHEN b.first_ruleset IS NULL THEN b.consumed > COALESCE(s.amount, 0)
    ELSE b.consumed <> COALESCE(s.amount, 0) END
""",
    "unsealed_entries": """
SELECT 'entry ' || e.id AS subject, 'not sealed since ' || e.created_at AS detail
FROM journal_entries e
WHERE {mine_e} AND e.created_at < read_clock() - make_interval(secs => %(grace)s)
    AND NOT EXISTS (SELECT 1 FROM clock WHERE moved_at >= read_clock() - make_interval(secs => %(grace)s))
    AND NOT EXISTS (SELECT 1 FROM journal_seals s
        WHERE s.organization_id = e.organization_id AND s.entry_id = e.id)
""",
}
SQL_CHECKS = tuple(_CHECKS)
_SLICED = {"balances": _BALANCES.replace("{which}", "true"), "lots": _LOTS,
           "lot_lineage": _LINEAGE.replace("{join}", "LEFT")}
_SLICES = {
    "{slice_a}": "AND a.id >= %(first)s AND a.id < %(last)s",
    "{slice_p}": "AND p.account_id >= %(first)s AND p.account_id < %(last)s",
    "{slice_l}": "AND l.account_id >= %(first)s AND l.account_id < %(last)s",
    "{slice_m}": "AND m.lot_id IN (SELECT l.id FROM lots l WHERE l.organization_id = %(organization_id)s"
    " AND l.account_id >= %(first)s AND l.account_id < %(last)s)",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong, and how."""

    subject: str
    detail: str


@dataclass(frozen=True, slots=True)
class Checked:
    """The outcome of one check: how many break it, and the first of them."""

    name: str
    violations: int
    examples: tuple[Finding, ...]


def run(c: Connection, name: str, organization_id: UUID | None = None) -> Checked:
    """Run one of SQL_CHECKS over everything, or over one organization."""
    return _counted(c, name, _filled(_CHECKS[name], sliced=False), {
        "organization_id": organization_id, "grace": SEAL_GRACE_SECONDS,
    })


def run_slice(c: Connection, organization_id: UUID, first: int, last: int) -> list[Checked]:
    """Check balances, lots and lineage of the accounts numbered from `first` up to before `last`."""
    values = {"organization_id": organization_id, "first": first, "last": last}
    return [
        _counted(c, name, _filled(sql, sliced=True), values) for name, sql in _SLICED.items()
    ]


def _filled(sql: str, *, sliced: bool) -> str:
    for mark, condition in _SLICES.items():
        sql = sql.replace(mark, condition if sliced else "")
    for table in "aeplmb":
        sql = sql.replace("{mine_" + table + "}", _MINE.format(table=table))
    return sql


def _counted(c: Connection, name: str, sql: str, values: dict[str, Any]) -> Checked:
    rows = c.execute(
        f"SELECT *, count(*) OVER () AS violations FROM ({sql}) found LIMIT {EXAMPLES_MAX}", values
    ).fetchall()
    return Checked(
        name, rows[0]["violations"] if rows else 0,
        tuple(Finding(row["subject"] or "?", row["detail"] or "?") for row in rows),
    )
