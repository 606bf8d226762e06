"""Reading what happened to one owner's balances: history, statement, balances of the past, lots."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from app.db import Connection
from app.domain.ids import highest_id, lowest_id

_ROWS = """
SELECT p.entry_id AS journal_entry_id, p.line, e.action_type, e.asset_id, a.scale, p.bucket, p.amount,
    t.description, v.id AS event_id, v.event_timestamp, e.api_key_id AS created_by_api_key_id, e.created_at
FROM postings p
JOIN journal_entries e ON e.organization_id = p.organization_id AND e.id = p.entry_id
JOIN assets a ON a.organization_id = e.organization_id AND a.id = e.asset_id
LEFT JOIN journal_texts t ON t.organization_id = e.organization_id AND t.entry_id = e.id
LEFT JOIN events v ON v.organization_id = e.organization_id AND v.seq = e.event_seq
WHERE p.organization_id = %(organization_id)s AND p.account_id = ANY(%(accounts)s::bigint[])
    AND p.account_id > 0
"""

_ACCOUNTS = """
SELECT c.id, c.asset_id, c.available, c.held, c.deferred, a.symbol, a.scale, a.issuance_policy
FROM accounts c JOIN assets a ON a.organization_id = c.organization_id AND a.id = c.asset_id
WHERE c.organization_id = %(organization_id)s AND c.owner_id = %(owner_id)s AND c.id > 0
    AND (%(asset_id)s::uuid IS NULL OR c.asset_id = %(asset_id)s)
ORDER BY c.asset_id
"""

_SUMS = """
SELECT p.account_id, p.bucket, sum(p.amount) AS amount FROM postings p
WHERE p.organization_id = %(organization_id)s AND p.account_id = ANY(%(accounts)s::bigint[])
    AND p.account_id > 0 AND p.entry_id <= %(last)s
GROUP BY 1, 2
"""

# What stood past its date at an instant and had not been posted as expired by then. Such a lot waits for
# nothing but its expiry: what expired of it later, or still will, is what it was then. One that moved later
# was held, and one that was split from another later was no lot yet.
_DUE_THEN = """
SELECT l.account_id, l.bucket,
    sum(COALESCE(m.expired, 0) + CASE WHEN l.bucket = 'HELD' THEN 0 ELSE l.remaining END) AS amount
FROM lots l
CROSS JOIN LATERAL (
    SELECT -sum(m.amount) FILTER (WHERE m.kind = 'EXPIRED' AND m.entry_id > %(last)s) AS expired,
        bool_or(m.entry_id <= %(last)s) AS existed,
        bool_or(m.kind = 'MOVED' AND m.entry_id > %(last)s) AS moved
    FROM lot_movements m WHERE m.organization_id = l.organization_id AND m.lot_id = l.id
) m
WHERE l.organization_id = %(organization_id)s AND l.account_id = ANY(%(accounts)s::bigint[])
    AND l.expires_at <= %(at)s AND m.existed AND NOT m.moved
GROUP BY 1, 2
"""

# A lot that is past its date shows as EXPIRED and empty before its expiry is posted, as balances do (E4).
_LOTS = """
SELECT * FROM (
    SELECT l.id, l.parent_lot_id, c.asset_id, a.scale, l.amount, l.reference_id, l.created_at, l.expires_at,
        l.matures_at,
        CASE WHEN d.due THEN 0 ELSE l.remaining END AS remaining,
        CASE WHEN l.expired OR d.due THEN 'EXPIRED' WHEN l.remaining = 0 THEN 'CONSUMED' ELSE l.bucket
            END AS status,
        l.program_id
    FROM lots l
    JOIN accounts c ON c.organization_id = l.organization_id AND c.id = l.account_id
    JOIN assets a ON a.organization_id = c.organization_id AND a.id = c.asset_id
    CROSS JOIN LATERAL (SELECT COALESCE(
        l.remaining > 0 AND l.bucket <> 'HELD' AND l.expires_at <= %(now)s, false) AS due) d
    WHERE l.organization_id = %(organization_id)s AND l.account_id = %(account)s
) s WHERE true
"""


@dataclass(frozen=True, slots=True)
class Span:
    """Which rows: a bucket, and inclusive windows on when they were posted and when their event happened."""

    bucket: str | None = None
    start: datetime | None = None
    end: datetime | None = None
    event_start: datetime | None = None
    event_end: datetime | None = None


def owner_accounts(
    c: Connection, organization_id: UUID, owner_id: UUID, asset_id: UUID | None = None
) -> list[dict[str, Any]]:
    """Return an owner's accounts with posted balances, by asset."""
    return c.execute(_ACCOUNTS, {
        "organization_id": organization_id, "owner_id": owner_id, "asset_id": asset_id,
    }).fetchall()


