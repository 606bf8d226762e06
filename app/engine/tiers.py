"""Tiers in force: their levels, and which level counters qualify for."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

Operator = Literal[">=", ">", "==", "<=", "<"]


@dataclass(frozen=True, slots=True)
class Criterion:
    """One comparison of a counter with a threshold."""

    counter: str
    operator: Operator
    threshold: Decimal

    def met(self, counters: Mapping[str, Decimal]) -> bool:
        """Say whether the counter, zero where there is none, satisfies the comparison."""
        value = counters.get(self.counter, Decimal(0))
        match self.operator:
            case ">=":
                return value >= self.threshold
            case ">":
                return value > self.threshold
            case "==":
                return value == self.threshold
            case "<=":
                return value <= self.threshold
            case "<":
                return value < self.threshold


@dataclass(frozen=True, slots=True)
class Level:
    """One level; without criteria it is never reached automatically."""

    key: str
    rank: int
    mode: Literal["ALL", "ANY"]
    criteria: tuple[Criterion, ...]
    benefits: Mapping[str, Any]

    def qualifies(self, counters: Mapping[str, Decimal]) -> bool:
        """Say whether the counters reach this level."""
        if not self.criteria:
            return False
        met = (criterion.met(counters) for criterion in self.criteria)
        return all(met) if self.mode == "ALL" else any(met)


@dataclass(frozen=True, slots=True)
class Tier:
    """One tier of a program, its levels by rising rank."""

    id: UUID
    key: str
    archived: bool
    levels: tuple[Level, ...]
    lifecycle: Mapping[str, Any]

    def level(self, key: str) -> Level | None:
        """Return a level by its key."""
        return next((level for level in self.levels if level.key == key), None)

    def highest(self, counters: Mapping[str, Decimal]) -> Level | None:
        """Return the highest level that the counters qualify for."""
        return next((level for level in reversed(self.levels) if level.qualifies(counters)), None)


def tier_from_json(stored: Mapping[str, Any]) -> Tier:
    """Read a tier as a rule set keeps it."""
    levels = []
    for item in stored.get("levels") or ():
        qualification = item.get("qualification") or {}
        levels.append(Level(
            item["key"], item["rank"], qualification.get("mode", "ALL"),
            tuple(
                Criterion(c["counter"], c["operator"], Decimal(str(c["threshold"])))
                for c in qualification.get("criteria", ())
            ),
            item.get("benefits") or {},
        ))
    levels.sort(key=lambda level: level.rank)
    return Tier(
        UUID(stored["id"]), stored["key"], stored["archived"], tuple(levels), stored.get("lifecycle") or {}
    )
