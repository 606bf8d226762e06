"""Rolling up the sealed journal for reports: the next places of an organization's chain, once each.

Which period an entry belongs to is read from its id, as the reports' ranges of ids do.
"""

from typing import Any, LiteralString
from uuid import UUID

from app.book import report_marks
from app.book.reports import NO_PROGRAM, POSTED, RISING, STEP
from app.db import Connection

# The first 48 bits of an id are its milliseconds.
_HOUR: LiteralString = """to_timestamp(
    ('x' || substr(replace(e.id::text, '-', ''), 1, 12))::bit(48)::bigint / 3600000 * 3600)"""

_KEYS: LiteralString = "asset_id, program_id, action_type, owner_type, bucket, rising"

_CELLS: LiteralString = f"""
WITH e AS MATERIALIZED ({STEP}), postings_of AS (
    SELECT {_HOUR} AS period, e.asset_id, COALESCE(e.program_id, %(no_program)s) AS program_id, e.action_type,
        a.owner_type, p.bucket, {RISING} AS rising, p.amount, p.line, e.created_at
    FROM e {POSTED}
), hours AS (
    SELECT period, {_KEYS}, sum(amount) AS amount, count(*) FILTER (WHERE line = 1) AS entries,
        max(created_at) AS last_at
    FROM postings_of GROUP BY period, {_KEYS}
), grains AS (
    SELECT 'HOUR' AS grain, h.* FROM hours h
    UNION ALL
    SELECT g.grain, date_trunc(lower(g.grain), period, 'UTC') AS period, {_KEYS}, sum(amount), sum(entries),
        max(last_at)
    FROM hours CROSS JOIN (VALUES ('DAY'), ('MONTH')) AS g(grain) GROUP BY 1, 2, {_KEYS}
)
INSERT INTO report_cells AS c (organization_id, grain, period, {_KEYS}, amount, entries, last_at)
SELECT %(organization_id)s, grain, period, {_KEYS}, amount, entries, last_at FROM grains
ON CONFLICT (organization_id, grain, period, {_KEYS}) DO UPDATE SET
    amount = c.amount + excluded.amount, entries = c.entries + excluded.entries,
    last_at = greatest(c.last_at, excluded.last_at)
"""

# Who acted in the sense of program activity: earned by a rule, or redeemed.
ACTED: LiteralString = "e.action_type IN ('CREDIT', 'SETTLE', 'REDEMPTION')"

_HOLDERS: LiteralString = f"""
WITH e AS MATERIALIZED ({STEP})
INSERT INTO report_holders AS h (organization_id, program_id, account_id, asset_id, owner_id, acted)
SELECT e.organization_id, e.program_id, a.id, a.asset_id, a.owner_id, bool_or({ACTED})
FROM e {POSTED}
WHERE a.owner_type = 'PARTICIPANT' AND e.program_id IS NOT NULL
GROUP BY 1, 2, 3, 4, 5
ON CONFLICT (organization_id, program_id, account_id) DO UPDATE SET acted = true
    WHERE excluded.acted AND NOT h.acted
"""

# Roll-ups beside the sealed entries that they claim to hold: differences only.
_DIFFERENCES: LiteralString = f"""
WITH e AS MATERIALIZED ({STEP}), fresh AS (
    SELECT g.grain, date_trunc(lower(g.grain), {_HOUR}, 'UTC') AS period, e.asset_id,
        COALESCE(e.program_id, %(no_program)s) AS program_id, e.action_type, a.owner_type, p.bucket,
        {RISING} AS rising, sum(p.amount) AS amount, count(*) FILTER (WHERE p.line = 1) AS entries
    FROM e {POSTED}
    CROSS JOIN (VALUES ('HOUR'), ('DAY'), ('MONTH')) AS g(grain)
    GROUP BY 1, 2, 3, 4, 5, 6, 7, 8
)
SELECT grain, period, {_KEYS}, c.amount AS rolled, f.amount AS posted
FROM (SELECT * FROM report_cells WHERE organization_id = %(organization_id)s) c
FULL JOIN fresh f USING (grain, period, {_KEYS})
WHERE c.amount IS DISTINCT FROM f.amount OR c.entries IS DISTINCT FROM f.entries
ORDER BY grain, period LIMIT %(limit)s
"""


def roll_up(c: Connection, organization_id: UUID, limit: int, before: UUID | None = None) -> bool:
    """Roll up the next `limit` sealed entries, up to one from `before` on; returns whether more are left."""
    step = report_marks.take_step(c, organization_id, "sequence_number", limit, before)
    if step is None:
        return False
    values = {**step.values, "no_program": NO_PROGRAM}
    c.execute(_CELLS, values)
    c.execute(_HOLDERS, values)
    return step.more


def differences(c: Connection, organization_id: UUID, limit: int) -> list[dict[str, Any]]:
    """Return cells that differ from what the rolled up entries sum up to; none, if all is well."""
    return c.execute(_DIFFERENCES, {
        "organization_id": organization_id, "limit": limit, "no_program": NO_PROGRAM, "mark": 0,
        "through": report_marks.read(c, organization_id, "sequence_number")["mark"],
    }).fetchall()
