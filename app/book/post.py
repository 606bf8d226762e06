"""Writing plans down: the only statements that change accounts, lots and the journal.

Set-based: one statement a table, its rows as one JSON parameter, nothing fetched, so that a pipeline can
carry them. The caller holds the locks of the owners; balances are written as what they are now, not as
differences.
"""

import secrets
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple, Protocol
from uuid import UUID

from app.domain.json import dumps
from app.domain.names import Bucket, OwnerType
from app.ledger.accounts import Account, Lot
from app.ledger.chain import text_hash
from app.ledger.entries import Entry, Movement, Plan

# Entries, texts, postings and balances in one statement: a request that moves value once would pay for each
# further one about as much as for its rows.
_WRITE = """
WITH journal AS (
    INSERT INTO journal_entries (organization_id, id, program_id, asset_id, action_type, event_seq, rule_id,
        api_key_id, created_at, text_hash)
    SELECT COALESCE(o, %(organization_id)s), i, COALESCE(g, %(program_id)s), COALESCE(a, %(asset_id)s), t, v,
        r, k, COALESCE(c, %(now)s), decode(h, 'hex')
    FROM json_to_recordset(%(entries)s::json)
        AS e(o uuid, i uuid, g uuid, a uuid, t text, v bigint, r uuid, k uuid, c timestamptz, h text)
), $texts balances AS (
    INSERT INTO accounts (organization_id, id, owner_type, owner_id, asset_id, available, held, deferred,
        overdrawn, updated_at)
    SELECT COALESCE(o, %(organization_id)s), i, COALESCE(t, 'PARTICIPANT'), w, COALESCE(a, %(asset_id)s), v,
        COALESCE(h, 0),
        COALESCE(d, 0), COALESCE(x, false), %(now)s
    FROM json_to_recordset(%(accounts)s::json)
        AS r(o uuid, i bigint, t text, w uuid, a uuid, v numeric, h numeric, d numeric, x boolean)
    ORDER BY 1, 2
    ON CONFLICT (organization_id, id) DO UPDATE SET available = excluded.available, held = excluded.held,
        deferred = excluded.deferred, overdrawn = excluded.overdrawn, updated_at = excluded.updated_at
)
INSERT INTO postings (organization_id, entry_id, line, account_id, bucket, amount)
SELECT COALESCE(o, %(organization_id)s), e, l, a, COALESCE(b, 'AVAILABLE'), m
FROM json_to_recordset(%(postings)s::json) AS p(o uuid, e uuid, l smallint, a bigint, b text, m numeric)
"""

_TEXTS = """texts AS (
    INSERT INTO journal_texts (organization_id, entry_id, salt, description, reference_id)
    SELECT COALESCE(o, %(organization_id)s), i, decode(s, 'hex'), d, f
    FROM json_to_recordset(%(texts)s::json) AS t(o uuid, i uuid, s text, d text, f text)
),"""

# Most entries have no texts, and a part of a statement that writes nothing is made ready all the same.
_ENTRIES, _ENTRIES_AND_TEXTS = (_WRITE.replace("$texts", texts) for texts in ("", _TEXTS))

_LOTS = """
INSERT INTO lots (organization_id, id, account_id, entry_id, program_id, parent_lot_id, bucket, amount,
    remaining, expired, provisional, reference_id, created_at, expires_at, matures_at)
SELECT o, i, a, e, g, p, b, m, r, x, v, f, c, xa, ma FROM jsonb_to_recordset(%(lots)s::jsonb)
    AS r(o uuid, i uuid, a bigint, e uuid, g uuid, p uuid, b text, m numeric, r numeric, x boolean, v boolean,
        f text, c timestamptz, xa timestamptz, ma timestamptz)
ON CONFLICT (organization_id, id) DO UPDATE SET bucket = excluded.bucket, remaining = excluded.remaining,
    expired = excluded.expired, provisional = excluded.provisional, reference_id = excluded.reference_id,
    expires_at = excluded.expires_at
"""

_MOVEMENTS = """
INSERT INTO lot_movements (organization_id, entry_id, line, lot_id, kind, amount)
SELECT o, e, l, i, k, m FROM jsonb_to_recordset(%(movements)s::jsonb)
    AS r(o uuid, e uuid, l integer, i uuid, k text, m numeric)
"""


class Executes(Protocol):
    """A connection or a cursor, inside a pipeline or not."""

    def execute(self, query: Any, params: Any = None) -> Any:
        """Run a statement."""


def write(
    c: Executes, entries: Sequence[Entry], accounts: Iterable[Account], lots: Iterable[Lot],
    movements: Iterable[Movement], now: datetime,
) -> None:
    """Write entries with postings and texts, new balances, lots and movements; nothing is fetched.

    An account or lot that changed more than once is given once, as it stands at the end. Rows may belong to
    several organizations. The database raises a check violation for an entry that does not balance and for
    a balance below zero that nobody allowed.
    """
    if not entries:
        return
    usual = _usual(entries)
    entry_rows, text_rows = _entry_rows(entries, usual, now)
    c.execute(_ENTRIES_AND_TEXTS if text_rows else _ENTRIES, {
        "entries": dumps(entry_rows), "texts": dumps(text_rows),
        "postings": dumps(_posting_rows(entries, usual)),
        "accounts": dumps([_account_row(each, usual) for each in accounts]), **usual._asdict(), "now": now,
    })
    lot_rows = [_lot_row(each) for each in lots]
    if lot_rows:
        c.execute(_LOTS, {"lots": dumps(lot_rows)})
    movement_rows = [
        {"o": m.organization_id, "e": m.entry_id, "l": m.line, "i": m.lot_id, "k": m.kind,
         "m": str(m.amount)}
        for m in movements
    ]
    if movement_rows:
        c.execute(_MOVEMENTS, {"movements": dumps(movement_rows)})


