"""What time does to an owner's levels: period ends, grace, lapses, expiries, and counters that start anew.

Pure: the state as stored, the instant, and out come the new state and what to tell. Moments that passed are
worked off one by one in their order, so that looking late gives what looking in time would have given.
At a period end: the counters are frozen, every tier decides on them, then they roll over (decision F1).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

from app.domain.amounts import EXACT, ZERO, format_plain
from app.domain.names import StateOperation, StateType
from app.domain.tiers import DowngradeMode, Level, Lifecycle, RetentionMode, Rollover, Tier, TierReason
from app.engine.state import Counter, StateChange
from app.engine.tiers import add_months, first_check, has_periods, next_period_end

MOMENTS_MAX = 1000  # In one review; an owner with more behind it is due again at once.


class Outcome(StrEnum):
    """What a review decided about a level."""

    RETAINED = "RETAINED"
    GRACE = "GRACE"
    DOWNGRADED = "DOWNGRADED"
    REMOVED = "REMOVED"


@dataclass(frozen=True, slots=True)
class Standing:
    """Where an owner stands in one tier. `level` None is the base.

    `checks_at` is when the lifecycle looks next. While `grace_until` is set the level is lost already, and
    falls to `falls_to` then, unless the owner earns it again.
    """

    level: str | None = None
    acquired_at: datetime | None = None
    expires_at: datetime | None = None
    checks_at: datetime | None = None
    grace_until: datetime | None = None
    falls_to: str | None = None

    @property
    def review_at(self) -> datetime | None:
        """Return when something is due."""
        due = [at for at in (self.expires_at, self.checks_at, self.grace_until) if at is not None]
        return min(due, default=None)


@dataclass(frozen=True, slots=True)
class Step:
    """One decision about one level, to be announced."""

    tier: Tier
    at: datetime
    outcome: Outcome
    reason: TierReason
    before: str | None
    after: str | None


@dataclass(slots=True)
class Review:
    """An owner under review: the running state, and what happened to it."""

    tiers: Mapping[UUID, Tier]
    standings: dict[UUID, Standing]
    counters: dict[str, Counter]
    last_activity_at: datetime | None
    steps: list[Step] = field(default_factory=list)
    changes: list[tuple[UUID, StateChange]] = field(default_factory=list)

    def values(self, at: datetime) -> dict[str, Decimal]:
        """Return the counters as they read at an instant."""
        return {key: counter.effective(at) for key, counter in self.counters.items()}


def run(review: Review, now: datetime) -> None:
    """Work off every moment up to `now`, in order."""
    for _ in range(MOMENTS_MAX):
        due = {key: at for key, one in review.standings.items() if (at := one.review_at) is not None}
        moment = min(due.values(), default=None)
        if moment is None or moment > now:
            return
        frozen = review.values(moment)
        ended = [_look(review, key, moment, frozen) for key in sorted(due) if due[key] == moment]
        _roll_over(review, [tier for tier in ended if tier is not None], frozen, moment)


def _look(review: Review, key: UUID, at: datetime, frozen: Mapping[str, Decimal]) -> Tier | None:
    """Do what one tier has due at an instant; return the tier where its counters roll over."""
    tier, standing = review.tiers[key], review.standings[key]
    if standing.expires_at == at:
        checks_at = standing.checks_at if has_periods(tier.lifecycle) else None
        review.standings[key] = Standing(checks_at=checks_at)
        _tell(review, key, at, Outcome.REMOVED, TierReason.EXPIRED, standing.level, None)
        return None
    if tier.archived or tier.lifecycle.mode is None:
        review.standings[key] = replace(standing, checks_at=None, grace_until=None, falls_to=None)
        return None
    match tier.lifecycle.mode:
        case RetentionMode.PERIOD_BASED:
            return _look_at_period(review, key, at, frozen)
        case RetentionMode.ACTIVITY_REFRESH:
            return _look_at_activity(review, key, at, frozen)


def _look_at_period(review: Review, key: UUID, at: datetime, frozen: Mapping[str, Decimal]) -> Tier | None:
    tier, standing = review.tiers[key], review.standings[key]
    level = tier.level(standing.level)
    if standing.checks_at != at:
        assert level is not None, "there is no grace at the base"
        _end_grace(review, key, at, level, frozen, TierReason.PERIOD_END)
        return None
    standing = replace(standing, checks_at=next_period_end(tier.lifecycle, at))
    review.standings[key] = standing
    if level is None:
        return tier
    target = _fallen(tier, level, frozen)
    best = tier.highest(frozen)
    if target is level or (best is not None and best.rank >= level.rank):
        review.standings[key] = replace(standing, grace_until=None, falls_to=None)
        _tell(review, key, at, Outcome.RETAINED, TierReason.PERIOD_END, level.key, level.key)
        return tier
    if standing.grace_until is not None:
        # Lost one period ago and still valid: the better of the two results counts in the end.
        higher = _higher(tier.level(standing.falls_to), target)
        review.standings[key] = replace(standing, falls_to=higher.key if higher else None)
        if standing.grace_until == at:
            _end_grace(review, key, at, level, frozen, TierReason.PERIOD_END)
        return tier
    until = add_months(at, tier.lifecycle.extend_months) + timedelta(days=tier.lifecycle.grace_days)
    _lose(review, key, at, until, level, target, TierReason.PERIOD_END)
    return tier


def _look_at_activity(review: Review, key: UUID, at: datetime, frozen: Mapping[str, Decimal]) -> Tier | None:
    tier, standing = review.tiers[key], review.standings[key]
    level, lifecycle = tier.level(standing.level), tier.lifecycle
    if level is None or lifecycle.duration is None:
        review.standings[key] = replace(standing, checks_at=None, grace_until=None, falls_to=None)
        return None
    active = [one for one in (standing.acquired_at, review.last_activity_at) if one is not None]
    lapses_at = max(active, default=at) + lifecycle.duration
    if lapses_at > at:
        review.standings[key] = replace(standing, checks_at=lapses_at, grace_until=None, falls_to=None)
        return None
    if standing.grace_until == at:
        target = _higher(tier.level(standing.falls_to), _lapsed(tier, level, frozen))
        _fall(review, key, at, level, target, TierReason.INACTIVITY)
        return tier
    target = _lapsed(tier, level, frozen)
    until = at + timedelta(days=lifecycle.grace_days)
    if target is level:
        review.standings[key] = replace(standing, checks_at=at + lifecycle.duration)
        _tell(review, key, at, Outcome.RETAINED, TierReason.INACTIVITY, level.key, level.key)
        return None
    review.standings[key] = replace(standing, checks_at=None)
    _lose(review, key, at, until, level, target, TierReason.INACTIVITY)
    return tier if until == at else None


def _fallen(tier: Tier, level: Level, counters: Mapping[str, Decimal]) -> Level | None:
    """Return where an owner goes who did not qualify in a period; the level itself where it stays."""
    match tier.lifecycle.downgrade:
        case DowngradeMode.HOLD:
            return level
        case DowngradeMode.DROP_ONE:
            return _floored(tier, level, tier.below(level))
        case DowngradeMode.DROP_TO_QUALIFYING:
            best = tier.highest(counters)
            return level if best and best.rank >= level.rank else _floored(tier, level, best)


def _lapsed(tier: Tier, level: Level, counters: Mapping[str, Decimal]) -> Level | None:
    """Return where an owner goes who was inactive for too long: always lower, whatever the counters say.

    Counters outlive the activity that made them; a level that they could keep would never lapse.
    """
    match tier.lifecycle.downgrade:
        case DowngradeMode.HOLD:
            return level
        case DowngradeMode.DROP_ONE:
            return _floored(tier, level, tier.below(level))
        case DowngradeMode.DROP_TO_QUALIFYING:
            lower = [one for one in tier.levels if one.rank < level.rank and one.qualifies(counters)]
            return _floored(tier, level, lower[-1] if lower else None)


def _floored(tier: Tier, level: Level, target: Level | None) -> Level | None:
    """Return the target, or the tier's floor where that is higher; never more than the level itself."""
    floor = tier.level(tier.lifecycle.min_level)
    if floor is None or (target is not None and target.rank >= floor.rank):
        return target
    return floor if floor.rank < level.rank else level


