"""The reports over HTTP, computed from the journal. Each answers JSON by pages, or all rows as CSV."""

from app.api.models import reports as models
from app.api.routing import Reply, Request, route
from app.api.tables import CSV_OFFER, instant_of, table
from app.book.reports import Scope
from app.domain.errors import LotAssetRequired, NotFound
from app.domain.instants import format_instant
from app.domain.periods import Granularity
from app.domain.reports import Line
from app.flows import reports
from app.flows.reports import Row, Span, clock, sort_key

_TAG = "Reports"
_ASSET = ("asset_id", "asset_name", "asset_symbol")
_SUBJECT = (*_ASSET, "scale", "program_id", "program_name")
_SUMMARY = (
    *_ASSET, "total_issued", "total_redeemed", "total_expired", "total_forfeited", "current_balance",
    "participant_count",
)
_PERIOD = (
    "opening_balance", "closing_balance", "period_issued", "period_redeemed", "period_expired",
    "period_forfeited", "other_adjustments_net",
)
_EXPIRY = (*_ASSET, "scale", "expires", "bucket_start", "bucket_end", "amount", "lot_count")


@route(
    "GET", "/v1/reports/ledger-summary", summary="Totals of each asset", tag=_TAG,
    query=models.LedgerSummaryQuery, responses={200: models.LedgerSummary}, errors=[NotFound],
    description=(
        "What was issued, redeemed, expired and forfeited in all, what is owed and by how many it is held; "
        f"with a window also what happened in it, with `other_adjustments_net` for all the rest. {CSV_OFFER}"
    ),
)
def get_ledger_summary(request: Request) -> Reply:
    """Show the totals of each asset."""
    query: models.LedgerSummaryQuery = request.query
    at = instant_of(request) or clock(None)
    span = query.span()
    rows = reports.ledger_summary(Scope(request.organization_id, query.program_id), span, at)
    columns = _SUMMARY if span is None else _SUMMARY + _PERIOD
    return table(request, "ledger-summary", rows, columns, at, sort_key, hidden=frozenset({"scale"}))


@route(
    "GET", "/v1/reports/program-activity", summary="What goes on in each program", tag=_TAG,
    query=models.ProgramActivityQuery, responses={200: models.ProgramActivity},
    description=(
        "Events, entries, amounts and people of each program. A window scopes events and amounts, and leaves "
        f"out programs without events and entries in it. {CSV_OFFER}"
    ),
)
def get_program_activity(request: Request) -> Reply:
    """Show what goes on in each program."""
    query: models.ProgramActivityQuery = request.query
    at = instant_of(request) or clock(None)
    rows = reports.program_activity(request.organization_id, query.span(), query.since, at)
    return table(
        request, "program-activity", rows, tuple(models.ProgramActivityRow.model_fields), at, sort_key
    )


@route(
    "GET", "/v1/reports/liability", summary="What is owed, as of any instant", tag=_TAG,
    query=models.LiabilityQuery, responses={200: models.Liability}, errors=[NotFound],
    description=(
        "The sum of all postings on accounts of participants, groups and ledger entities up to and including "
        f"`as_of`. For an instant more than a minute ago the answer never changes. {CSV_OFFER}"
    ),
)
def get_liability(request: Request) -> Reply:
    """Show what is owed."""
    query: models.LiabilityQuery = request.query
    at = instant_of(request) or clock(query.as_of)
    scope = Scope(request.organization_id, query.program_id, query.asset_id)
    rows = reports.liability(scope, at, by_bucket=query.by_bucket)
    columns = (*_SUBJECT, "bucket", "balance") if query.by_bucket else (*_SUBJECT, "balance")
    head = {"as_of": format_instant(at)}
    return table(request, "liability", rows, columns, at, sort_key, head=head)


@route(
    "GET", "/v1/reports/liability-rollforward", summary="How the liability moved", tag=_TAG,
    query=models.RollforwardQuery, responses={200: models.Rollforward}, errors=[NotFound],
    description=(
        "From the opening to the closing balance by the kinds of entries between. Every line is signed, and "
        f"opening plus all lines is closing, exactly; there is no line for a remainder. {CSV_OFFER}"
    ),
)
def get_liability_rollforward(request: Request) -> Reply:
    """Show how the liability moved."""
    query: models.RollforwardQuery = request.query
    scope = Scope(request.organization_id, query.program_id, query.asset_id)
    rows = reports.rollforward(scope, Span(query.from_, query.to))
    columns = (*_SUBJECT, "opening_balance", "closing_balance", *map(str, Line))
    return table(
        request, "liability-rollforward", rows, columns, query.to, sort_key,
        head={"from": format_instant(query.from_), "to": format_instant(query.to)},
    )


@route(
    "GET", "/v1/reports/deferred-revenue", summary="Revenue deferred and recognised", tag=_TAG,
    query=models.DeferredRevenueQuery, responses={200: models.DeferredRevenue}, errors=[NotFound],
    description=(
        "The rollforward of one asset in money, at the value of a unit that you state: what issuing "
        "deferred, what redemptions (net of reversals) and breakage (expired and forfeited) recognised. "
        f"Products are exact, never rounded. {CSV_OFFER}"
    ),
)
def get_deferred_revenue(request: Request) -> Reply:
    """Show revenue deferred and recognised."""
    query: models.DeferredRevenueQuery = request.query
    scope = Scope(request.organization_id, query.program_id, query.asset_id)
    rows = reports.deferred_revenue(scope, Span(query.from_, query.to), query.point_value)
    columns = tuple(models.DeferredRevenueRow.model_fields)
    return table(request, "deferred-revenue", rows, columns, query.to, sort_key)


@route(
    "GET", "/v1/reports/expiration-schedule", summary="What expires when", tag=_TAG,
    query=models.ExpirationQuery, responses={200: models.ExpirationSchedule},
    errors=[NotFound, LotAssetRequired],
    description=(
        "What is left of the live lots of each LOT asset, by the calendar period (UTC; weeks begin on "
        "Monday) in which it expires. The window is widened to whole periods, so that every bucket is "
        "complete. "
        f"{CSV_OFFER}"
    ),
)
def get_expiration_schedule(request: Request) -> Reply:
    """Show what expires when."""
    query: models.ExpirationQuery = request.query
    scope = Scope(request.organization_id, query.program_id, query.asset_id)
    rows = reports.expiration_schedule(scope, Span(query.from_, query.to), Granularity(query.granularity))
    return table(request, "expiration-schedule", rows, _EXPIRY, query.to, sort_key, flat=_expiry_lines)


def _expiry_lines(row: Row) -> list[Row]:
    """Return a line for each bucket, and one each for what expires before, after and never."""
    head = {name: row[name] for name in (*_ASSET, "scale")}
    lines = [{**head, "expires": "before_window", "amount": row["expiring_before_window"]}]
    lines += [{**head, "expires": "in_bucket", **bucket} for bucket in row["buckets"]]
    lines.append({**head, "expires": "after_window", "amount": row["expiring_after_window"]})
    lines.append({**head, "expires": "never", "amount": row["never_expiring"]})
    return lines
