"""What rules did on each day: tallies of packed evaluations, rolled up by day (UTC) behind the commits.

Which rules an event was held against is not stored with a decision: it follows from the rule set and the
event's type. So decisions are counted by those here, and app/flows/report_rules finds the rules.
"""

from dataclasses import asdict, dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, LiteralString, NamedTuple
from uuid import UUID

from app.db import Connection
from app.domain.json import dumps
from app.store.report_events import NUMBERED, TAIL, UNNUMBERED

# Candidates follow from the type only where it is a text. A FAILED decision went no further than the rule
# that failed; one that failed otherwise was not held against rules at all.
_GROUPS: LiteralString = """
SELECT d.organization_id, v.program_id, d.ruleset_version AS version, (d.decided_at AT TIME ZONE 'UTC')::date
        AS day,
    CASE WHEN jsonb_typeof(v.event_data->'type') = 'string' THEN v.event_data->>'type' END AS kind,
    CASE WHEN d.status = 'FAILED' THEN (d.evaluations->-1->>0)::integer END AS failed_at,
    count(*) AS decisions
FROM {decisions} d
CROSS JOIN LATERAL (SELECT x.program_id, x.event_data FROM events x
    WHERE x.organization_id = d.organization_id AND x.seq = d.event_seq OFFSET 0) v
WHERE {whose} AND (d.status = 'COMPLETED' OR d.evaluations->-1->>1 = 'FAILED')
GROUP BY 1, 2, 3, 4, 5, 6
"""

_OUTCOMES: LiteralString = """
SELECT x.organization_id, r.id AS rule_id, x.day, x.status, x.reason, x.count
FROM (
    SELECT d.organization_id, (d.decided_at AT TIME ZONE 'UTC')::date AS day, (e->>0)::integer AS number,
        e->>1 AS status, e->>2 AS reason, count(*) AS count
    FROM {decisions} d CROSS JOIN LATERAL jsonb_array_elements(d.evaluations) e
    WHERE {whose}
    GROUP BY 1, 2, 3, 4, 5
) x
JOIN rules r ON r.organization_id = x.organization_id AND r.number = x.number
"""

# OFFSET 0 keeps the planner from walking all of an organization's decisions instead of the newest of all.
_WITHIN: LiteralString = "(SELECT * FROM decisions d WHERE {range} OFFSET 0)"
_BELOW: LiteralString = " AND (d.transaction_id < %(high)s OR d.transaction_id IS NULL)"

_COUNTS: LiteralString = (
    "evaluated, matched, failed, budget_exceeded, outside_time_window, stopped_by_rule, error, timeout"
)

_ADD: LiteralString = f"""
INSERT INTO report_rule_days AS r (organization_id, day, rule_id, {_COUNTS})
SELECT organization_id, day, rule_id, {_COUNTS} FROM jsonb_to_recordset(%(rows)s::jsonb) AS x(
    organization_id uuid, day date, rule_id uuid, evaluated bigint, matched bigint, failed bigint,
    budget_exceeded bigint, outside_time_window bigint, stopped_by_rule bigint, error bigint, timeout bigint)
ON CONFLICT (organization_id, day, rule_id) DO UPDATE SET evaluated = r.evaluated + excluded.evaluated,
    matched = r.matched + excluded.matched, failed = r.failed + excluded.failed,
    budget_exceeded = r.budget_exceeded + excluded.budget_exceeded,
    outside_time_window = r.outside_time_window + excluded.outside_time_window,
    stopped_by_rule = r.stopped_by_rule + excluded.stopped_by_rule, error = r.error + excluded.error,
    timeout = r.timeout + excluded.timeout
"""

_ROLLED: LiteralString = f"""
SELECT r.day, r.rule_id, {_COUNTS} FROM report_rule_days r
WHERE r.organization_id = %(organization_id)s AND r.day >= %(first)s AND r.day <= %(last)s
"""

# Of rules that something was decided about today; a reset that is due counts as done.
_NOTE_BUDGETS: LiteralString = """
INSERT INTO report_rule_assets AS r (organization_id, day, rule_id, asset_id, budget_left)
SELECT b.organization_id, %(today)s, b.rule_id, b.asset_id, {left}
FROM rule_budgets b
WHERE EXISTS (SELECT 1 FROM report_rule_days d
    WHERE d.organization_id = b.organization_id AND d.day = %(today)s AND d.rule_id = b.rule_id)
ON CONFLICT (organization_id, day, rule_id, asset_id) DO UPDATE SET budget_left = excluded.budget_left
    WHERE r.budget_left IS DISTINCT FROM excluded.budget_left
"""

_LEFT: LiteralString = """greatest(b.amount_limit - CASE WHEN b.next_reset_at <= %(now)s THEN 0
    ELSE b.consumed END, 0)"""

