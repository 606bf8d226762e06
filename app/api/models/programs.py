"""The shapes of programs."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from app.api.fields import (
    STRUCTURE_FAULT,
    Answer,
    Body,
    Description,
    Duration,
    InstantText,
    Name,
    Patch,
    QueryBoolean,
    Uuid,
    UuidText,
    fault_at,
)
from app.api.pages import Paged, Search, SortDirection, list_of

Unknown = Literal["CREATE", "REJECT"]
Status = Literal["ACTIVE", "SUSPENDED", "ARCHIVED"]
Target = Literal["SYSTEM_REDEMPTION", "SYSTEM_BREAKAGE", "LEDGER_ENTITY"]


class ProgramCreate(Body):
    """A new program."""

    name: Name
    description: Description | None = None
    on_unknown_participant: Annotated[Unknown, Field(
        description="What an event of an unknown participant does: create the participant, or be refused."
    )] = "CREATE"
    reversal_grace: Annotated[Duration, Field(
        description="How long value is good that a reversal restores into a lot that has expired meanwhile."
    )] = "720h"


class ProgramPatch(Patch):
    """The fields to change; absent ones stay."""

    nullable = frozenset({"description", "redemption_target_entity_id"})

    name: Name | None = None
    description: Description | None = None
    on_unknown_participant: Unknown | None = None
    status: Status | None = None
    redemption_target_type: Target | None = None
    redemption_target_entity_id: Uuid | None = None
    reversal_grace: Duration | None = None

    @model_validator(mode="after")
    def _target_agrees(self) -> "ProgramPatch":
        name, given = "redemption_target_entity_id", self.redemption_target_entity_id is not None
        if self.redemption_target_type is None:
            if given:
                raise fault_at(name, "needs redemption_target_type LEDGER_ENTITY beside it", STRUCTURE_FAULT)
        elif given != (self.redemption_target_type == "LEDGER_ENTITY"):
            raise fault_at(
                name, "is required with LEDGER_ENTITY and not allowed with another type", STRUCTURE_FAULT
            )
        return self


class ProgramsQuery(Paged):
    """Filters of the list of programs."""

    include_archived: QueryBoolean = False
    status: Status | None = None
    search: Search = None
    sort_by: Literal["created_at", "name"] = "created_at"
    sort_dir: SortDirection = "desc"


class Program(Answer):
    """A program: the container of rules, assets and participants."""

    id: UuidText
    name: str
    description: str | None = None
    on_unknown_participant: Unknown
    status: Status
    redemption_target_type: Target
    redemption_target_entity_id: UuidText | None = None
    reversal_grace: str
    created_at: InstantText
    updated_at: InstantText
    deleted_at: InstantText | None = None


ProgramList = list_of(Program)
