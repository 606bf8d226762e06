"""Sealing: giving each journal entry its place and hash in the chain of its organization (decision E8).

Entries carry the number of the transaction that wrote them. Everything below the oldest running transaction
is settled, so sealing goes through those numbers in order and never meets an entry twice or too late.
A step ends before it has too many entries, however few transactions they come from, and one transaction
with more than that is sealed in parts: the places in the chain are the same either way.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from app.book.sealed import COLUMNS, entries_of
from app.db import Connection
from app.domain.json import dumps
from app.ledger.chain import GENESIS, SealedEntry, entry_hash

STEP_FIRST = 200  # Transactions looked at in one step; grows over gaps, shrinks when they are full.
STEP_MAX = 1_000_000
ENTRIES_WANTED = 2_500
# Half a second of hashing, several on a busy machine; neither a statement nor a pause may take ten.
ENTRIES_MAX = 5_000

_HORIZON = """
SELECT h.transaction_id, pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS settled
FROM seal_horizon h FOR UPDATE
"""

# Counting ends where there are too many: it takes as long as a step that is not too large.
_TOO_MANY = """
SELECT count(*) > %(limit)s AS found FROM (SELECT 1 FROM journal_entries e
    WHERE e.transaction_id >= %(low)s AND e.transaction_id < %(high)s LIMIT %(limit)s + 1) x
"""

# The postings are gathered of what is sealed now, not of what the limit leaves for later.
_ENTRIES = f"""
WITH e AS MATERIALIZED (
    SELECT * FROM journal_entries e
    WHERE e.transaction_id >= %(low)s AND e.transaction_id < %(high)s
        AND NOT EXISTS (SELECT 1 FROM journal_seals s
            WHERE s.organization_id = e.organization_id AND s.entry_id = e.id)
    ORDER BY e.transaction_id, e.id LIMIT %(limit)s
)
SELECT {COLUMNS} FROM e ORDER BY e.transaction_id, e.id
"""

# For a database that was restored elsewhere, where the numbers of transactions begin anew.
_LEFT_BEHIND = f"""
SELECT {COLUMNS} FROM journal_entries e
WHERE NOT EXISTS (SELECT 1 FROM journal_seals s
    WHERE s.organization_id = e.organization_id AND s.entry_id = e.id)
ORDER BY e.id LIMIT %(limit)s
"""

_HEADS = """
SELECT o.id AS organization_id, s.sequence_number, s.entry_hash
FROM unnest(%(organizations)s::uuid[]) AS o(id)
CROSS JOIN LATERAL (SELECT * FROM journal_seals s WHERE s.organization_id = o.id
    ORDER BY s.sequence_number DESC LIMIT 1) s
"""

_INSERT = """
INSERT INTO journal_seals (organization_id, sequence_number, entry_id, entry_hash, sealed_at)
SELECT o, n, e, decode(h, 'hex'), %(now)s FROM jsonb_to_recordset(%(seals)s::jsonb)
    AS r(o uuid, n bigint, e uuid, h text)
"""

# The sums of system accounts, which no posting updates, follow the seals.
_ROLL_UP = """
INSERT INTO system_balances AS b (organization_id, account_id, balance)
SELECT p.organization_id, p.account_id, sum(p.amount)
FROM jsonb_to_recordset(%(seals)s::jsonb) AS r(o uuid, e uuid)
JOIN postings p ON p.organization_id = r.o AND p.entry_id = r.e AND p.account_id < 0
GROUP BY 1, 2 ORDER BY 1, 2
ON CONFLICT (organization_id, account_id) DO UPDATE SET balance = b.balance + excluded.balance
"""


@dataclass(frozen=True, slots=True)
class Sealed:
    """What one step did: entries sealed, and whether more settled transactions are left to look at."""

    entries: int
    more: bool


def seal_step(c: Connection, now: datetime, step: int) -> Sealed:
    """Seal the entries of the next `step` settled transactions. Two sealers wait for each other."""
    row: Any = c.execute(_HORIZON).fetchone()
    low, settled = row["transaction_id"], row["settled"]
    if low > settled:
        return _seal_left_behind(c, now, settled)
    high = min(low + step, settled)
    if high == low:
        return Sealed(0, False)
    high = _shortened(c, low, high)
    if high == low + 1:
        # It may hold any number of entries, and there is no smaller step.
        c.execute("SET LOCAL statement_timeout = 0")
    entries = entries_of(
        c.execute(_ENTRIES, {"low": low, "high": high, "limit": ENTRIES_MAX}).fetchall()
    )
    _seal(c, entries, now)
    if len(entries) == ENTRIES_MAX:
        return Sealed(len(entries), True)  # The rest of it is looked for by the next step.
    _advance(c, high)
    return Sealed(len(entries), high < settled)


def _shortened(c: Connection, low: int, high: int) -> int:
    """Return the end of a step from `low` that has no more than ENTRIES_MAX, or is one transaction."""
    while high > low + 1:
        row: Any = c.execute(_TOO_MANY, {"low": low, "high": high, "limit": ENTRIES_MAX}).fetchone()
        if not row["found"]:
            break
        high = low + (high - low) // 2
    return high


def _seal_left_behind(c: Connection, now: datetime, settled: int) -> Sealed:
    # They are looked for in the whole journal.
    c.execute("SET LOCAL statement_timeout = 0")
    entries = entries_of(c.execute(_LEFT_BEHIND, {"limit": ENTRIES_WANTED}).fetchall())
    _seal(c, entries, now)
    more = len(entries) == ENTRIES_WANTED
    if not more:
        _advance(c, settled)
    return Sealed(len(entries), more)


def _advance(c: Connection, transaction_id: int) -> None:
    c.execute("UPDATE seal_horizon SET transaction_id = %s", (transaction_id,))


def _seal(c: Connection, entries: list[SealedEntry], now: datetime) -> None:
    if not entries:
        return
    organizations = sorted({entry.organization_id for entry in entries})
    heads: dict[UUID, tuple[int, bytes]] = {
        row["organization_id"]: (row["sequence_number"], bytes(row["entry_hash"]))
        for row in c.execute(_HEADS, {"organizations": organizations}).fetchall()
    }
    seals = []
    for entry in entries:
        number, previous = heads.get(entry.organization_id, (0, GENESIS))
        sealed = entry_hash(previous, number + 1, entry)
        heads[entry.organization_id] = (number + 1, sealed)
        seals.append({
            "o": entry.organization_id.hex, "n": number + 1, "e": entry.id.hex, "h": sealed.hex(),
        })
    rows = dumps(seals)
    c.execute(_INSERT, {"seals": rows, "now": now})
    c.execute(_ROLL_UP, {"seals": rows})
