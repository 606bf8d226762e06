"""Tiers as values: levels with their criteria, and the lifecycle that keeps or takes a level.

What lives here: the nouns, their bounds, and reading them from stored JSON. What time does to an owner's
level is app/engine/lifecycle; which level an event reaches, app/engine/qualify.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID

from app.domain.durations import parse_duration

LEVELS_MAX = 50  # Levels of one tier (decision F1): each is tried on every change of a counter.
TIERS_MAX = 100  # Tiers of one program, archived ones too; all of them stand in every rule set.
CRITERIA_MAX = 20
QUALIFYING_MAX = 20  # Counters that a tier's period starts anew.
RANK_MAX = 1_000_000
EXTEND_MONTHS_MAX = 120
GRACE_DAYS_MAX = 3650


class Operator(StrEnum):
    """How a counter is compared with a threshold."""

    AT_LEAST = ">="
    MORE = ">"
    EQUAL = "=="
    AT_MOST = "<="
    LESS = "<"

    def holds(self, value: Decimal, threshold: Decimal) -> bool:
        """Say whether the comparison is true."""
        match self:
            case Operator.AT_LEAST:
                return value >= threshold
            case Operator.MORE:
                return value > threshold
            case Operator.EQUAL:
                return value == threshold
            case Operator.AT_MOST:
                return value <= threshold
            case Operator.LESS:
                return value < threshold


class RetentionMode(StrEnum):
    """What keeps a level: qualifying in each period, or being active."""

    PERIOD_BASED = "PERIOD_BASED"
    ACTIVITY_REFRESH = "ACTIVITY_REFRESH"


class PeriodType(StrEnum):
    """Which years a PERIOD_BASED tier counts in. NONE: periods of `duration` from each owner's start."""

    CALENDAR_YEAR = "CALENDAR_YEAR"
    FIXED_YEAR = "FIXED_YEAR"
    NONE = "NONE"


class DowngradeMode(StrEnum):
    """Where an owner goes who did not keep the level."""

    DROP_TO_QUALIFYING = "DROP_TO_QUALIFYING"
    DROP_ONE = "DROP_ONE"
    HOLD = "HOLD"


class Rollover(StrEnum):
    """What of a qualifying counter stays for the next period."""

    NONE = "NONE"
    EXCESS = "EXCESS"


class TierReason(StrEnum):
    """Why a level changed, as `participant.tier_changed` tells it (decision F5)."""

    QUALIFIED = "QUALIFIED"
    RULE = "RULE"
    API = "API"
    PERIOD_END = "PERIOD_END"
    EXPIRED = "EXPIRED"
    INACTIVITY = "INACTIVITY"
    REMOVED = "REMOVED"


@dataclass(frozen=True, slots=True)
class Criterion:
    """One comparison of a counter with a threshold."""

    counter: str
    operator: Operator
    threshold: Decimal

    def met(self, counters: Mapping[str, Decimal]) -> bool:
        """Say whether the counter, zero where there is none, satisfies the comparison."""
        return self.operator.holds(counters.get(self.counter, Decimal(0)), self.threshold)


@dataclass(frozen=True, slots=True)
class Level:
    """One level; without criteria it is never reached automatically."""

    key: str
    rank: int
    needs_all: bool
    criteria: tuple[Criterion, ...]
    benefits: Mapping[str, Any]

    def qualifies(self, counters: Mapping[str, Decimal]) -> bool:
        """Say whether the counters reach this level."""
        if not self.criteria:
            return False
        met = (criterion.met(counters) for criterion in self.criteria)
        return all(met) if self.needs_all else any(met)

    def threshold(self, counter: str) -> Decimal | None:
        """Return how much of a counter this level asks for at least; None where it asks for none."""
        asked = [
            one.threshold for one in self.criteria
            if one.counter == counter and one.operator in (Operator.AT_LEAST, Operator.MORE)
        ]
        return max(asked, default=None)


@dataclass(frozen=True, slots=True)
class Lifecycle:
    """How long a level is kept; a tier without `mode` keeps it until a rule or a call changes it."""

    mode: RetentionMode | None = None
    duration: timedelta | None = None
    period: PeriodType = PeriodType.NONE
    start_month: int = 1
    start_day: int = 1
    extend_months: int = 0
    downgrade: DowngradeMode = DowngradeMode.DROP_TO_QUALIFYING
    grace_days: int = 0
    min_level: str | None = None
    qualifying: tuple[str, ...] = ()
    rollover: Rollover = Rollover.NONE


NO_LIFECYCLE = Lifecycle()


@dataclass(frozen=True, slots=True)
class Tier:
    """One tier of a program, its levels by rising rank."""

    id: UUID
    key: str
    archived: bool
    levels: tuple[Level, ...]
    lifecycle: Lifecycle = NO_LIFECYCLE

    def level(self, key: str | None) -> Level | None:
        """Return a level by its key."""
        return next((level for level in self.levels if level.key == key), None)

    def highest(self, counters: Mapping[str, Decimal]) -> Level | None:
        """Return the highest level that the counters qualify for."""
        return next((level for level in reversed(self.levels) if level.qualifies(counters)), None)

    def below(self, level: Level) -> Level | None:
        """Return the next lower level, None where only the base is below."""
        lower = [one for one in self.levels if one.rank < level.rank]
        return lower[-1] if lower else None


def tier_from_json(stored: Mapping[str, Any]) -> Tier:
    """Read a tier as a rule set keeps it."""
    levels = sorted((_level(item) for item in stored.get("levels") or ()), key=lambda level: level.rank)
    return Tier(
        UUID(str(stored["id"])), stored["key"], stored["archived"], tuple(levels),
        lifecycle_from_json(stored.get("lifecycle") or {}),
    )


def _level(item: Mapping[str, Any]) -> Level:
    qualification = item.get("qualification") or {}
    criteria = tuple(
        Criterion(one["counter"], Operator(one["operator"]), Decimal(str(one["threshold"])))
        for one in qualification.get("criteria") or ()
    )
    needs_all = qualification.get("mode", "ALL") == "ALL"
    return Level(item["key"], item["rank"], needs_all, criteria, item.get("benefits") or {})


def lifecycle_from_json(stored: Mapping[str, Any]) -> Lifecycle:
    """Read a lifecycle in the API's own words; parts that are absent have their defaults."""
    retention = stored.get("retention") or {}
    period = stored.get("qualification_period") or {}
    policy = stored.get("downgrade_policy") or {}
    counters = stored.get("counters") or {}
    duration = retention.get("duration")
    return Lifecycle(
        mode=RetentionMode(retention["mode"]) if retention.get("mode") else None,
        duration=parse_duration(duration) if duration else None,
        period=PeriodType(period.get("type") or PeriodType.NONE),
        start_month=period.get("start_month") or 1,
        start_day=period.get("start_day") or 1,
        extend_months=(stored.get("status_validity") or {}).get("extend_months") or 0,
        downgrade=DowngradeMode(policy.get("mode") or DowngradeMode.DROP_TO_QUALIFYING),
        grace_days=policy.get("grace_days") or 0,
        min_level=policy.get("min_level"),
        qualifying=tuple(counters.get("qualifying") or ()),
        rollover=Rollover(counters.get("rollover") or Rollover.NONE),
    )
