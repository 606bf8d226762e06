"""The shapes of assets."""

from typing import Annotated, Literal

from pydantic import Field, StrictStr

from app.api.fields import (
    Amount,
    AmountText,
    Answer,
    Body,
    InstantText,
    Name,
    Patch,
    Uuid,
    UuidText,
    bounded_integer,
)
from app.api.pages import Paged, Search, SortDirection, list_of

Mode = Literal["SIMPLE", "LOT"]
Policy = Literal["UNLIMITED", "PREFUNDED"]
Status = Literal["ACTIVE", "ARCHIVED"]


class AssetCreate(Body):
    """A new asset and the program that it is linked to first."""

    program_id: Uuid
    name: Name
    symbol: Annotated[StrictStr, Field(
        pattern=r"^[A-Za-z0-9]{1,16}$", description="Unique in the organization, never changed."
    )]
    inventory_mode: Annotated[Mode, Field(
        description="SIMPLE keeps one running balance, LOT keeps parcels with dates of expiry and maturity."
    )]
    issuance_policy: Annotated[Policy, Field(
        description="UNLIMITED mints with each credit, PREFUNDED draws credits from the program's wallet."
    )]
    scale: Annotated[bounded_integer(0, 18), Field(description="Decimal places.")]
    max_transaction_amount: Annotated[Amount | None, Field(
        description="The largest single movement; null for no limit."
    )] = None


class AssetPatch(Patch):
    """The fields to change; absent ones stay."""

    nullable = frozenset({"max_transaction_amount"})

    name: Name | None = None
    status: Annotated[Literal["ARCHIVED"] | None, Field(description="Archiving is final.")] = None
    max_transaction_amount: Amount | None = None


class AssetsQuery(Paged):
    """Filters of the list of assets."""

    program_id: Uuid | None = None
    status: Status | None = None
    search: Search = None
    sort_by: Literal["created_at", "name", "symbol"] = "created_at"
    sort_dir: SortDirection = "desc"


class AssetLink(Body):
    """Which asset to link."""

    asset_id: Uuid


class Asset(Answer):
    """An asset: a unit of value."""

    id: UuidText
    name: str
    symbol: str
    inventory_mode: Mode
    issuance_policy: Policy
    scale: int
    max_transaction_amount: AmountText | None
    program_ids: list[UuidText]
    status: Status
    created_at: InstantText
    updated_at: InstantText
    deleted_at: InstantText | None = None


AssetList = list_of(Asset)
