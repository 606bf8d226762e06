"""The report of what each rule did each day, over HTTP."""

from datetime import timedelta

from app.api.models import reports as models
from app.api.routing import Reply, Request, route
from app.api.tables import CSV_OFFER, instant_of, table
from app.book.reports import Scope
from app.domain.errors import NotFound
from app.flows import report_rules
from app.flows.reports import Row, Span, clock

_TAG = "Reports"
_DAY = tuple(name for name in models.RuleDay.model_fields if name != "assets")
_ASSETS = tuple(models.RuleDayAsset.model_fields)
DAYS_BY_DEFAULT = timedelta(days=30)


@route(
    "GET", "/v1/reports/rules", summary="What each rule did each day", tag=_TAG,
    query=models.RulesQuery, responses={200: models.RuleDays}, errors=[NotFound],
    description=(
        "Per rule and day (UTC): how many events it was held against, matched, was skipped for, by reason; "
        "what it issued, from the journal; what its budgets had left. The window is widened to whole days. A "
        f"retried event counts each time. {CSV_OFFER} In it the counts stand in a day's first line only."
    ),
)
def get_rules_report(request: Request) -> Reply:
    """Show what rules did."""
    query: models.RulesQuery = request.query
    now = instant_of(request) or clock(None)
    span = query.span() or Span(now - DAYS_BY_DEFAULT, now)
    scope = Scope(request.organization_id, query.program_id)
    rows = report_rules.rules(scope, span, now, query.rule_id)
    return table(request, "rules", rows, _DAY + _ASSETS, now, report_rules.rule_key, flat=_lines)


def _lines(row: Row) -> list[Row]:
    """Return a line for each asset; the counts only in the first, so that columns add up."""
    assets = row["assets"] or [{}]
    names = {name: row[name] for name in _DAY if not isinstance(row[name], int)}
    return [{**row, **assets[0]}, *({**names, **asset} for asset in assets[1:])]
