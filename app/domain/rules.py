"""A rule as one version of it stood: the value that `rule_history.snapshot` keeps and `decide` runs.

What lives here: the value, its bounds, and its reading from a snapshot. SQL is in app/store/rules.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, TypeAlias
from uuid import UUID

from app.domain.action_reading import actions_from_json
from app.domain.actions import Action
from app.domain.amounts import format_plain
from app.domain.instants import format_instant, parse_instant

RULES_MAX = 2000  # Rules of one program that are not archived: an event meets all of them in the worst case.
ORDER_STEP = 10  # A rule without `order` comes this far behind the last one.
ORDER_MAX = 2_147_483_647
BUDGETS_MAX = 100


class RuleStatus(StrEnum):
    """Whether events meet the rule; ARCHIVED is final."""

    ACTIVE = "ACTIVE"
    SUSPENDED = "SUSPENDED"
    ARCHIVED = "ARCHIVED"


class ChangeType(StrEnum):
    """What a history entry records."""

    CREATED = "created"
    UPDATED = "updated"
    ARCHIVED = "archived"
    SUSPENDED = "suspended"
    ACTIVATED = "activated"


class ScheduleType(StrEnum):
    """How a budget starts anew; a budget with neither is for the rule's lifetime."""

    CRON = "CRON"
    INTERVAL = "INTERVAL"


@dataclass(frozen=True, slots=True)
class CronSchedule:
    """Start anew at the times of a cron expression, in UTC."""

    expression: str


@dataclass(frozen=True, slots=True)
class IntervalSchedule:
    """Start anew after each interval (a Go duration), counted from when the budget was set."""

    interval: str


Schedule: TypeAlias = CronSchedule | IntervalSchedule


@dataclass(frozen=True, slots=True)
class Budget:
    """How much of an asset the rule may issue; what it has issued so far stands in the database."""

    asset_id: UUID
    limit: Decimal
    schedule: Schedule | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """One version of a rule, named by `history_id`: everything that decides what it does."""

    id: UUID
    program_id: UUID
    history_id: UUID
    name: str
    condition: str
    actions: tuple[Action, ...]
    order: int
    stop_after_match: bool = False
    active_from: datetime | None = None
    active_to: datetime | None = None
    status: RuleStatus = RuleStatus.ACTIVE
    budgets: tuple[Budget, ...] = ()
    description: str | None = None

    def in_window(self, now: datetime) -> bool:
        """Say whether the wall clock stands within `active_from` … `active_to`, both inclusive."""
        return not (
            (self.active_from is not None and now < self.active_from)
            or (self.active_to is not None and now > self.active_to)
        )


def rule_from_snapshot(history_id: UUID, snapshot: Mapping[str, Any]) -> Rule:
    """Read the version of a rule that a history entry keeps."""
    return Rule(
        id=UUID(snapshot["id"]),
        program_id=UUID(snapshot["program_id"]),
        history_id=history_id,
        name=snapshot["name"],
        description=snapshot.get("description"),
        condition=snapshot["condition"],
        actions=actions_from_json(snapshot["actions"]),
        order=snapshot["order"],
        stop_after_match=snapshot["stop_after_match"],
        active_from=_instant(snapshot.get("active_from")),
        active_to=_instant(snapshot.get("active_to")),
        status=RuleStatus(snapshot["status"]),
        budgets=tuple(budget_from_json(item) for item in snapshot.get("budgets") or ()),
    )


def budget_from_json(item: Mapping[str, Any]) -> Budget:
    """Read a stored budget; its limit is a decimal in text, its schedule one of the two or none."""
    return Budget(UUID(item["asset_id"]), Decimal(item["limit"]), _schedule(item))


def budget_to_json(budget: Budget) -> dict[str, Any]:
    """Write a budget as snapshots keep it: without what changes by itself."""
    written: dict[str, Any] = {"asset_id": str(budget.asset_id), "limit": format_plain(budget.limit)}
    match budget.schedule:
        case CronSchedule(expression):
            written |= {"schedule_type": ScheduleType.CRON.value, "cron_expression": expression}
        case IntervalSchedule(interval):
            written |= {"schedule_type": ScheduleType.INTERVAL.value, "interval": interval}
        case None:
            pass
    return written


def snapshot_of(rule: Rule, actions: list[dict[str, Any]]) -> dict[str, Any]:
    """Write a rule as its history keeps it; `actions` are the ones the caller gave, word for word."""
    return {
        "id": str(rule.id),
        "program_id": str(rule.program_id),
        "name": rule.name,
        "description": rule.description,
        "condition": rule.condition,
        "actions": actions,
        "order": rule.order,
        "stop_after_match": rule.stop_after_match,
        "active_from": None if rule.active_from is None else format_instant(rule.active_from),
        "active_to": None if rule.active_to is None else format_instant(rule.active_to),
        "status": rule.status.value,
        "budgets": [budget_to_json(each) for each in sorted(rule.budgets, key=lambda each: each.asset_id)],
    }


def _schedule(item: Mapping[str, Any]) -> Schedule | None:
    match item.get("schedule_type"):
        case None:
            return None
        case ScheduleType.CRON.value:
            return CronSchedule(item["cron_expression"])
        case ScheduleType.INTERVAL.value:
            return IntervalSchedule(item["interval"])
        case other:
            raise AssertionError(f"unknown schedule {other!r}")


def _instant(text: str | None) -> datetime | None:
    return None if text is None else parse_instant(text)
