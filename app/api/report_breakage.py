"""The breakage report over HTTP: how much of what was issued will ever be redeemed."""

from app.api.models import reports as models
from app.api.routing import Reply, Request, route
from app.api.tables import CSV_OFFER, instant_of, table
from app.book.reports import Scope
from app.domain.breakage import METHOD
from app.domain.errors import LotAssetRequired, NotFound
from app.domain.instants import format_instant
from app.flows import report_breakage
from app.flows.reports import clock


@route(
    "GET", "/v1/reports/breakage", summary="What will never be redeemed", tag="Reports",
    query=models.BreakageQuery, responses={200: models.Breakage}, errors=[NotFound, LotAssetRequired],
    description=(
        "The ultimate redemption rate of each cohort: the value of a LOT asset that was earned in one month. "
        "`method` says how it is estimated; each cohort that is old enough shows what the method would have "
        f"said at half its age about today, and how wrong that was. {CSV_OFFER}"
    ),
)
def get_breakage(request: Request) -> Reply:
    """Show what is expected never to be redeemed."""
    query: models.BreakageQuery = request.query
    at = instant_of(request) or clock(query.as_of)
    found = report_breakage.report(Scope(request.organization_id, query.program_id, query.asset_id), at)
    head = {"as_of": format_instant(found.through), "method": METHOD}
    if found.mean_absolute_error is not None:
        head["mean_absolute_error"] = found.mean_absolute_error
    return table(
        request, "breakage", found.rows, tuple(models.BreakageRow.model_fields), at,
        report_breakage.cohort_key, hidden=frozenset({"scale"}), head=head,
    )