def _lose(
    review: Review, key: UUID, at: datetime, until: datetime, level: Level, target: Level | None,
    reason: TierReason,
) -> None:
    """Begin the grace of a lost level, or lower it at once where there is none."""
    if until == at:
        _fall(review, key, at, level, target, reason)
        return
    review.standings[key] = replace(
        review.standings[key], grace_until=until, falls_to=target.key if target else None
    )
    _tell(review, key, at, Outcome.GRACE, reason, level.key, level.key)


def _end_grace(
    review: Review, key: UUID, at: datetime, level: Level, counters: Mapping[str, Decimal],
    reason: TierReason,
) -> None:
    """Lower a level whose grace is over, unless the counters of the new period have earned it again."""
    tier, standing = review.tiers[key], review.standings[key]
    best = tier.highest(counters)
    if best is not None and best.rank >= level.rank:
        review.standings[key] = replace(standing, grace_until=None, falls_to=None)
        _tell(review, key, at, Outcome.RETAINED, reason, level.key, level.key)
        return
    target = tier.level(standing.falls_to)
    if tier.lifecycle.downgrade is DowngradeMode.DROP_TO_QUALIFYING:
        target = _higher(target, best)
    _fall(review, key, at, level, target, reason)


def _fall(
    review: Review, key: UUID, at: datetime, level: Level, target: Level | None, reason: TierReason
) -> None:
    tier, standing = review.tiers[key], review.standings[key]
    checks_at = standing.checks_at
    if tier.lifecycle.mode is RetentionMode.ACTIVITY_REFRESH:
        checks_at = first_check(tier.lifecycle, at) if target else None
    if target is None:
        review.standings[key] = Standing(checks_at=checks_at)
    else:
        review.standings[key] = Standing(target.key, at, standing.expires_at, checks_at)
    _tell(review, key, at, Outcome.DOWNGRADED, reason, level.key, target.key if target else None)


