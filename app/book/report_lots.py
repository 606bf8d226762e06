"""Counting live lots by the day of their expiry, as entries touch them.

A lot is counted as it stands when an entry that touched it is rolled up; what was counted before is taken
out. A reader does the same for lots that entries beyond the mark have touched, so that its sums are those of
the lots as they stand. Every change of a lot's rest, bucket or date has a movement in some entry.
"""

from typing import Any, LiteralString

from app.db import Connection

_KEYS: LiteralString = "asset_id, program_id, held, expires_on"

# Lots that the entries `e` have touched: as they stand now, and as they were counted.
TOUCHED: LiteralString = """
touched AS MATERIALIZED (
    SELECT DISTINCT m.lot_id FROM e CROSS JOIN LATERAL (SELECT x.lot_id FROM lot_movements x
        WHERE x.organization_id = e.organization_id AND x.entry_id = e.id OFFSET 0) m
), standing AS MATERIALIZED (
    SELECT t.lot_id, a.asset_id, COALESCE(l.program_id, %(no_program)s) AS program_id,
        l.bucket = 'HELD' AS held,
        COALESCE((l.expires_at AT TIME ZONE 'UTC')::date, 'infinity') AS expires_on, l.remaining
    FROM touched t
    CROSS JOIN LATERAL (SELECT * FROM lots x
        WHERE x.organization_id = %(organization_id)s AND x.id = t.lot_id OFFSET 0) l
    CROSS JOIN LATERAL (SELECT x.asset_id FROM accounts x
        WHERE x.organization_id = %(organization_id)s AND x.id = l.account_id OFFSET 0) a
), counted AS MATERIALIZED (
    SELECT r.* FROM touched t CROSS JOIN LATERAL (SELECT * FROM report_lots x
        WHERE x.organization_id = %(organization_id)s AND x.lot_id = t.lot_id OFFSET 0) r
)"""

CHANGES: LiteralString = f"""
    SELECT {_KEYS}, remaining AS amount, 1 AS lots FROM standing WHERE remaining > 0
    UNION ALL
    SELECT {_KEYS}, -remaining, -1 FROM counted"""

_ROLL_UP: LiteralString = f"""
WITH e AS MATERIALIZED ({{entries}}), {TOUCHED}, gone AS (
    DELETE FROM report_lots r USING standing s
    WHERE r.organization_id = %(organization_id)s AND r.lot_id = s.lot_id AND s.remaining = 0
), kept AS (
    INSERT INTO report_lots AS r (organization_id, lot_id, {_KEYS}, remaining)
    SELECT %(organization_id)s, lot_id, {_KEYS}, remaining FROM standing WHERE remaining > 0
    ON CONFLICT (organization_id, lot_id) DO UPDATE SET held = excluded.held,
        expires_on = excluded.expires_on, remaining = excluded.remaining
)
INSERT INTO report_lot_cells AS c (organization_id, {_KEYS}, amount, lots)
SELECT %(organization_id)s, {_KEYS}, sum(amount), sum(lots) FROM ({CHANGES}) x
GROUP BY {_KEYS} HAVING sum(amount) <> 0 OR sum(lots) <> 0
ON CONFLICT (organization_id, {_KEYS}) DO UPDATE SET
    amount = c.amount + excluded.amount, lots = c.lots + excluded.lots
"""

# Days on which nothing is left any more.
_TIDY: LiteralString = """
DELETE FROM report_lot_cells WHERE organization_id = %(organization_id)s AND lots = 0 AND amount = 0
"""


def roll_up(c: Connection, entries: LiteralString, values: dict[str, Any]) -> None:
    """Count the lots that these entries have touched anew."""
    c.execute(_ROLL_UP.replace("{entries}", entries), values)
    c.execute(_TIDY, values)
