"""The shapes of explanations."""

from typing import Annotated, Any, Literal

from pydantic import Field

from app.api.fields import Answer, UuidText
from app.api.models.events import EvaluatedAction, EventSummary
from app.api.models.journal import JournalEntry
from app.domain.names import EvaluationStatus, SkipReason


class ExplainedStep(Answer):
    """A sub-expression: its text, and its value, its error, or neither where it was not needed."""

    expression: str
    value: Annotated[Any, Field(description="Absent where there is none.")] = None
    error: str | None = None
    evaluated: bool
    times: Annotated[int | None, Field(description="Rounds of a loop; the value is the last one's.")] = None
    children: list["ExplainedStep"] | None = None


class ExplainedExpression(Answer):
    """An expression with every part of it; `lines` say the same for people."""

    field: Annotated[str, Field(description="`condition`, or the action's field.")]
    expression: str
    value: Any = None
    error: str | None = None
    lines: list[str]
    steps: ExplainedStep


class ExplainedActionAnswer(EvaluatedAction):
    """An action with the expressions behind its values."""

    executed: bool
    expressions: list[ExplainedExpression]
    journal_entry: JournalEntry | None = None


class ExplainedRuleAnswer(Answer):
    """A rule of the program as it was then, matched or not."""

    rule_id: UuidText
    rule_name: str
    rule_history_id: UuidText
    order: int
    outcome: Annotated[
        Literal["matched", "not_matched", "error", "skipped", "not_reached", "other_event_type"],
        Field(description="`not_reached`: the event failed at an earlier rule."),
    ]
    event_types: Annotated[list[str] | None, Field(
        description="The only event types that can match, where the condition names them."
    )] = None
    condition: ExplainedExpression | None = None
    status: EvaluationStatus | None = None
    reason: SkipReason | None = None
    error_message: str | None = None
    stopped_by_rule_id: UuidText | None = None
    actions: list[ExplainedActionAnswer]


class MismatchAnswer(Answer):
    """A stored value that does not follow from the stored inputs: somebody changed one of them."""

    path: Annotated[str, Field(description="The rule's id and the field.")]
    stored: Any
    recomputed: Any


class EventExplanation(Answer):
    """Why an event did what it did, recomputed from the stored inputs under the rules in force then."""

    event: EventSummary
    ruleset_version: int | None
    explained: Annotated[bool, Field(
        description="False where rules have not decided the event, or its participant's data are erased."
    )]
    note: str | None = None
    matches_stored: bool | None
    mismatches: list[MismatchAnswer]
    rules: list[ExplainedRuleAnswer]
    journal_entries: list[JournalEntry]


class EntryExplanation(Answer):
    """Where a journal entry comes from."""

    journal_entry: JournalEntry
    cause: Annotated[Literal["rule", "event", "api"], Field(
        description="A rule's action, an event by itself (value that expired or matured), or an API call."
    )]
    event: EventSummary | None = None
    rule: ExplainedRuleAnswer | None = None
    action: ExplainedActionAnswer | None = None
    created_by_api_key_id: UuidText | None = None
    matches_stored: bool | None = None
    mismatches: list[MismatchAnswer] | None = None
