"""Explaining a journal entry: back to the event, the rule and the values that caused it."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from app.book import journal
from app.db import connection
from app.domain.errors import NotFound
from app.engine.explaining import ExplainedAction, ExplainedRule
from app.flows.explain_event import EventExplained, explain_event


@dataclass(frozen=True, slots=True)
class EntryExplained:
    """An entry; with the event behind it, and the rule and action, where there are any."""

    entry: dict[str, Any]
    event: EventExplained | None = None
    rule: ExplainedRule | None = None
    action: ExplainedAction | None = None


def explain_entry(organization_id: UUID, entry_id: UUID) -> EntryExplained:
    """Explain an entry. Raises NotFound."""
    with connection() as c:
        entry = journal.get(c, organization_id, entry_id)
    if entry is None:
        raise NotFound("Journal entry not found")
    if entry["event_id"] is None:
        return EntryExplained(entry)
    event = explain_event(organization_id, entry["event_id"])
    for rule in event.decision.rules if event.decision else ():
        if rule.rule.compiled.rule.id == entry["rule_id"]:
            action = next((each for each in rule.actions if _wrote(each, entry_id)), None)
            return EntryExplained(entry, event, rule, action)
    return EntryExplained(entry, event)


def _wrote(action: ExplainedAction, entry_id: UUID) -> bool:
    return action.recorded is not None and action.recorded.get("journal_entry_id") == str(entry_id)
