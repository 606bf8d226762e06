"""The shapes of the rewards catalogue, of redemptions and their reversals."""

from typing import Annotated, Any, Literal

from pydantic import Field

from app.api.fields import (
    Amount,
    AmountText,
    Answer,
    Body,
    Description,
    IdempotencyKey,
    Instant,
    InstantText,
    Name,
    Patch,
    Quantity,
    QueryBoolean,
    Reason,
    Text,
    Uuid,
    UuidText,
    bounded_integer,
)
from app.api.pages import Paged, Search, SortDirection, Window, list_of
from app.domain.rewards import STOCK_MAX

Status = Literal["DRAFT", "ACTIVE", "OUT_OF_STOCK", "ARCHIVED"]
Type = Literal["UNIT_BASED", "AMOUNT_BASED"]
RedemptionStatus = Literal["COMPLETED", "PARTIALLY_REVERSED", "FULLY_REVERSED"]
Category = Annotated[Text, Field(max_length=100)]
Stock = bounded_integer(0, STOCK_MAX)
Metadata = Annotated[dict[str, Any], Field(description="Free JSON, kept as it is.")]
Eligibility = Annotated[Text, Field(
    min_length=1, max_length=8192,
    description="A CEL condition over `participant`, `program` and `now`, checked at redemption.",
)]
OptionalKey = Annotated[IdempotencyKey | None, Field(description="Repeating the request does it once.")]


class RewardCreate(Body):
    """A new reward."""

    name: Name
    redemption_type: Type
    asset_id: Uuid
    unit_cost: Annotated[Amount, Field(
        description="The price of a unit; of an AMOUNT_BASED reward the least amount."
    )]
    status: Status
    description: Description | None = None
    category: Category | None = None
    max_total: Annotated[Stock | None, Field(description="Units in all; null: unlimited.")] = None
    max_per_participant: Annotated[Stock | None, Field(description="null: unlimited.")] = None
    available_from: Instant | None = None
    available_until: Instant | None = None
    eligibility: Eligibility | None = None
    metadata: Metadata | None = None


class RewardPatch(Patch):
    """The fields to change; absent ones stay, null clears where there may be none."""

    nullable = frozenset({
        "description", "category", "max_total", "max_per_participant", "available_from", "available_until",
        "eligibility", "metadata",
    })

    name: Name | None = None
    unit_cost: Amount | None = None
    status: Status | None = None
    description: Description | None = None
    category: Category | None = None
    max_total: Stock | None = None
    max_per_participant: Stock | None = None
    available_from: Instant | None = None
    available_until: Instant | None = None
    eligibility: Eligibility | None = None
    metadata: Metadata | None = None


class RewardsQuery(Paged):
    """Filters of the catalogue."""

    status: Status | None = None
    include_archived: QueryBoolean = False
    search: Search = None
    sort_by: Literal["created_at", "name"] = "created_at"
    sort_dir: SortDirection = "desc"


class Reward(Answer):
    """A reward: something that participants redeem value for."""

    id: UuidText
    program_id: UuidText
    name: str
    description: str | None = None
    category: str | None = None
    redemption_type: Type
    asset_id: UuidText
    unit_cost: AmountText
    max_total: int | None
    max_per_participant: int | None
    status: Status
    available_from: InstantText | None
    available_until: InstantText | None
    eligibility: str | None = None
    metadata: dict[str, Any] | None = None
    redeemed_count: int
    created_at: InstantText
    updated_at: InstantText


RewardList = list_of(Reward)


class RedemptionCreate(Body):
    """An amount to redeem."""

    program_id: Uuid
    asset_id: Uuid
    amount: Amount
    description: Reason
    idempotency_key: OptionalKey = None


class ItemRedemptionCreate(Body):
    """A reward to redeem: `quantity` of a UNIT_BASED one, `amount` of an AMOUNT_BASED one."""

    program_id: Uuid
    reward_id: Uuid
    quantity: Annotated[Quantity | None, Field(description="Units; 1 unless given.")] = None
    amount: Amount | None = None
    description: Annotated[Text | None, Field(max_length=500)] = None
    idempotency_key: OptionalKey = None


class RewardQuoteCreate(Body):
    """Who would redeem, and how many or how much."""

    participant_id: Uuid
    quantity: Quantity | None = None
    amount: Amount | None = None


class RewardObstacle(Answer):
    """One reason why a redemption would be refused, as its error would tell."""

    code: str
    message: str
    details: dict[str, str] | None = None


class RewardQuote(Answer):
    """Whether the participant can redeem the reward now, and if not, why and what is missing."""

    redeemable: bool
    reward_id: UuidText
    asset_id: UuidText
    amount: AmountText
    quantity: int | None = None
    available: AmountText
    missing: AmountText
    available_from: InstantText | None
    available_until: InstantText | None
    units_left: Annotated[int | None, Field(description="In all; null: no limit.")] = None
    units_left_for_participant: Annotated[int | None, Field(description="null: no limit.")] = None
    reasons: list[RewardObstacle]


class Redemption(Answer):
    """A redemption; the reward's fields are there only for one of the catalogue."""

    id: UuidText
    participant_id: UuidText
    program_id: UuidText
    asset_id: UuidText
    amount: AmountText
    description: str
    reward_id: UuidText | None = None
    quantity: int | None = None
    unit_cost: AmountText | None = None
    reversed_amount: AmountText
    reversed_quantity: int | None = None
    status: RedemptionStatus
    journal_entry_id: UuidText
    created_at: InstantText
    updated_at: InstantText


class RedemptionsQuery(Paged, Window):
    """Filters of a participant's redemptions."""

    status: RedemptionStatus | None = None
    reward_catalog_item_id: Annotated[Uuid | None, Field(description="The reward.")] = None


RedemptionList = list_of(Redemption)


class ReversalCreate(Body):
    """How much to give back, in the redemption's own unit; neither: all that is left."""

    reason: Reason
    amount: Amount | None = None
    quantity: Quantity | None = None
    idempotency_key: OptionalKey = None


class Reversal(Answer):
    """What a reversal gave back."""

    id: UuidText
    redemption_id: UuidText
    journal_entry_id: UuidText
    amount: AmountText
    quantity: int | None = None
    reason: str
    created_at: InstantText


class ReversalsQuery(Paged):
    """The page."""


ReversalList = list_of(Reversal)


class TransferRecipient(Body):
    """Who receives how much: exactly one of the three ids."""

    amount: Amount
    external_id: Name | None = None
    participant_id: Uuid | None = None
    group_id: Uuid | None = None


class TransferCreate(Body):
    """Value from one source to up to 100 recipients, all or nothing."""

    program_id: Uuid
    asset_id: Uuid
    description: Reason
    recipients: Annotated[list[TransferRecipient], Field(min_length=1, max_length=100)]
    source_external_id: Name | None = None
    source_participant_id: Uuid | None = None
    source_group_id: Uuid | None = None
    idempotency_key: OptionalKey = None


class TransferDone(Answer):
    """A transfer: one journal entry."""

    journal_entry_id: UuidText
    source_id: UuidText
    asset_id: UuidText
    recipient_count: int
    total_amount: AmountText
