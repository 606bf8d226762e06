"""The shapes of reports. Every one of them is a table: JSON by default, CSV on request."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from app.api.fields import (
    Amount,
    AmountText,
    Answer,
    Instant,
    InstantText,
    QueryBoolean,
    Uuid,
    UuidText,
    fault_at,
)
from app.api.pages import Paged, Pagination, check_window, list_of
from app.flows.reports import Span

Format = Annotated[Literal["json", "csv"] | None, Field(
    description="`csv` for a table of all rows, as `Accept: text/csv` does."
)]
From = Annotated[Instant, Field(alias="from", description="The first instant of the window.")]
To = Annotated[Instant, Field(description="The last instant of the window.")]


class ReportQuery(Paged):
    """What all reports take."""

    format: Format = None


class WindowedQuery(ReportQuery):
    """A window that may be left out; both ends or neither."""

    from_: Annotated[Instant | None, Field(alias="from", description="Needs `to`.")] = None
    to: Annotated[Instant | None, Field(description="Included; needs `from`.")] = None

    @model_validator(mode="after")
    def _both(self) -> "WindowedQuery":
        check_window(self.from_, self.to, "from", "to")
        if self.from_ is not None and self.to is None:
            raise fault_at("to", "is required when from is given")
        return self

    def span(self) -> Span | None:
        """Return the window, None where there is none."""
        return None if self.from_ is None or self.to is None else Span(self.from_, self.to)


class SpanQuery(ReportQuery):
    """A window that must be given."""

    from_: From
    to: To

    @model_validator(mode="after")
    def _ordered(self) -> "SpanQuery":
        check_window(self.from_, self.to, "from", "to")
        return self


class LedgerSummaryQuery(WindowedQuery):
    """Whose summary, and of which window beside all time."""

    program_id: Uuid | None = None


class LedgerSummaryRow(Answer):
    """One asset's totals; those of the window only where one was asked for. Amounts are positive."""

    asset_id: UuidText
    asset_name: str
    asset_symbol: str
    total_issued: AmountText
    total_redeemed: AmountText
    total_expired: AmountText
    total_forfeited: AmountText
    current_balance: AmountText
    participant_count: int
    opening_balance: AmountText | None = None
    closing_balance: AmountText | None = None
    period_issued: AmountText | None = None
    period_redeemed: AmountText | None = None
    period_expired: AmountText | None = None
    period_forfeited: AmountText | None = None
    other_adjustments_net: AmountText | None = None


class ProgramActivityQuery(WindowedQuery):
    """Which programs, and which window their figures are about."""

    since: Annotated[Instant | None, Field(
        description="Only programs with a ledger entry after it; their figures stay as they are."
    )] = None


class ProgramActivityRow(Answer):
    """One program. Amounts add up those of all its assets, at the largest scale among them."""

    program_id: UuidText
    program_name: str
    event_count: int
    journal_count: int
    total_issued: AmountText
    total_redeemed: AmountText
    unique_participants: int
    last_activity_at: InstantText | None = None
    asset_count: int
    rule_count: int
    tier_count: int
    reward_count: int


class LiabilityQuery(ReportQuery):
    """As of when, and of what."""

    as_of: Annotated[
        Instant | None, Field(description="Included; not in the future. Now unless given.")
    ] = None
    program_id: Uuid | None = None
    asset_id: Uuid | None = None
    by_bucket: QueryBoolean = False


class _Subject(Answer):
    """What a row is about; entries without a program have a row of their own, without one."""

    asset_id: UuidText
    asset_name: str
    asset_symbol: str
    scale: int
    program_id: UuidText | None = None
    program_name: str | None = None


class LiabilityRow(_Subject):
    """What is owed in one asset through one program; in one bucket where that was asked for."""

    bucket: Literal["AVAILABLE", "HELD", "DEFERRED"] | None = None
    balance: AmountText


class RollforwardQuery(SpanQuery):
    """Which window, and of what."""

    program_id: Uuid | None = None
    asset_id: Uuid | None = None


class RollforwardRow(_Subject):
    """How one row of the liability moved. Each line is signed: opening plus all lines is closing."""

    opening_balance: AmountText
    closing_balance: AmountText
    issued: AmountText
    redeemed: AmountText
    redemption_reversals: AmountText
    forfeited: AmountText
    expired: AmountText
    debited: AmountText
    transfers_net: AmountText
    adjustments_net: AmountText
    bucket_movements_net: AmountText
    holds_voided: AmountText
    issuance_returns: AmountText
    redemption_receipts: AmountText
    reversal_clawbacks: AmountText


class DeferredRevenueQuery(SpanQuery):
    """Which window, of which asset, and what a unit of it is worth."""

    asset_id: Uuid
    point_value: Annotated[Amount, Field(description="What one unit is worth, in your currency.")]
    program_id: Uuid | None = None


class DeferredRevenueRow(_Subject):
    """Revenue deferred and recognised; opening + deferred − both recognised + other = closing."""

    point_value: AmountText
    opening_deferred: AmountText
    deferred: AmountText
    recognised_redemptions: AmountText
    recognised_breakage: AmountText
    other: AmountText
    closing_deferred: AmountText


