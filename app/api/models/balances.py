"""The shapes of balances: adjusting, holding, wallets, lots, history and statement."""

from typing import Annotated, Literal

from pydantic import Field, StrictBool, model_validator

from app.api.fields import (
    AdjustmentAmount,
    Amount,
    AmountText,
    Answer,
    Body,
    IdempotencyKey,
    Instant,
    InstantText,
    Reason,
    ReferenceId,
    Text,
    Uuid,
    UuidText,
    fault_at,
)
from app.api.pages import EventWindow, Paged, Pagination, Window, list_of

Bucket = Literal["AVAILABLE", "HELD", "DEFERRED"]
SpendableBucket = Literal["AVAILABLE", "HELD"]
LotStatus = Literal["AVAILABLE", "HELD", "DEFERRED", "CONSUMED", "EXPIRED"]
LOT_IDS_MAX = 1000  # More than that is not a choice but everything, which needs no list.

OptionalKey = Annotated[IdempotencyKey | None, Field(description="Repeating the request does it once.")]


class Adjust(Body):
    """A manual credit or debit."""

    program_id: Uuid
    asset_id: Uuid
    type: Literal["CREDIT", "DEBIT"]
    amount: AdjustmentAmount
    description: Reason
    bucket: SpendableBucket = "AVAILABLE"
    allow_negative: Annotated[StrictBool, Field(
        description="Lets a DEBIT of AVAILABLE take more than is there; the rest is an overdraft."
    )] = False
    idempotency_key: OptionalKey = None


class Hold(Body):
    """What to hold or release: `amount`, or everything that matches. The filters are for LOT assets."""

    program_id: Uuid
    asset_id: Uuid
    description: Reason
    amount: Amount | None = None
    bucket: Annotated[SpendableBucket | None, Field(description="Only a forfeit looks at it.")] = None
    earned_from: Annotated[Instant | None, Field(description="Lots earned at or after.")] = None
    earned_to: Annotated[Instant | None, Field(description="Lots earned at or before.")] = None
    lot_ids: Annotated[list[Uuid] | None, Field(min_length=1, max_length=LOT_IDS_MAX)] = None
    reference_id: Annotated[ReferenceId | None, Field(
        description="A hold stamps its lots with it, a release looks only at lots that carry it."
    )] = None
    idempotency_key: OptionalKey = None

    @model_validator(mode="after")
    def _earned_ordered(self) -> "Hold":
        if self.earned_from and self.earned_to and self.earned_to < self.earned_from:
            raise fault_at("earned_to", "must not be before earned_from")
        return self


class Forfeit(Hold):
    """What to take away for good, from which bucket."""

    bucket: SpendableBucket


class VoidHold(Hold):
    """Which provisional credits to cancel: all that the program made under the reference."""

    reference_id: ReferenceId

    @model_validator(mode="after")
    def _whole(self) -> "VoidHold":
        for name in ("amount", "lot_ids", "earned_from", "earned_to"):
            if getattr(self, name) is not None:
                raise fault_at(name, "is not supported: the whole accrual is voided")
        return self


class ThreeBuckets(Answer):
    """A balance."""

    available: AmountText
    held: AmountText
    deferred: AmountText


class GroupAdjusted(Answer):
    """What an adjustment of a group did."""

    amount: AmountText
    asset_id: UuidText
    program_id: UuidText
    type: Literal["CREDIT", "DEBIT"]
    bucket: SpendableBucket
    journal_entry_id: UuidText
    message: str


class Adjusted(GroupAdjusted):
    """What an adjustment did, and the balance after it."""

    balance: ThreeBuckets


class LotPart(Answer):
    """A lot and how much of it was processed."""

    id: UuidText
    amount: AmountText


class Handled(Answer):
    """What a hold, release, forfeit or void-hold did, and the balance after it."""

    operation: Literal["HOLD", "RELEASE", "FORFEIT", "VOID_HOLD"]
    amount_processed: AmountText
    asset_id: UuidText
    program_id: UuidText
    balance: ThreeBuckets
    journal_entry_id: UuidText
    message: str
    lots_processed: list[LotPart] | None = None
    reference_id: str | None = None


