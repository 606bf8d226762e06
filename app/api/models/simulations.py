"""The shapes of a program's dry run."""

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, StrictBool, model_validator

from app.api.fields import Answer, Body, Instant, InstantText, Name, Uuid, UuidText, fault_at
from app.api.models.action_shapes import not_both
from app.api.models.events import EventData
from app.api.models.rules import Actions, Budgets, Expression, Order, ParticipantState

EXCLUDING = (
    ("participant_id", "external_id"), ("recipient_id", "recipient_external_id"),
    ("participant_id", "participant_state"),
    *(("group_id", name) for name in (
        "participant_id", "external_id", "participant_state", "recipient_id", "recipient_external_id",
    )),
)
# Whom an event has that is the program's own: nobody.
_OF_SOMEBODY = (
    "participant_id", "external_id", "participant_state", "group_id", "recipient_id", "recipient_external_id",
)
CANDIDATES_MAX = 200  # Each is compiled for the one request.


class CandidateRule(Body):
    """A rule that is only tried, never stored."""

    name: Name
    condition: Expression
    actions: Actions
    order: Order | None = None
    stop_after_match: StrictBool | None = None
    active_from: Instant | None = None
    active_to: Instant | None = None
    budgets: Budgets | None = None


class SimulateProgram(Body):
    """An event to decide without writing anything."""

    model_config = ConfigDict(json_schema_extra={"allOf": [
        *(not_both(*pair) for pair in EXCLUDING),
        {"anyOf": [
            {"properties": {"scope": {"enum": ["participant", None]}}},
            {"properties": {name: {"type": "null"} for name in _OF_SOMEBODY}},
        ]},
    ]})

    event: EventData
    participant_id: Uuid | None = None
    external_id: Annotated[Name | None, Field(
        description="Unknown ones are imagined, as an event would create them."
    )] = None
    participant_state: Annotated[ParticipantState | None, Field(
        description="The state of an imagined participant; not together with a real one."
    )] = None
    group_id: Annotated[Uuid | None, Field(
        description="The group whose event it is, such as the system makes (`lot_expiration`)."
    )] = None
    scope: Annotated[Literal["participant", "program"] | None, Field(
        description="`program`: an event that is nobody's, such as an automation of that scope fires."
    )] = None
    recipient_id: Uuid | None = None
    recipient_external_id: Name | None = None
    event_timestamp: Annotated[Instant | None, Field(description="`now` of expressions.")] = None
    at: Annotated[Instant | None, Field(
        description="The wall clock of the decision: windows, budgets, counter resets, expiry."
    )] = None
    rules: Annotated[list[CandidateRule] | None, Field(
        max_length=CANDIDATES_MAX, description="Rules to try instead of those in force."
    )] = None

    @model_validator(mode="after")
    def _one_identity(self) -> "SimulateProgram":
        for first, second in EXCLUDING:
            if getattr(self, first) is not None and getattr(self, second) is not None:
                raise fault_at(second, f"must not be given together with {first}")
        for name in _OF_SOMEBODY if self.scope == "program" else ():
            if getattr(self, name) is not None:
                raise fault_at(name, "must not be given with scope program")
        return self


class SimulatedRuleEvaluation(Answer):
    """What became of one rule."""

    rule_id: UuidText
    rule_name: str
    rule_history_id: UuidText | None = None
    status: Literal["SUCCESS", "SKIPPED", "SKIPPED_ERROR", "SKIPPED_TIMEOUT", "FAILED"]
    reason: str | None = None
    error_message: str | None = None
    stopped_by_rule_id: UuidText | None = None
    actions: list[dict[str, Any]]


class SimulatedBalance(Answer):
    """A balance that the event would change, by bucket, before and after."""

    owner_type: str
    owner_id: UuidText
    asset_id: UuidText
    before: dict[str, str]
    after: dict[str, str]


class SimulatedPosting(Answer):
    """One line of an entry."""

    entity_type: str
    entity_id: UuidText | None = None
    bucket: str
    amount: str


class SimulatedEntry(Answer):
    """A journal entry that would be posted."""

    action_type: str
    asset_id: UuidText
    rule_id: UuidText | None = None
    description: str | None = None
    reference_id: str | None = None
    postings: list[SimulatedPosting]


class SimulatedChange(Answer):
    """A change of state that would be recorded."""

    owner_id: UuidText
    state_type: str
    key: str
    operation: str
    old_value: str | None = None
    new_value: str | None = None
    rule_id: UuidText | None = None


class SimulatedEmission(Answer):
    """An event that would be caused."""

    event_name: str
    payload: dict[str, Any]
    scheduled_for: InstantText
    participant_id: UuidText | None = None
    group_id: UuidText | None = None
    for_all_participants: bool


class ProgramSimulation(Answer):
    """The decision as a worker would take it; nothing of it is written."""

    status: Literal["COMPLETED", "FAILED"]
    error_code: str | None = None
    error_message: str | None = None
    decided_at: InstantText
    event_timestamp: InstantText
    participant_id: UuidText | None
    group_id: UuidText | None
    rule_evaluations: list[SimulatedRuleEvaluation]
    balances: list[SimulatedBalance]
    journal_entries: list[SimulatedEntry]
    state_changes: list[SimulatedChange]
    caused_events: list[SimulatedEmission]
