"""Reading the journal: lists with every filter, single entries, and their postings with owners named."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from app.db import Connection
from app.domain.ids import highest_id, lowest_id

_ENTRY = """
SELECT e.id, e.program_id, g.name AS program_name, e.asset_id, a.symbol AS asset_symbol, a.scale,
    e.action_type, t.description, v.id AS event_id, e.rule_id, e.api_key_id AS created_by_api_key_id,
    t.reference_id, s.entry_hash, s.sequence_number, e.created_at
FROM journal_entries e
JOIN assets a ON a.organization_id = e.organization_id AND a.id = e.asset_id
LEFT JOIN programs g ON g.organization_id = e.organization_id AND g.id = e.program_id
LEFT JOIN journal_texts t ON t.organization_id = e.organization_id AND t.entry_id = e.id
LEFT JOIN events v ON v.organization_id = e.organization_id AND v.seq = e.event_seq
LEFT JOIN journal_seals s ON s.organization_id = e.organization_id AND s.entry_id = e.id
"""

_POSTINGS = """
SELECT p.entry_id, p.line, p.bucket, p.amount, c.owner_type, c.owner_id
FROM postings p JOIN accounts c ON c.organization_id = p.organization_id AND c.id = p.account_id
WHERE p.organization_id = %(organization_id)s AND p.entry_id = ANY(%(ids)s::uuid[])
ORDER BY p.entry_id, p.line
"""

# An event's entries carry the instant of its decision in their ids, so no index over events is needed.
_EVENT_BOUNDS = """
SELECT v.seq, min(d.decided_at) AS first, max(d.decided_at) AS last
FROM events v JOIN decisions d ON d.organization_id = v.organization_id AND d.event_seq = v.seq
WHERE v.organization_id = %(organization_id)s AND v.id = %(event_id)s GROUP BY v.seq
"""


@dataclass(frozen=True, slots=True)
class JournalFilter:
    """What a list of entries is restricted to; None leaves it open.

    `owner_id`, `bucket` and the amounts (signed) must all be met by one posting of the entry.
    """

    program_id: UUID | None = None
    event_id: UUID | None = None
    rule_id: UUID | None = None
    asset_id: UUID | None = None
    owner_id: UUID | None = None
    bucket: str | None = None
    start: datetime | None = None
    end: datetime | None = None
    min_amount: Decimal | None = None
    max_amount: Decimal | None = None
    action_type: str | None = None
    reference_id: str | None = None

    @property
    def walks_the_journal(self) -> bool:
        """Whether no index leads to the entries: it would cost every posting, for lists that few ask for."""
        others = (self.program_id, self.rule_id, self.asset_id, self.action_type)
        return self.owner_id is None and self.event_id is None and self.reference_id is None and (
            self.on_postings or any(value is not None for value in others)
        )

    @property
    def on_postings(self) -> bool:
        """Whether postings decide."""
        return any(value is not None for value in (self.bucket, self.min_amount, self.max_amount))

    @property
    def on_entries(self) -> bool:
        """Whether fields of the entry decide, apart from its time and asset."""
        return any(
            value is not None
            for value in (self.program_id, self.event_id, self.rule_id, self.action_type, self.reference_id)
        )


# How many entries a page looks at where no index leads to them: the first step fills a page of what is
# frequent, and what is rare is looked for up to the last one, some tenth of a second, then the page ends.
SCANS = (2_000, 100_000)

_NTH = """
SELECT e.id FROM journal_entries e WHERE {where} ORDER BY e.id DESC OFFSET %(scan)s LIMIT 1
"""


def page(
    c: Connection, organization_id: UUID, wanted: JournalFilter, after: UUID | None, limit: int
) -> tuple[list[dict[str, Any]], UUID | None]:
    """Return up to `limit` entries, newest first, each with its `postings`, and after which id to go on.

    `after` is where the page before ended. A page may be short, even empty, and still go on: see SCANS.
    """
    values: dict[str, Any] = {
        "organization_id": organization_id, "limit": limit + 1, "program_id": wanted.program_id,
        "rule_id": wanted.rule_id, "asset_id": wanted.asset_id, "owner_id": wanted.owner_id,
        "bucket": wanted.bucket, "min_amount": wanted.min_amount, "max_amount": wanted.max_amount,
        "action_type": wanted.action_type, "reference_id": wanted.reference_id, "after": after,
    }
    bounds = _bounds(wanted, values)
    where = ["e.organization_id = %(organization_id)s", *(f"e.id {bound}" for bound in bounds)]
    for name in ("program_id", "rule_id", "asset_id", "action_type"):
        if values[name] is not None:
            where.append(f"e.{name} = %({name})s")
    if wanted.event_id is not None and not _by_event(c, wanted.event_id, values, where):
        return [], None
    common = []
    if wanted.reference_id is not None:
        common.append(_refs(bounds))
        where.append("e.id IN (SELECT entry_id FROM refs)")
    if wanted.owner_id is not None:
        common.append(_mine(wanted, bounds))
        where.append("e.id IN (SELECT entry_id FROM mine)")
    elif wanted.on_postings:
        where.append(
            "EXISTS (SELECT 1 FROM postings p WHERE p.organization_id = e.organization_id"
            f" AND p.entry_id = e.id AND {' AND '.join(_on_posting(wanted))})"
        )
    rows: list[dict[str, Any]] = []
    floor: UUID | None = None
    for scan in SCANS if wanted.walks_the_journal else (None,):
        floor = None if scan is None else _floor(c, bounds, {**values, "scan": scan})
        deep = where if floor is None else [*where, "e.id >= %(floor)s"]
        sql = f"{_ENTRY} WHERE {' AND '.join(deep)} ORDER BY e.id DESC LIMIT %(limit)s"
        if common:
            sql = f"WITH {', '.join(common)} {sql}"
        rows = c.execute(sql, {**values, "floor": floor}).fetchall()
        if floor is None or len(rows) > limit:
            break
    if len(rows) > limit:
        floor = rows[limit - 1]["id"]
    return _with_postings(c, organization_id, rows[:limit]), floor


def _floor(c: Connection, bounds: Sequence[str], values: dict[str, Any]) -> UUID | None:
    """Return the id of the last entry that a scan looks at; None where it reaches the journal's beginning."""
    where = ["e.organization_id = %(organization_id)s", *(f"e.id {bound}" for bound in bounds)]
    row = c.execute(_NTH.replace("{where}", " AND ".join(where)), values).fetchone()
    return None if row is None else row["id"]


