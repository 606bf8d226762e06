"""Summing up the journal through any instant: whole periods from the roll-ups, the rest from the postings.

    cells through T =   whole months, days and hours before T      (report_cells)
                      + the hour of T, up to T                     (live)
                      + entries of earlier hours that are not      (live: sealed after the mark, or unsealed)
                        rolled up yet

or, where less lies between T and what is rolled up of its hour than between the hour's beginning and T,

                        whole months, days and hours, that of T included
                      - the hour of T, behind T                    (live)
                      + entries up to the end of that hour that are not rolled up yet

So a report of this moment never reads the hour that it falls into, however busy it is, and one of some
minutes ago reads those minutes. Each sum counts every entry up to T once and no other, as long as one
snapshot serves all of it; so the answer is the same whether anything was rolled up or not.
Rolling up is app/book/report_rollups.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, LiteralString
from uuid import UUID

from app.book import report_marks
from app.db import Connection
from app.domain.ids import highest_id, lowest_id
from app.domain.names import Bucket, EntryType, OwnerType
from app.domain.reports import Cell, ends_nearer

HOUR = timedelta(hours=1)
NO_PROGRAM = UUID(int=0)  # Stands for an entry without a program in the keys of the roll-ups.

# A SETTLE of more than was held takes the difference from the source's AVAILABLE; no other SETTLE debits any.
RISING: LiteralString = """(e.action_type = 'SETTLE' AND EXISTS (SELECT 1 FROM postings s
    WHERE s.organization_id = e.organization_id AND s.entry_id = e.id AND s.bucket = 'AVAILABLE'
        AND s.amount < 0))"""

_KEYS: LiteralString = "asset_id, program_id, action_type, owner_type, bucket, rising"

_MINE: LiteralString = """e.organization_id = %(organization_id)s
        AND (%(program_id)s::uuid IS NULL OR e.program_id = %(program_id)s)
        AND (%(asset_id)s::uuid IS NULL OR e.asset_id = %(asset_id)s)"""

# Sealing follows the numbers of transactions, so what is not sealed yet is found from the horizon on.
UNSEALED: LiteralString = """e.transaction_id >= %(horizon)s
        AND (SELECT j.sequence_number FROM journal_seals j
            WHERE j.organization_id = e.organization_id AND j.entry_id = e.id) IS NULL"""

# Entries by their places in the chain, and the postings of entries with their accounts, each found by its
# key. OFFSET 0 keeps the planner from any other way: its guesses are wrong right after many rows were
# written, and the other ways are quadratic then.
SEALED: LiteralString = """
    SELECT e.* FROM journal_seals m CROSS JOIN LATERAL (
        SELECT * FROM journal_entries x WHERE x.organization_id = m.organization_id AND x.id = m.entry_id
        OFFSET 0
    ) e
    WHERE m.organization_id = %(organization_id)s AND m.sequence_number > %(mark)s"""
# Those to roll up in one step, and those that are not rolled up yet.
STEP: LiteralString = f"""{SEALED} AND m.sequence_number <= %(through)s"""
TAIL: LiteralString = f"""{SEALED}
    UNION ALL
    SELECT e.* FROM journal_entries e WHERE e.organization_id = %(organization_id)s AND {UNSEALED}"""
POSTED: LiteralString = """
    CROSS JOIN LATERAL (SELECT x.line, x.account_id, x.bucket, x.amount FROM postings x
        WHERE x.organization_id = e.organization_id AND x.entry_id = e.id OFFSET 0) p
    CROSS JOIN LATERAL (SELECT x.id, x.owner_type, x.owner_id, x.asset_id FROM accounts x
        WHERE x.organization_id = e.organization_id AND x.id = p.account_id OFFSET 0) a"""

_CELLS: LiteralString = f"""
WITH rolled AS (
    SELECT {_KEYS}, sum(amount) AS amount, sum(entries) AS entries,
        max(last_at) FILTER (WHERE last_at <= %(instant)s) AS last_at
    FROM (
        SELECT * FROM report_cells x WHERE x.organization_id = %(organization_id)s
            AND x.grain = 'MONTH' AND x.period < %(month)s
        UNION ALL
        SELECT * FROM report_cells x WHERE x.organization_id = %(organization_id)s
            AND x.grain = 'DAY' AND x.period >= %(month)s AND x.period < %(day)s
        UNION ALL
        SELECT * FROM report_cells x WHERE x.organization_id = %(organization_id)s
            AND x.grain = 'HOUR' AND x.period >= %(day)s AND x.period < %(below)s
    ) c
    WHERE (%(program_id)s::uuid IS NULL OR c.program_id = %(program_id)s)
        AND (%(asset_id)s::uuid IS NULL OR c.asset_id = %(asset_id)s)
    GROUP BY {_KEYS}
), rest AS MATERIALIZED (
    SELECT %(sign)s::integer AS sign, e.* FROM journal_entries e
    WHERE {_MINE} AND e.id >= %(from_id)s AND e.id < %(to_id)s
    UNION ALL
    SELECT 1 AS sign, t.* FROM (
        {SEALED} AND {_MINE} AND e.id < %(below_id)s
        UNION ALL
        SELECT e.* FROM journal_entries e WHERE {_MINE} AND e.id < %(below_id)s AND {UNSEALED}
    ) t
), live AS (
    SELECT e.asset_id, COALESCE(e.program_id, %(no_program)s) AS program_id, e.action_type, a.owner_type,
        p.bucket, {RISING} AS rising, e.sign * p.amount AS amount, e.sign, p.line, e.created_at
    FROM rest e {POSTED}
)
SELECT {_KEYS}, sum(amount) AS amount, sum(entries)::bigint AS entries, max(last_at) AS last_at
FROM (
    SELECT * FROM rolled
    UNION ALL
    SELECT {_KEYS}, sum(amount), COALESCE(sum(sign) FILTER (WHERE line = 1), 0),
        max(created_at) FILTER (WHERE created_at <= %(instant)s)
    FROM live GROUP BY {_KEYS}
) x
GROUP BY {_KEYS} HAVING sum(amount) <> 0 OR sum(entries) <> 0
"""


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose entries a report is about: an organization's, or those of one program, of one asset."""

    organization_id: UUID
    program_id: UUID | None = None
    asset_id: UUID | None = None