_BUDGETS: LiteralString = f"""
SELECT b.rule_id, b.asset_id, {_LEFT} AS budget_left FROM rule_budgets b
WHERE b.organization_id = %(organization_id)s
"""

_NAMES: LiteralString = """
SELECT r.id, r.name, r.program_id FROM rules r WHERE r.organization_id = %(organization_id)s
"""


@dataclass(slots=True)
class Tally:
    """What became of a rule on a day. The condition was true in `matched`; two of them say what then.

    matched ⊇ failed, budget_exceeded; evaluated ⊇ matched, outside_time_window, stopped_by_rule, error and
    timeout, and what is left of it did not match.
    """

    evaluated: int = 0
    matched: int = 0
    failed: int = 0
    budget_exceeded: int = 0
    outside_time_window: int = 0
    stopped_by_rule: int = 0
    error: int = 0
    timeout: int = 0

    def add(self, other: "Tally") -> None:
        """Add what another tally counted."""
        for name, count in asdict(other).items():
            setattr(self, name, getattr(self, name) + count)


class Key(NamedTuple):
    """What a tally is of."""

    organization_id: UUID
    day: date
    rule_id: UUID


class Group(NamedTuple):
    """How many decisions were taken on a day under one rule set about events of one type.

    `kind` is None for events without a type, `failed_at` the number of the rule that ended the event.
    """

    organization_id: UUID
    program_id: UUID
    version: int
    day: date
    kind: str | None
    failed_at: int | None
    decisions: int


def groups(c: Connection, low: int, high: int, organization_id: UUID | None = None) -> list[Group]:
    """Count the decisions of the transactions from `low` to below `high`; below 0 stands for unnumbered ones.

    Those of one organization include unnumbered ones and numbered ones where `low` is below 0.
    """
    return [Group(**row) for row in c.execute(*_ranged(_GROUPS, low, high, organization_id)).fetchall()]


def outcomes(
    c: Connection, low: int, high: int, organization_id: UUID | None = None
) -> list[dict[str, Any]]:
    """Count the evaluations in the same decisions, by rule, day, status and reason."""
    return c.execute(*_ranged(_OUTCOMES, low, high, organization_id)).fetchall()


def _ranged(
    statement: LiteralString, low: int, high: int, organization_id: UUID | None
) -> tuple[LiteralString, dict[str, Any]]:
    if organization_id is None:
        within, whose = (UNNUMBERED if low < 0 else NUMBERED).replace("{row}", "d"), "true"
    else:
        within = TAIL.replace("{row}", "d") + _BELOW
        whose = "d.organization_id = %(organization_id)s"
    values = {"low": low, "high": high, "organization_id": organization_id}
    decisions = _WITHIN.replace("{range}", within)
    return statement.replace("{decisions}", decisions).replace("{whose}", whose), values


def add(c: Connection, tallies: dict[Key, Tally]) -> None:
    """Add tallies to the days they are of."""
    if tallies:
        c.execute(_ADD, {"rows": dumps([
            {"organization_id": key.organization_id.hex, "day": key.day.isoformat(),
             "rule_id": key.rule_id.hex, **asdict(tally)}
            for key, tally in sorted(tallies.items())
        ])})


def forget(c: Connection) -> None:
    """Drop all tallies; the horizon goes back with them."""
    c.execute("DELETE FROM report_rule_days")


def rolled(c: Connection, organization_id: UUID, first: date, last: date) -> dict[Key, Tally]:
    """Return what is rolled up of the days from `first` to `last`."""
    rows = c.execute(_ROLLED, {"organization_id": organization_id, "first": first, "last": last}).fetchall()
    return {Key(organization_id, row.pop("day"), row.pop("rule_id")): Tally(**row) for row in rows}


def every(c: Connection, organization_id: UUID) -> dict[Key, Tally]:
    """Return all that is rolled up of an organization."""
    return rolled(c, organization_id, date.min, date.max)


def note_budgets(c: Connection, now: datetime) -> None:
    """Write down what the budgets have left today, of rules that something was decided about."""
    c.execute(_NOTE_BUDGETS.replace("{left}", _LEFT), {"today": now.date(), "now": now})


def budgets_left(c: Connection, organization_id: UUID, now: datetime) -> dict[tuple[UUID, UUID], Decimal]:
    """Return what each budget has left now, by rule and asset."""
    rows = c.execute(_BUDGETS, {"organization_id": organization_id, "now": now}).fetchall()
    return {(row["rule_id"], row["asset_id"]): row["budget_left"] for row in rows}


def names(c: Connection, organization_id: UUID) -> dict[UUID, dict[str, Any]]:
    """Return the name and program of each rule, archived ones included."""
    rows = c.execute(_NAMES, {"organization_id": organization_id}).fetchall()
    return {row["id"]: row for row in rows}