def write_plans(c: Executes, plans: Sequence[Plan], now: datetime) -> None:
    """Write several plans made one after another, each from the outcome of the ones before it."""
    # Numbers of accounts and ids of lots are the only ones of their kind in all organizations.
    accounts = {each.id: each for plan in plans for each in plan.accounts}
    lots = {each.id: each for plan in plans for each in plan.lots}
    write(
        c, [entry for plan in plans for entry in plan.entries], accounts.values(), lots.values(),
        [movement for plan in plans for movement in plan.movements], now,
    )


class _Usual(NamedTuple):
    """What is the same in nearly every row of a batch: it travels once and is left out of the rows."""

    organization_id: UUID
    asset_id: UUID
    program_id: UUID | None


def _usual(entries: Sequence[Entry]) -> _Usual:
    """The first entry's. A row cannot say that it has no program, so where one has none there is no usual."""
    first = entries[0]
    some = all(entry.program_id is not None for entry in entries)
    return _Usual(first.organization_id, first.asset_id, first.program_id if some else None)


def _entry_rows(
    entries: Sequence[Entry], usual: _Usual, now: datetime
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the rows of the entries, and those of their texts, of which most have none."""
    home, asset_id, program_id = usual
    salts = b""
    rows, texts = [], []
    for index, entry in enumerate(entries):
        row: dict[str, Any] = {"i": entry.id, "t": entry.action_type}
        if entry.organization_id is not home and entry.organization_id != home:
            row["o"] = entry.organization_id
        if entry.asset_id is not asset_id and entry.asset_id != asset_id:
            row["a"] = entry.asset_id
        if entry.event_seq is not None:
            row["v"] = entry.event_seq
        if entry.created_at is not now and entry.created_at != now:
            row["c"] = entry.created_at.isoformat()
        other = entry.program_id
        if other is not program_id and other is not None and other != program_id:
            row["g"] = other
        if entry.rule_id is not None:
            row["r"] = entry.rule_id
        if entry.api_key_id is not None:
            row["k"] = entry.api_key_id
        if entry.description is not None or entry.reference_id is not None:
            # Drawn for all at once: to ask for each costs a call of the kernel.
            salts = salts or secrets.token_bytes(16 * len(entries))
            salt = salts[16 * index : 16 * index + 16]
            row["h"] = text_hash(salt, entry.description, entry.reference_id).hex()
            texts.append({
                "o": row.get("o"), "i": entry.id, "s": salt.hex(), "d": entry.description,
                "f": entry.reference_id,
            })
        rows.append(row)
    return rows, texts


def _posting_rows(entries: Sequence[Entry], usual: _Usual) -> list[dict[str, Any]]:
    home = usual.organization_id
    rows = []
    for entry in entries:
        known = entry.organization_id is home or entry.organization_id == home
        entry_id = entry.id
        for line, posting in enumerate(entry.postings, start=1):
            row = {"e": entry_id, "l": line, "a": posting.account_id, "m": str(posting.amount)}
            if posting.bucket is not Bucket.AVAILABLE:
                row["b"] = posting.bucket
            if not known:
                row["o"] = entry.organization_id
            rows.append(row)
    return rows


def _account_row(account: Account, usual: _Usual) -> dict[str, Any]:
    home, asset_id, _ = usual
    row: dict[str, Any] = {"i": account.id, "w": account.owner_id, "v": str(account.available)}
    if account.asset_id is not asset_id and account.asset_id != asset_id:
        row["a"] = account.asset_id
    if account.organization_id is not home and account.organization_id != home:
        row["o"] = account.organization_id
    if account.owner_type is not OwnerType.PARTICIPANT:
        row["t"] = account.owner_type
    if account.held:
        row["h"] = str(account.held)
    if account.deferred:
        row["d"] = str(account.deferred)
    if account.overdrawn:
        row["x"] = True
    return row


def _lot_row(lot: Lot) -> dict[str, Any]:
    return {
        "o": lot.organization_id, "i": lot.id, "a": lot.account_id, "e": lot.entry_id,
        "g": lot.program_id, "p": lot.parent_lot_id, "b": lot.bucket, "m": str(lot.amount),
        "r": str(lot.remaining), "x": lot.expired, "v": lot.provisional, "f": lot.reference_id,
        "c": lot.created_at.isoformat(), "xa": _instant(lot.expires_at), "ma": _instant(lot.matures_at),
    }


def _instant(value: datetime | None) -> str | None:
    return None if value is None else value.isoformat()
