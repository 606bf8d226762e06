"""The integrity report over HTTP."""

from app.api.models.journal import Integrity, IntegrityQuery
from app.api.routing import Reply, Request, route
from app.api.tables import as_csv, wants_csv
from app.flows import verify

_COLUMNS = ("check", "pass", "violation_count")


@route(
    "GET", "/v1/reports/integrity", summary="Verify the ledger", tag="Reports", query=IntegrityQuery,
    responses={200: Integrity},
    description=(
        "Verifies the latest sealed entries again: postings, hash chain, conservation of value per asset, "
        "and that nothing stays unsealed for longer than a minute. `dev.py verify` checks everything. "
        "`Accept: text/csv` or `format=csv` answers the checks as CSV."
    ),
)
def get_integrity_report(request: Request) -> Reply:
    """Verify the latest entries of the organization's ledger, from one snapshot."""
    found = verify.latest(request.organization_id, request.query.window)
    return as_csv("integrity", verify.lines(found), _COLUMNS) if wants_csv(request) else Reply(200, found)
