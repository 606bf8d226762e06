"""The shapes of journal entries and of the integrity report."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field, StrictStr, model_validator

from app.api.fields import (
    AmountBound,
    AmountText,
    Answer,
    InstantText,
    Query,
    ReferenceId,
    Uuid,
    UuidText,
    query_integer,
)
from app.api.models.balances import Bucket
from app.api.pages import Paged, Window, list_of
from app.domain.errors import InvalidRequest
from app.domain.names import EntryType, OwnerType

ActionType = Literal[tuple(str(each) for each in EntryType)]
EntityType = Literal[tuple(str(each) for each in OwnerType)]


class JournalQuery(Paged, Window):
    """Which entries. Bucket, owner and amounts must be met by one posting of an entry."""

    program_id: Uuid | None = None
    event_id: Uuid | None = None
    rule_id: Uuid | None = None
    asset_id: Uuid | None = None
    participant_id: Uuid | None = None
    group_id: Uuid | None = None
    external_id: Annotated[StrictStr | None, Field(max_length=255, description="A participant's.")] = None
    bucket: Bucket | None = None
    min_amount: Annotated[AmountBound | None, Field(description="Compared with signed amounts.")] = None
    max_amount: Annotated[AmountBound | None, Field(description="Compared with signed amounts.")] = None
    action_type: ActionType | None = None
    reference_id: ReferenceId | None = None

    @model_validator(mode="after")
    def _one_owner(self) -> "JournalQuery":
        owners = [name for name in ("participant_id", "group_id", "external_id") if getattr(self, name)]
        if len(owners) > 1:
            raise InvalidRequest(
                "participant_id, group_id and external_id exclude each other",
                dict.fromkeys(owners, "only one of participant_id, group_id and external_id"),
            )
        return self


class Posting(Answer):
    """One line of an entry: positive credits the account, negative debits it."""

    id: UuidText
    entity_type: EntityType
    participant_id: UuidText | None = None
    group_id: UuidText | None = None
    program_id: UuidText | None = None
    ledger_entity_id: UuidText | None = None
    asset_symbol: str
    bucket: Bucket
    amount: AmountText
    created_at: InstantText


class JournalEntry(Answer):
    """A journal entry; its postings sum to zero. `entry_hash` is null until it is sealed."""

    id: UuidText
    program_id: UuidText | None
    program_name: str | None
    asset_id: UuidText
    action_type: ActionType
    description: str
    event_id: UuidText | None
    rule_id: UuidText | None
    created_by_api_key_id: UuidText | None
    reference_id: str | None
    entry_hash: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None
    sequence_number: int | None
    created_at: InstantText
    postings: list[Posting]


class IntegrityQuery(Query):
    """How much to check."""

    window: Annotated[query_integer(1, 10_000), Field(
        description="How many of the latest sealed entries to verify again."
    )] = 1000
    format: Annotated[Literal["json", "csv"] | None, Field(
        description="`csv` for a table of the checks, as `Accept: text/csv` does."
    )] = None


class Check(Answer):
    """One check."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    passed: Annotated[bool, Field(alias="pass")]
    violation_count: int


class ChainCheck(Check):
    """The check of the hash chain."""

    entries_verified: int
    anchored_at_genesis: bool


class ChainHead(Answer):
    """The last seal."""

    hash: str
    sequence_number: int
    created_at: InstantText


class Integrity(Answer):
    """Whether the ledger holds what it promises."""

    organization_id: UuidText
    verified_at: InstantText
    window: int
    all_passed: bool
    chain_head: ChainHead | None
    postings_balanced: Check
    value_conservation: Check
    unsealed_entries: Check
    hash_chain: ChainCheck


JournalEntryList = list_of(JournalEntry)