def _higher(one: Level | None, other: Level | None) -> Level | None:
    if one is None or other is None:
        return one or other
    return one if one.rank >= other.rank else other


def _tell(
    review: Review, key: UUID, at: datetime, outcome: Outcome, reason: TierReason, before: str | None,
    after: str | None,
) -> None:
    tier = review.tiers[key]
    review.steps.append(Step(tier, at, outcome, reason, before, after))
    if before != after:
        operation = StateOperation.SET if after else StateOperation.DELETE
        review.changes.append((key, StateChange(
            StateType.TIER, tier.key, operation, before, after, None, reason
        )))


def _roll_over(review: Review, ended: list[Tier], frozen: Mapping[str, Decimal], at: datetime) -> None:
    """Start the counters of the ended periods anew; where two tiers disagree, the larger rest stays."""
    kept: dict[str, Decimal] = {}
    origin: dict[str, UUID] = {}
    for tier in ended:
        level = tier.level(review.standings[tier.id].level)
        for key in tier.lifecycle.qualifying:
            if key in frozen:
                rest = _rest(tier.lifecycle, level, key, frozen[key])
                kept[key] = max(rest, kept.get(key, rest))
                origin.setdefault(key, tier.id)
    for key, rest in kept.items():
        counter = review.counters[key]
        if frozen[key] == rest and counter.value == rest:
            continue
        review.counters[key] = Counter(
            rest, counter.reset_after, at if counter.reset_after is not None else None
        )
        if frozen[key] != rest:
            review.changes.append((origin[key], StateChange(
                StateType.COUNTER, key, StateOperation.AUTO_RESET, format_plain(frozen[key]),
                format_plain(rest), None,
            )))
    for tier in ended:
        standing = review.standings[tier.id]
        if standing.level is None and not counts(tier.lifecycle, review.counters):
            review.standings[tier.id] = replace(standing, checks_at=None)


def _rest(lifecycle: Lifecycle, level: Level | None, key: str, value: Decimal) -> Decimal:
    """Return what of a counter goes into the next period."""
    match lifecycle.rollover:
        case Rollover.NONE:
            return ZERO
        case Rollover.EXCESS:
            threshold = level.threshold(key) if level else None
            return ZERO if threshold is None else max(ZERO, EXACT.subtract(value, threshold))


def counts(lifecycle: Lifecycle, counters: Mapping[str, Counter]) -> bool:
    """Say whether some counter of the tier's periods stands above or below zero."""
    return any(key in counters and counters[key].value for key in lifecycle.qualifying)