AsOf = Annotated[Instant | None, Field(
    description="The balance at this instant, without what was past its date then; not in the future."
)]


class BalancesQuery(Paged):
    """Which balances, and as of when."""

    asset_id: Uuid | None = None
    as_of: AsOf = None


class Balance(ThreeBuckets):
    """An owner's balance of one asset."""

    asset_id: UuidText


class GroupBalancesQuery(Paged):
    """Which balances, and as of when."""

    program_id: Annotated[Uuid | None, Field(description="Only assets linked to this program.")] = None
    asset_id: Uuid | None = None
    as_of: AsOf = None


class GroupBalance(Answer):
    """A group's total of one asset over all buckets."""

    asset_id: UuidText
    balance: AmountText


class LotsQuery(Paged):
    """Which lots of one LOT asset."""

    asset_id: Uuid
    program_id: Annotated[Uuid | None, Field(description="Credited in this program.")] = None
    status: LotStatus | None = None
    expires_before: Annotated[Instant | None, Field(description="Expires at or before.")] = None
    expires_after: Annotated[Instant | None, Field(description="Expires at or after.")] = None
    reference_id: ReferenceId | None = None


class Lot(Answer):
    """A parcel of value."""

    id: UuidText
    asset_id: UuidText
    amount: AmountText
    remaining: AmountText
    status: LotStatus
    reference_id: str | None = None
    created_at: InstantText
    expires_at: InstantText | None = None
    matures_at: InstantText | None = None
    parent_lot_id: Annotated[UuidText | None, Field(
        description="The lot that this one was split from when part of it was held or released."
    )] = None


class HistoryQuery(Paged, EventWindow):
    """Which movements."""

    asset_id: Uuid | None = None
    bucket: Bucket | None = None


class HistoryItem(Answer):
    """One posting on an owner's account; `amount` is signed."""

    journal_entry_id: UuidText
    action_type: str
    asset_id: UuidText
    bucket: Bucket
    amount: AmountText
    description: str
    event_id: UuidText | None = None
    event_timestamp: InstantText | None = None
    created_by_api_key_id: UuidText | None = None
    created_at: InstantText


class StatementQuery(Paged, Window):
    """Which part of the statement of one asset."""

    asset_id: Uuid
    bucket: Bucket | None = None


class StatementLine(Answer):
    """One posting with the balance after it."""

    posting_id: UuidText
    journal_entry_id: UuidText
    action_type: str
    bucket: Bucket
    amount: AmountText
    running_balance: AmountText
    description: str
    event_id: UuidText | None = None
    event_timestamp: InstantText | None = None
    created_by_api_key_id: UuidText | None = None
    created_at: InstantText


class Statement(Answer):
    """A running-balance statement, oldest first; without `bucket` over all buckets."""

    asset_id: UuidText
    bucket: Bucket | None = None
    from_: Annotated[InstantText | None, Field(alias="from")] = None
    to: InstantText | None = None
    opening_balance: AmountText
    closing_balance: AmountText
    data: list[StatementLine]
    pagination: Pagination


class Fund(Body):
    """How much to put into the wallet, or to take out of it."""

    amount: Amount
    description: Annotated[Text | None, Field(max_length=500)] = None
    idempotency_key: OptionalKey = None


class Funded(Answer):
    """The wallet after it."""

    available: AmountText
    journal_entry_id: UuidText
    message: str


class WalletBalance(ThreeBuckets):
    """A wallet; only PREFUNDED assets have one."""

    asset_id: UuidText
    issuance_policy: Literal["PREFUNDED"]


BalanceList = list_of(Balance)
GroupBalanceList = list_of(GroupBalance)
LotList = list_of(Lot)
HistoryList = list_of(HistoryItem, "BalanceHistoryList")
WalletBalanceList = list_of(WalletBalance)