# When the latest entry was made of those that are rolled up in an hour.
_LAST: LiteralString = """
SELECT max(x.last_at) AS last_at FROM report_cells x
WHERE x.organization_id = %(organization_id)s AND x.grain = 'HOUR' AND x.period = %(hour)s
"""


def begin(c: Connection) -> None:
    """Make the transaction one for reading reports: one snapshot, and plans made for the values at hand.

    A generic plan would not know that nearly everything lies below the marks, and read the whole journal.
    """
    c.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
    c.execute("SET LOCAL plan_cache_mode = force_custom_plan")


def cells_through(c: Connection, scope: Scope, instant: datetime) -> list[Cell]:
    """Return the sums of all postings up to and including an instant, UTC.

    Needs a transaction that `begin` has begun, so that no entry is rolled up between mark and sums.
    """
    hour = instant.replace(minute=0, second=0, microsecond=0)
    day = hour.replace(hour=0)
    last: Any = c.execute(_LAST, {"organization_id": scope.organization_id, "hour": hour}).fetchone()
    whole = ends_nearer(instant, hour, last["last_at"])
    below = hour + HOUR if whole else hour
    below_id, behind_id = lowest_id(below), UUID(int=highest_id(instant).int + 1)
    rows = c.execute(_CELLS, {
        "organization_id": scope.organization_id, "program_id": scope.program_id,
        "asset_id": scope.asset_id, "no_program": NO_PROGRAM, "instant": instant,
        **report_marks.read(c, scope.organization_id, "sequence_number"),
        "month": day.replace(day=1), "day": day, "below": below, "below_id": below_id,
        "sign": -1 if whole else 1,
        "from_id": behind_id if whole else below_id, "to_id": below_id if whole else behind_id,
    }).fetchall()
    return [_cell(row) for row in rows]


def _cell(row: dict[str, Any]) -> Cell:
    program_id = None if row["program_id"] == NO_PROGRAM else row["program_id"]
    return Cell(
        row["asset_id"], program_id, EntryType(row["action_type"]), OwnerType(row["owner_type"]),
        Bucket(row["bucket"]), row["rising"], row["amount"], row["entries"], row["last_at"],
    )