class ExpirationQuery(SpanQuery):
    """Which window, in which steps, and of what."""

    granularity: Literal["day", "week", "month"] = "month"
    program_id: Annotated[
        Uuid | None, Field(description="Lots credited in it, of assets linked to it.")
    ] = None
    asset_id: Uuid | None = None


class ExpirationBucket(Answer):
    """One calendar period in UTC, its end excluded."""

    bucket_start: InstantText
    bucket_end: InstantText
    amount: AmountText
    lot_count: int


class ExpirationRow(Answer):
    """What is left of one LOT asset. The buckets, never, before and after add up to the total."""

    asset_id: UuidText
    asset_name: str
    asset_symbol: str
    scale: int
    total_outstanding: AmountText
    never_expiring: AmountText
    expiring_before_window: AmountText
    expiring_after_window: AmountText
    buckets: list[ExpirationBucket]


class RulesQuery(WindowedQuery):
    """Which days, and whose rules; the last 30 days without a window."""

    program_id: Uuid | None = None
    rule_id: Uuid | None = None


class RuleDayAsset(Answer):
    """What a rule issued of one asset on one day, and what its budget had left at the end of it."""

    asset_id: UuidText
    asset_symbol: str
    issued: AmountText
    budget_left: Annotated[AmountText | None, Field(
        description="Of today, now; of an earlier day, when it was last looked at on that day."
    )] = None


class RuleDay(Answer):
    """What became of one rule on one day (UTC).

    evaluated = matched + not_matched + skipped_outside_time_window + skipped_stopped_by_rule + skipped_error
    + skipped_timeout. Of those matched, `failed` ended their event, `skipped_budget_exceeded` did not issue.
    """

    day: Annotated[str, Field(description="A date, such as 2026-03-01.")]
    program_id: UuidText
    program_name: str
    rule_id: UuidText
    rule_name: str
    evaluated: int
    matched: int
    not_matched: int
    failed: int
    skipped_budget_exceeded: int
    skipped_outside_time_window: int
    skipped_stopped_by_rule: int
    skipped_error: int
    skipped_timeout: int
    assets: list[RuleDayAsset]


class BreakageQuery(ReportQuery):
    """As of when, and of what."""

    as_of: Annotated[Instant | None, Field(
        description="The whole months before it are told; now if absent."
    )] = None
    program_id: Annotated[Uuid | None, Field(description="Lots credited in it.")] = None
    asset_id: Uuid | None = None


class BreakageRow(Answer):
    """One cohort: the value of a LOT asset that was earned in one month, what became of it, what will.

    issued − redeemed − broken − withdrawn = outstanding. Rates are of issued − withdrawn.
    """

    asset_id: UuidText
    asset_name: str
    asset_symbol: str
    cohort: Annotated[str, Field(description="The first day of the month.")]
    age_months: int
    issued: AmountText
    redeemed: Annotated[AmountText, Field(description="Net of reversals.")]
    broken: Annotated[AmountText, Field(description="Expired or forfeited.")]
    withdrawn: Annotated[AmountText, Field(description="Left otherwise: debits, transfers, voided holds.")]
    outstanding: AmountText
    redemption_rate: Annotated[str | None, Field(description="So far.")] = None
    ultimate_redemption_rate: Annotated[str | None, Field(description="Estimated, in the end.")] = None
    breakage_rate: Annotated[str | None, Field(description="1 less the one before.")] = None
    backtest_age_months: Annotated[int | None, Field(
        description="The age at which the method is asked what it would have said about today."
    )] = None
    backtest_predicted_rate: str | None = None
    backtest_actual_rate: str | None = None
    backtest_error: Annotated[str | None, Field(description="Predicted less actual.")] = None


RuleDays = list_of(RuleDay, "RuleDays")
DeferredRevenue = list_of(DeferredRevenueRow, "DeferredRevenue")
LedgerSummary = list_of(LedgerSummaryRow, "LedgerSummary")
ProgramActivity = list_of(ProgramActivityRow, "ProgramActivity")
ExpirationSchedule = list_of(ExpirationRow, "ExpirationSchedule")


class Liability(Answer):
    """What is owed as of an instant."""

    as_of: InstantText
    data: list[LiabilityRow]
    pagination: Pagination


class Rollforward(Answer):
    """How the liability moved from one instant to another."""

    from_: Annotated[InstantText, Field(alias="from")]
    to: InstantText
    data: list[RollforwardRow]
    pagination: Pagination


class Breakage(Answer):
    """How much of what was issued will ever be redeemed, how that is estimated, and how wrong it was."""

    as_of: Annotated[InstantText, Field(description="The beginning of the month that is not told yet.")]
    method: str
    mean_absolute_error: Annotated[str | None, Field(
        description="Of the backtests, each cohort weighing what it issued; absent where none is old enough."
    )] = None
    data: list[BreakageRow]
    pagination: Pagination
