"""The roll-ups beside what they were made from: each check returns differences only, one statement each."""

from typing import Any, LiteralString
from uuid import UUID

from app.book import report_marks
from app.book.report_details import ACTORS, ISSUED, VINTAGES
from app.book.report_lots import CHANGES, TOUCHED
from app.book.reports import NO_PROGRAM, STEP, TAIL
from app.db import Connection

_LOTS: LiteralString = f"""
WITH e AS MATERIALIZED ({TAIL}), {TOUCHED}, counted_as AS (
    SELECT asset_id, program_id, held, expires_on, sum(amount) AS amount, sum(lots) AS lots FROM (
        SELECT asset_id, program_id, held, expires_on, amount, lots FROM report_lot_cells
        WHERE organization_id = %(organization_id)s
        UNION ALL
        {CHANGES}
    ) x GROUP BY 1, 2, 3, 4 HAVING sum(amount) <> 0 OR sum(lots) <> 0
), there AS (
    SELECT a.asset_id, COALESCE(l.program_id, %(no_program)s) AS program_id, l.bucket = 'HELD' AS held,
        COALESCE((l.expires_at AT TIME ZONE 'UTC')::date, 'infinity') AS expires_on,
        sum(l.remaining) AS amount, count(*) AS lots
    FROM lots l JOIN accounts a ON a.organization_id = l.organization_id AND a.id = l.account_id
    WHERE l.organization_id = %(organization_id)s AND l.remaining > 0
    GROUP BY 1, 2, 3, 4
)
SELECT 'lots of asset ' || asset_id || ' until ' || expires_on || CASE WHEN held THEN ', held' ELSE '' END
        AS subject,
    concat_ws(' ', 'rolled up', COALESCE(c.amount, 0), 'in', COALESCE(c.lots, 0), 'lots, there are',
        COALESCE(t.amount, 0), 'in', COALESCE(t.lots, 0)) AS detail
FROM counted_as c FULL JOIN there t USING (asset_id, program_id, held, expires_on)
WHERE c.amount IS DISTINCT FROM t.amount OR c.lots IS DISTINCT FROM t.lots
"""

_VINTAGES: LiteralString = f"""
WITH e AS MATERIALIZED ({STEP}), fresh AS (
    SELECT asset_id, program_id, cohort, month, COALESCE(issued, 0) AS issued,
        COALESCE(redeemed, 0) AS redeemed, COALESCE(broken, 0) AS broken, COALESCE(withdrawn, 0) AS withdrawn
    FROM ({VINTAGES}) v
)
SELECT 'asset ' || asset_id || ', cohort ' || cohort || ' in ' || month AS subject,
    concat_ws(' ', 'rolled up', concat_ws('/', r.issued, r.redeemed, r.broken, r.withdrawn), 'moved',
        concat_ws('/', f.issued, f.redeemed, f.broken, f.withdrawn)) AS detail
FROM (SELECT * FROM report_vintages WHERE organization_id = %(organization_id)s) r
FULL JOIN fresh f USING (asset_id, program_id, cohort, month)
WHERE (r.issued, r.redeemed, r.broken, r.withdrawn)
    IS DISTINCT FROM (f.issued, f.redeemed, f.broken, f.withdrawn)
"""

_PEOPLE: LiteralString = f"""
WITH e AS MATERIALIZED ({STEP}), fresh AS (
    SELECT program_id, count(*) AS people FROM ({ACTORS}) x GROUP BY program_id
)
SELECT 'program ' || program_id AS subject,
    concat_ws(' ', 'rolled up', COALESCE(r.people, 0), 'people, there are', COALESCE(f.people, 0)) AS detail
FROM (SELECT program_id, people FROM report_people WHERE organization_id = %(organization_id)s) r
FULL JOIN fresh f USING (program_id)
WHERE r.people IS DISTINCT FROM f.people
"""

_ISSUED: LiteralString = f"""
WITH e AS MATERIALIZED ({STEP}), fresh AS (SELECT * FROM ({ISSUED}) i)
SELECT 'rule ' || rule_id || ' on ' || day AS subject,
    concat_ws(' ', 'rolled up', COALESCE(r.issued, 0), 'issued, posted', COALESCE(f.issued, 0)) AS detail
FROM (SELECT * FROM report_rule_assets WHERE organization_id = %(organization_id)s) r
FULL JOIN fresh f USING (day, rule_id, asset_id)
WHERE COALESCE(r.issued, 0) <> COALESCE(f.issued, 0)
"""

CHECKS: dict[str, LiteralString] = {
    "lots": _LOTS, "vintages": _VINTAGES, "people": _PEOPLE, "issued": _ISSUED,
}


def differences(c: Connection, name: str, organization_id: UUID, limit: int) -> list[dict[str, Any]]:
    """Return up to `limit` differences as `subject` and `detail`; none, if all is well."""
    known = report_marks.read(c, organization_id, "details_number")
    values = {
        "organization_id": organization_id, "no_program": NO_PROGRAM, "horizon": known["horizon"],
        # What is rolled up is read from the beginning, what is not from the mark.
        "mark": known["mark"] if name == "lots" else 0, "through": known["mark"], "limit": limit,
    }
    return c.execute(CHECKS[name] + " LIMIT %(limit)s", values).fetchall()
