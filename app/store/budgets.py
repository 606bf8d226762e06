"""The SQL of rule budgets: what a rule may issue of an asset, what it has, and when it starts anew.

Workers spend from these rows; whoever changes them locks them first, see app/flows/locks.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from app.db import Connection
from app.domain.rules import Budget, CronSchedule, IntervalSchedule, Schedule, ScheduleType

_COLUMNS = """b.rule_id, b.asset_id, b.amount_limit, b.consumed, b.schedule_type, b.cron_expression,
    b.interval_text, b.next_reset_at"""

_OF_RULES = f"""
SELECT {_COLUMNS}, a.scale FROM rule_budgets b
JOIN assets a ON a.organization_id = b.organization_id AND a.id = b.asset_id
WHERE b.organization_id = %(organization_id)s AND b.rule_id = ANY(%(rule_ids)s::uuid[])
ORDER BY b.rule_id, b.asset_id
"""

# The rule set that the caller puts in force next is the first to charge a new budget: an event that is being
# decided by an earlier one issues past it, and the recount of what was consumed leaves that out.
_PUT = """
INSERT INTO rule_budgets (organization_id, rule_id, asset_id, amount_limit, consumed, schedule_type,
    cron_expression, interval_text, next_reset_at, first_ruleset)
SELECT %(organization_id)s, %(rule_id)s, %(asset_id)s, %(limit)s, 0, %(schedule_type)s, %(cron_expression)s,
    %(interval)s, %(next_reset_at)s, p.ruleset_version + 1
FROM rules r JOIN programs p ON p.organization_id = r.organization_id AND p.id = r.program_id
WHERE r.organization_id = %(organization_id)s AND r.id = %(rule_id)s
ON CONFLICT (organization_id, rule_id, asset_id) DO UPDATE SET
    amount_limit = excluded.amount_limit, schedule_type = excluded.schedule_type,
    cron_expression = excluded.cron_expression, interval_text = excluded.interval_text,
    next_reset_at = excluded.next_reset_at
"""

_REMOVE = """
DELETE FROM rule_budgets
WHERE organization_id = %(organization_id)s AND rule_id = %(rule_id)s
    AND asset_id = ANY(%(asset_ids)s::uuid[])
"""

# Noted as well: what was issued before and after cannot be told apart from the events alone.
_RESET = """
WITH done AS (
    UPDATE rule_budgets SET consumed = 0, next_reset_at = %(next_reset_at)s, counted_from = %(at)s
    WHERE organization_id = %(organization_id)s AND rule_id = %(rule_id)s AND asset_id = %(asset_id)s
    RETURNING organization_id, rule_id, asset_id, counted_from
)
INSERT INTO budget_resets (organization_id, rule_id, asset_id, reset_at)
SELECT organization_id, rule_id, asset_id, counted_from FROM done ON CONFLICT DO NOTHING
"""


@dataclass(frozen=True, slots=True)
class BudgetState:
    """A budget as it stands: the rule's wish and what has become of it. `scale` is the asset's."""

    rule_id: UUID
    budget: Budget
    scale: int
    consumed: Decimal
    next_reset_at: datetime | None


def of_rules(c: Connection, organization_id: UUID, rule_ids: Iterable[UUID]) -> dict[UUID, list[BudgetState]]:
    """Return the budgets of some rules, by rule, sorted by asset; rules without budgets are left out."""
    rows = c.execute(_OF_RULES, {"organization_id": organization_id, "rule_ids": list(rule_ids)}).fetchall()
    found: dict[UUID, list[BudgetState]] = {}
    for row in rows:
        schedule: Schedule | None = None
        if row["schedule_type"] == ScheduleType.CRON:
            schedule = CronSchedule(row["cron_expression"])
        elif row["schedule_type"] == ScheduleType.INTERVAL:
            schedule = IntervalSchedule(row["interval_text"])
        budget = Budget(row["asset_id"], row["amount_limit"], schedule)
        found.setdefault(row["rule_id"], []).append(
            BudgetState(row["rule_id"], budget, row["scale"], row["consumed"], row["next_reset_at"])
        )
    return found


def put(
    c: Connection, organization_id: UUID, rule_id: UUID, budget: Budget, next_reset_at: datetime | None
) -> None:
    """Add a budget, or change one; what it has consumed stays."""
    schedule = budget.schedule
    c.execute(_PUT, {
        "organization_id": organization_id, "rule_id": rule_id, "asset_id": budget.asset_id,
        "limit": budget.limit,
        "schedule_type": None if schedule is None else (
            ScheduleType.CRON if isinstance(schedule, CronSchedule) else ScheduleType.INTERVAL
        ).value,
        "cron_expression": schedule.expression if isinstance(schedule, CronSchedule) else None,
        "interval": schedule.interval if isinstance(schedule, IntervalSchedule) else None,
        "next_reset_at": next_reset_at,
    })


def remove(c: Connection, organization_id: UUID, rule_id: UUID, asset_ids: Iterable[UUID]) -> None:
    """Remove budgets of a rule."""
    c.execute(_REMOVE, {
        "organization_id": organization_id, "rule_id": rule_id, "asset_ids": list(asset_ids)
    })


def reset(
    c: Connection, organization_id: UUID, rule_id: UUID, asset_id: UUID, at: datetime,
    next_reset_at: datetime | None,
) -> None:
    """Start a budget anew at `at`, and note that somebody did."""
    c.execute(_RESET, {
        "organization_id": organization_id, "rule_id": rule_id, "asset_id": asset_id, "at": at,
        "next_reset_at": next_reset_at,
    })