def get(c: Connection, organization_id: UUID, entry_id: UUID) -> dict[str, Any] | None:
    """Return one entry with its postings."""
    rows = c.execute(
        f"{_ENTRY} WHERE e.organization_id = %(organization_id)s AND e.id = %(id)s",
        {"organization_id": organization_id, "id": entry_id},
    ).fetchall()
    found = _with_postings(c, organization_id, rows)
    return found[0] if found else None


def _bounds(wanted: JournalFilter, values: dict[str, Any]) -> list[str]:
    bounds = []
    if values["after"] is not None:
        bounds.append("< %(after)s")
    if wanted.start is not None:
        values["first_id"] = lowest_id(wanted.start)
        bounds.append(">= %(first_id)s")
    if wanted.end is not None:
        values["last_id"] = highest_id(wanted.end)
        bounds.append("<= %(last_id)s")
    return bounds


def _by_event(c: Connection, event_id: UUID, values: dict[str, Any], where: list[str]) -> bool:
    found = c.execute(_EVENT_BOUNDS, {**values, "event_id": event_id}).fetchone()
    if found is None:
        return False
    values |= {
        "event_seq": found["seq"], "event_first": lowest_id(found["first"]),
        "event_last": highest_id(found["last"]),
    }
    where.append("e.event_seq = %(event_seq)s AND e.id BETWEEN %(event_first)s AND %(event_last)s")
    return True


def _refs(bounds: Sequence[str]) -> str:
    more = "".join(f" AND entry_id {bound}" for bound in bounds)
    return (
        "refs AS MATERIALIZED (SELECT entry_id FROM journal_texts WHERE organization_id = %(organization_id)s"
        f" AND reference_id = %(reference_id)s{more} ORDER BY entry_id DESC)"
    )


def _mine(wanted: JournalFilter, bounds: Sequence[str]) -> str:
    """The owner's entries, through the index of its postings; one page of them where nothing else asks."""
    more = "".join(f" AND p.entry_id {bound}" for bound in bounds)
    on_posting = "".join(f" AND {condition}" for condition in _on_posting(wanted))
    asset = " AND c.asset_id = %(asset_id)s" if wanted.asset_id is not None else ""
    cut = "" if wanted.on_entries else " ORDER BY p.entry_id DESC LIMIT %(limit)s"
    return (
        "mine AS MATERIALIZED (SELECT DISTINCT p.entry_id FROM postings p"
        " WHERE p.organization_id = %(organization_id)s AND p.account_id = ANY(ARRAY(SELECT c.id"
        " FROM accounts c WHERE c.organization_id = %(organization_id)s AND c.owner_id = %(owner_id)s"
        f" AND c.id > 0{asset})) AND p.account_id > 0{more}{on_posting}{cut})"
    )


def _on_posting(wanted: JournalFilter) -> list[str]:
    conditions = []
    if wanted.bucket is not None:
        conditions.append("p.bucket = %(bucket)s")
    if wanted.min_amount is not None:
        conditions.append("p.amount >= %(min_amount)s")
    if wanted.max_amount is not None:
        conditions.append("p.amount <= %(max_amount)s")
    return conditions


def _with_postings(
    c: Connection, organization_id: UUID, rows: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    by_id: dict[UUID, dict[str, Any]] = {row["id"]: row for row in rows}
    for row in rows:
        row["postings"] = []
    if rows:
        ids = list(by_id)
        for posting in c.execute(_POSTINGS, {"organization_id": organization_id, "ids": ids}).fetchall():
            by_id[posting["entry_id"]]["postings"].append(posting)
    return rows
