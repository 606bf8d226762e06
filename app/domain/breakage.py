"""Estimating how much of what was issued will ever be redeemed, from what became of older value.

The method: value is followed by cohort (the month in which it was earned) and age (in whole months). At each
age the share of the value still outstanding that was redeemed, and the share that expired or was forfeited,
are pooled over all cohorts that have come to that age. A cohort's outstanding value is carried along these
shares to the oldest age seen; what is left then counts as never redeemed. This is the discrete Aalen-Johansen
estimator of a cumulative incidence: redemption and breakage compete, and value that left in other ways
(transfers, debits, voided holds) is taken out of what was at risk.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Context, Decimal
from typing import NamedTuple

from app.domain.amounts import EXACT, ZERO
from app.domain.reports import total

METHOD = (
    "Aalen-Johansen by months of age, pooled over cohorts: shares of the outstanding value that are redeemed "
    "and that break at each age, chained from a cohort's age to the oldest age seen; the rest is breakage"
)
_RATES = Context(prec=34)
ONE = Decimal(1)


class Flow(NamedTuple):
    """What came to a cohort in one month, and what left it; redemptions are net of reversals."""

    issued: Decimal = ZERO
    redeemed: Decimal = ZERO
    broken: Decimal = ZERO
    withdrawn: Decimal = ZERO


@dataclass(frozen=True, slots=True)
class Cohort:
    """Value earned in one month; `flows` has one for each whole month since, from the first on."""

    month: date
    flows: tuple[Flow, ...]

    @property
    def age(self) -> int:
        """How many whole months are known."""
        return len(self.flows)

    def young(self, age: int) -> "Cohort":
        """Return the cohort as it was known at an age."""
        return Cohort(self.month, self.flows[:age])

    @property
    def sums(self) -> Flow:
        """All flows together."""
        return Flow(*(total(parts) for parts in zip(*self.flows, strict=True))) if self.flows else Flow()

    @property
    def outstanding(self) -> Decimal:
        """What is left of it."""
        return _left(self.sums)

    @property
    def redeemed_share(self) -> Decimal | None:
        """What was redeemed of all that was not withdrawn; None of nothing."""
        sums = self.sums
        return _share(sums.redeemed, EXACT.subtract(sums.issued, sums.withdrawn))


class Rate(NamedTuple):
    """Of what is outstanding at an age, the shares that are redeemed and that break during it."""

    redeemed: Decimal
    broken: Decimal


@dataclass(frozen=True, slots=True)
class Backtest:
    """What the method said at an earlier age about today, from no more than was known then."""

    age: int
    predicted: Decimal
    actual: Decimal

    @property
    def error(self) -> Decimal:
        """How much too high the prediction was."""
        return EXACT.subtract(self.predicted, self.actual)


def cohorts(cells: Iterable[tuple[date, date, Flow]], through: date) -> list[Cohort]:
    """Gather flows given as (cohort, month, flow) into cohorts, oldest first; months before `through`."""
    found: dict[date, dict[int, Flow]] = {}
    for month, at, flow in cells:
        age = max(months_between(month, at), 0)
        mine = found.setdefault(month, {})
        known = mine.get(age, Flow())
        mine[age] = Flow(*map(EXACT.add, known, flow))
    return [
        Cohort(month, tuple(mine.get(age, Flow()) for age in range(months_between(month, through))))
        for month, mine in sorted(found.items())
    ]


def months_between(start: date, end: date) -> int:
    """Return how many months lie between the firsts of two months."""
    return (end.year - start.year) * 12 + end.month - start.month


def curve(pooled: Sequence[Cohort]) -> list[Rate]:
    """Return the rates by age, up to the oldest age that is known."""
    rates: list[Rate] = []
    left = {cohort.month: ZERO for cohort in pooled}
    for age in range(max((cohort.age for cohort in pooled), default=0)):
        at_risk, redeemed, broken = ZERO, ZERO, ZERO
        for cohort in pooled:
            if cohort.age <= age:
                continue
            flow = cohort.flows[age]
            came = EXACT.subtract(EXACT.add(left[cohort.month], flow.issued), flow.withdrawn)
            at_risk = EXACT.add(at_risk, came)
            redeemed, broken = EXACT.add(redeemed, flow.redeemed), EXACT.add(broken, flow.broken)
            left[cohort.month] = total((came, EXACT.minus(flow.redeemed), EXACT.minus(flow.broken)))
        if at_risk <= 0:
            # Everything of that age is gone: nothing more happens to it.
            rates.append(Rate(ZERO, ZERO))
            continue
        first = _bounded(_RATES.divide(redeemed, at_risk), ONE)
        rates.append(Rate(first, _bounded(_RATES.divide(broken, at_risk), ONE - first)))
    return rates


def incidence(rates: Sequence[Rate], start: int, end: int) -> Decimal:
    """Return which share of what is outstanding at age `start` is redeemed before age `end`."""
    left, redeemed = ONE, ZERO
    for rate in rates[start:end]:
        redeemed = _RATES.add(redeemed, _RATES.multiply(left, rate.redeemed))
        left = _RATES.multiply(left, ONE - rate.redeemed - rate.broken)
    return redeemed


def ultimate(cohort: Cohort, rates: Sequence[Rate], end: int | None = None) -> Decimal | None:
    """Return the share of a cohort that will have been redeemed at age `end`, by default at the oldest."""
    sums = cohort.sums
    coming = _RATES.multiply(
        max(cohort.outstanding, ZERO), incidence(rates, cohort.age, len(rates) if end is None else end)
    )
    return _share(_RATES.add(sums.redeemed, coming), EXACT.subtract(sums.issued, sums.withdrawn))


def backtest(cohort: Cohort, all_of_them: Sequence[Cohort]) -> Backtest | None:
    """Predict the cohort's present from half its age; None where nothing older was known by then."""
    age = cohort.age // 2
    if not age:
        return None
    known = [
        other.young(months_between(other.month, cohort.month) + age) for other in all_of_them
        if months_between(other.month, cohort.month) + age > 0
    ]
    rates = curve(known)
    actual = cohort.redeemed_share
    predicted = ultimate(cohort.young(age), rates, cohort.age) if len(rates) >= cohort.age else None
    if predicted is None or actual is None:
        return None
    return Backtest(age, predicted, actual)


def mean_error(tested: Iterable[tuple[Cohort, Backtest]]) -> Decimal | None:
    """Return the mean of the absolute errors, each cohort weighing what it issued; None of none."""
    weights, errors = ZERO, ZERO
    for cohort, test in tested:
        issued = cohort.sums.issued
        weights = EXACT.add(weights, issued)
        errors = _RATES.add(errors, _RATES.multiply(abs(test.error), issued))
    return _share(errors, weights)


def _left(sums: Flow) -> Decimal:
    return total((sums.issued, *map(EXACT.minus, (sums.redeemed, sums.broken, sums.withdrawn))))


def _share(part: Decimal, whole: Decimal) -> Decimal | None:
    return None if whole <= 0 else _RATES.divide(part, whole)


def _bounded(rate: Decimal, most: Decimal) -> Decimal:
    return min(max(rate, ZERO), most)
