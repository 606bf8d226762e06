"""Reading the breakage report: cohorts of whole months, their estimates, and how wrong those were before."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import ROUND_HALF_EVEN, Decimal
from uuid import UUID

from app.book import report_breakage
from app.book.report_breakage import Vintage
from app.book.reports import Scope
from app.domain import breakage
from app.domain.amounts import format_amount
from app.domain.breakage import ONE, Backtest, Cohort, Flow
from app.flows.reports import Row, lot_assets, snapshot
from app.store import report_names

RATE_STEP = Decimal("0.000001")


@dataclass(frozen=True, slots=True)
class Breakage:
    """The rows, up to the beginning of which month they tell, and the mean error of the method before."""

    through: datetime
    rows: list[Row]
    mean_absolute_error: str | None


def report(scope: Scope, at: datetime) -> Breakage:
    """Return a row per LOT asset and cohort, from the whole months before an instant (UTC).

    Raises NotFound, LotAssetRequired.
    """
    through = at.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    with snapshot(scope) as c:
        assets = lot_assets(report_names.asset_names(c, scope.organization_id), scope)
        found = report_breakage.vintages(c, scope, through.date())
    rows: list[Row] = []
    tested: list[tuple[Cohort, Backtest]] = []
    for asset_id, asset in assets.items():
        cohorts = breakage.cohorts(_cells(found, asset_id), through.date())
        rates = breakage.curve(cohorts)
        for cohort in cohorts:
            test = breakage.backtest(cohort, cohorts)
            if test is not None:
                tested.append((cohort, test))
            rows.append({
                "asset_id": asset_id, "asset_name": asset["name"], "asset_symbol": asset["symbol"],
                "scale": asset["scale"],
                **_row(cohort, breakage.ultimate(cohort, rates), test, asset["scale"]),
            })
    return Breakage(through, sorted(rows, key=cohort_key), _rate(breakage.mean_error(tested)))


def cohort_key(row: Row) -> tuple[str, ...]:
    """Return what the rows are ordered by."""
    return str(row["asset_id"]), row["cohort"], ""


def _cells(found: Iterable[Vintage], asset_id: UUID) -> Iterable[tuple[date, date, Flow]]:
    for each in found:
        if each.asset_id == asset_id:
            yield each.cohort, each.month, Flow(each.issued, each.redeemed, each.broken, each.withdrawn)


def _row(cohort: Cohort, ultimate: Decimal | None, test: Backtest | None, scale: int) -> Row:
    sums = cohort.sums
    amounts = {
        "issued": sums.issued, "redeemed": sums.redeemed, "broken": sums.broken,
        "withdrawn": sums.withdrawn, "outstanding": cohort.outstanding,
    }
    return {
        "cohort": cohort.month.isoformat(), "age_months": cohort.age,
        **{name: format_amount(amount, scale) for name, amount in amounts.items()},
        "redemption_rate": _rate(cohort.redeemed_share), "ultimate_redemption_rate": _rate(ultimate),
        "breakage_rate": None if ultimate is None else _rate(ONE - ultimate),
        "backtest_age_months": None if test is None else test.age,
        "backtest_predicted_rate": None if test is None else _rate(test.predicted),
        "backtest_actual_rate": None if test is None else _rate(test.actual),
        "backtest_error": None if test is None else _rate(test.error),
    }


def _rate(rate: Decimal | None) -> str | None:
    return None if rate is None else str(rate.quantize(RATE_STEP, ROUND_HALF_EVEN))