def page(
    c: Connection, organization_id: UUID, accounts: Sequence[int], span: Span, after: tuple[Any, ...] | None,
    limit: int, *, oldest_first: bool = False,
) -> list[dict[str, Any]]:
    """Return postings of accounts with their entries; `after` is (entry, line) of the last row before."""
    values: dict[str, Any] = {
        "organization_id": organization_id, "accounts": list(accounts), "limit": limit,
    }
    conditions = _conditions(span, values)
    if after is not None:
        values |= {"after_entry": after[0], "after_line": after[1]}
        sign = ">" if oldest_first else "<"
        conditions.append(f"(p.entry_id, p.line) {sign} (%(after_entry)s::uuid, %(after_line)s::smallint)")
    direction = "ASC" if oldest_first else "DESC"
    sql = _ROWS + "".join(f" AND {condition}" for condition in conditions)
    sql += f" ORDER BY p.entry_id {direction}, p.line {direction} LIMIT %(limit)s"
    return c.execute(sql, values).fetchall()


def _conditions(span: Span, values: dict[str, Any]) -> list[str]:
    conditions = []
    if span.bucket is not None:
        values["bucket"] = span.bucket
        conditions.append("p.bucket = %(bucket)s")
    if span.start is not None:
        values["first"] = lowest_id(span.start)
        conditions.append("p.entry_id >= %(first)s")
    if span.end is not None:
        values["last"] = highest_id(span.end)
        conditions.append("p.entry_id <= %(last)s")
    if span.event_start is not None:
        values["event_start"] = span.event_start
        conditions.append("COALESCE(v.event_timestamp, e.created_at) >= %(event_start)s")
    if span.event_end is not None:
        values["event_end"] = span.event_end
        conditions.append("COALESCE(v.event_timestamp, e.created_at) <= %(event_end)s")
    return conditions


def sums_through(
    c: Connection, organization_id: UUID, accounts: Sequence[int], last: UUID
) -> dict[int, dict[str, Decimal]]:
    """Return the sums of all postings through an entry id, by account and bucket."""
    found: dict[int, dict[str, Decimal]] = {}
    rows = c.execute(_SUMS, {
        "organization_id": organization_id, "accounts": list(accounts), "last": last,
    }).fetchall()
    for row in rows:
        found.setdefault(row["account_id"], {})[row["bucket"]] = row["amount"]
    return found


def due_then(
    c: Connection, organization_id: UUID, accounts: Sequence[int], at: datetime
) -> dict[int, dict[str, Decimal]]:
    """Return what had expired by an instant though its entry came later, by account and bucket."""
    found: dict[int, dict[str, Decimal]] = {}
    rows = c.execute(_DUE_THEN, {
        "organization_id": organization_id, "accounts": list(accounts), "at": at, "last": highest_id(at),
    }).fetchall()
    for row in rows:
        found.setdefault(row["account_id"], {})[row["bucket"]] = row["amount"]
    return found


def lots_page(
    c: Connection, organization_id: UUID, account: int, now: datetime, after: tuple[Any, ...] | None,
    limit: int, *, program_id: UUID | None = None, status: str | None = None,
    expires_before: datetime | None = None, expires_after: datetime | None = None,
    reference_id: str | None = None,
) -> list[dict[str, Any]]:
    """Return an account's lots, newest first; `after` is (created_at, id) of the last row before."""
    values: dict[str, Any] = {
        "organization_id": organization_id, "account": account, "now": now, "limit": limit,
        "program_id": program_id, "status": status, "expires_before": expires_before,
        "expires_after": expires_after, "reference_id": reference_id,
    }
    conditions = {
        "program_id": "s.program_id = %(program_id)s", "status": "s.status = %(status)s",
        "expires_before": "s.expires_at <= %(expires_before)s",
        "expires_after": "s.expires_at >= %(expires_after)s",
        "reference_id": "s.reference_id = %(reference_id)s",
    }
    sql = _LOTS + "".join(f" AND {text}" for name, text in conditions.items() if values[name] is not None)
    if after is not None:
        values |= {"after_at": after[0], "after_id": after[1]}
        sql += " AND (s.created_at, s.id) < (%(after_at)s::timestamptz, %(after_id)s::uuid)"
    sql += " ORDER BY s.created_at DESC, s.id DESC LIMIT %(limit)s"
    return c.execute(sql, values).fetchall()
