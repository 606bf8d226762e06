"""Rolling up the sealed journal a second time, for what the cells of app/book/report_rollups do not tell.

    report_rule_assets            what each rule issued on each day
    report_actors, report_people  who earned or redeemed in a program
    report_vintages               what became of the value earned in each month
    report_lots, report_lot_cells live lots by their day of expiry (app/book/report_lots)

These have a mark of their own (app/book/report_marks). Each reader adds the entries beyond it, live.
"""

from typing import LiteralString
from uuid import UUID

from app.book import report_lots, report_marks
from app.book.reports import NO_PROGRAM, POSTED, RISING, STEP
from app.db import Connection

# Rules credit, and settle what they have credited; every CREDIT has a rule. As the line `issued` counts.
ISSUED: LiteralString = f"""
    SELECT (e.created_at AT TIME ZONE 'UTC')::date AS day, e.rule_id, e.asset_id, sum(p.amount) AS issued
    FROM e {POSTED}
    WHERE e.rule_id IS NOT NULL AND (e.action_type = 'CREDIT' OR {RISING})
        AND a.owner_type IN ('PARTICIPANT', 'GROUP', 'LEDGER_ENTITY')
    GROUP BY 1, 2, 3
"""

_ISSUED: LiteralString = f"""
WITH e AS MATERIALIZED ({STEP})
INSERT INTO report_rule_assets AS r (organization_id, day, rule_id, asset_id, issued)
SELECT %(organization_id)s, day, rule_id, asset_id, issued FROM ({ISSUED}) i
ON CONFLICT (organization_id, day, rule_id, asset_id) DO UPDATE SET issued = r.issued + excluded.issued
"""

# Who acted in the sense of program activity: earned by a rule, or redeemed.
ACTORS: LiteralString = f"""
    SELECT DISTINCT e.program_id, a.owner_id FROM e {POSTED}
    WHERE e.action_type IN ('CREDIT', 'SETTLE', 'REDEMPTION') AND e.program_id IS NOT NULL
        AND a.owner_type = 'PARTICIPANT'
"""

_ACTORS: LiteralString = f"""
WITH e AS MATERIALIZED ({STEP}), fresh AS (
    INSERT INTO report_actors (organization_id, program_id, owner_id)
    SELECT %(organization_id)s, program_id, owner_id FROM ({ACTORS}) x
    ON CONFLICT DO NOTHING
    RETURNING program_id
)
INSERT INTO report_people AS r (organization_id, program_id, people)
SELECT %(organization_id)s, program_id, count(*) FROM fresh GROUP BY program_id
ON CONFLICT (organization_id, program_id) DO UPDATE SET people = r.people + excluded.people
"""

# A part that moves within its lot, or to a child of it, stays what it was: MOVED and SPLIT change nothing.
VINTAGES: LiteralString = """
    SELECT asset_id, program_id, cohort, month, sum(amount) FILTER (WHERE part = 'issued') AS issued,
        sum(amount) FILTER (WHERE part = 'redeemed') AS redeemed,
        sum(amount) FILTER (WHERE part = 'broken') AS broken,
        sum(amount) FILTER (WHERE part = 'withdrawn') AS withdrawn
    FROM (
        SELECT e.asset_id, COALESCE(l.program_id, %(no_program)s) AS program_id,
            date_trunc('month', l.created_at, 'UTC')::date AS cohort,
            date_trunc('month', e.created_at, 'UTC')::date AS month,
            CASE WHEN m.kind = 'CREATED' THEN 'issued'
                WHEN e.action_type IN ('REDEMPTION', 'REDEMPTION_REVERSAL') AND m.kind <> 'REPAID'
                    THEN 'redeemed'
                WHEN e.action_type IN ('EXPIRATION', 'FORFEIT') THEN 'broken'
                ELSE 'withdrawn' END AS part,
            CASE WHEN m.kind = 'CREATED' THEN m.amount ELSE -m.amount END AS amount
        FROM e
        CROSS JOIN LATERAL (SELECT x.lot_id, x.kind, x.amount FROM lot_movements x
            WHERE x.organization_id = e.organization_id AND x.entry_id = e.id
                AND x.kind NOT IN ('MOVED', 'SPLIT') OFFSET 0) m
        CROSS JOIN LATERAL (SELECT x.program_id, x.created_at FROM lots x
            WHERE x.organization_id = e.organization_id AND x.id = m.lot_id OFFSET 0) l
    ) x
    GROUP BY 1, 2, 3, 4
"""

_VINTAGES: LiteralString = f"""
WITH e AS MATERIALIZED ({STEP})
INSERT INTO report_vintages AS r (organization_id, asset_id, program_id, cohort, month, issued, redeemed,
    broken, withdrawn)
SELECT %(organization_id)s, asset_id, program_id, cohort, month, COALESCE(issued, 0), COALESCE(redeemed, 0),
    COALESCE(broken, 0), COALESCE(withdrawn, 0)
FROM ({VINTAGES}) v
ON CONFLICT (organization_id, asset_id, program_id, cohort, month) DO UPDATE SET
    issued = r.issued + excluded.issued, redeemed = r.redeemed + excluded.redeemed,
    broken = r.broken + excluded.broken, withdrawn = r.withdrawn + excluded.withdrawn
"""


def roll_up(c: Connection, organization_id: UUID, limit: int, before: UUID | None = None) -> bool:
    """Roll up the next `limit` sealed entries, up to one from `before` on; returns whether more are left."""
    step = report_marks.take_step(c, organization_id, "details_number", limit, before)
    if step is None:
        return False
    values = {**step.values, "no_program": NO_PROGRAM}
    c.execute(_ISSUED, values)
    c.execute(_ACTORS, values)
    c.execute(_VINTAGES, values)
    report_lots.roll_up(c, STEP, values)
    return step.more
