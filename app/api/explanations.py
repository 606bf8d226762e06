"""Explanations over HTTP: why an event did what it did, and where a journal entry comes from."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from app.api.event_views import action_view, event_view
from app.api.journal import entry_view
from app.api.models.explanations import EntryExplanation, EventExplanation
from app.api.routing import Reply, Request, route
from app.domain.errors import NotFound
from app.domain.names import EvaluationStatus
from app.engine.cel import Explanation, State, Step, lines
from app.engine.explaining import ExplainedAction, ExplainedRule, Mismatch, kind_of
from app.flows.explain_entry import explain_entry
from app.flows.explain_event import EventExplained, explain_event

_NOTES = {
    "erased": "The participant was erased, and with it what the decision was taken on.",
    "waiting": "The event has not been decided yet.",
    "undecided": "The event ended without its rules being run.",
}


@route(
    "GET", "/v1/events/{id}/explain", summary="Explain an event", tag="Events",
    responses={200: EventExplanation}, errors=[NotFound],
    description=(
        "For each rule of the program, as it was then: the condition with the value of every "
        "sub-expression, the actions with their expressions, and the journal entries. All of it is "
        "recomputed from the stored inputs and compared with what was stored; what somebody changed since "
        "shows under `mismatches`."
    ),
)
def explain_one_event(request: Request) -> Reply:
    """Explain an event."""
    it = explain_event(request.organization_id, request.path["id"])
    shown: dict[str, Any] = {
        "event": event_view(it.row), "ruleset_version": None if it.ruleset is None else it.ruleset.version,
        "explained": it.decision is not None,
    }
    if it.decision is None:
        kind = "erased" if it.erased else "waiting" if it.ruleset is None else "undecided"
        return Reply(200, shown | {
            "note": _NOTES[kind], "matches_stored": None, "mismatches": [], "rules": [],
            "journal_entries": [],
        })
    return Reply(200, shown | {
        "matches_stored": not it.decision.mismatches,
        "mismatches": [_mismatch(each) for each in it.decision.mismatches],
        "rules": [_rule(each, it) for each in it.decision.rules],
        "journal_entries": [entry_view(each) for each in it.entries.values()],
    })


@route(
    "GET", "/v1/journal-entries/{id}/explain", summary="Explain a journal entry", tag="Journal",
    responses={200: EntryExplanation}, errors=[NotFound],
    description="Walks back to the event, the rule, the action and the values that the entry comes from.",
)
def explain_journal_entry(request: Request) -> Reply:
    """Explain a journal entry."""
    found = explain_entry(request.organization_id, request.path["id"])
    shown: dict[str, Any] = {"journal_entry": entry_view(found.entry)}
    if found.event is None:
        shown["cause"] = "api"
        if found.entry["created_by_api_key_id"] is not None:
            shown["created_by_api_key_id"] = found.entry["created_by_api_key_id"]
        return Reply(200, shown)
    shown |= {"cause": "event" if found.rule is None else "rule", "event": event_view(found.event.row)}
    if found.rule is not None:
        shown["rule"] = _rule(found.rule, found.event)
    if found.action is not None:
        shown["action"] = _action(found.action, found.event)
    if found.event.decision is not None:
        mismatches = found.event.decision.mismatches
        shown |= {"matches_stored": not mismatches, "mismatches": [_mismatch(each) for each in mismatches]}
    return Reply(200, shown)


def _mismatch(found: Mismatch) -> dict[str, Any]:
    return {"path": found.path, "stored": found.stored, "recomputed": found.recomputed}


def _rule(it: ExplainedRule, event: EventExplained) -> dict[str, Any]:
    assert event.ruleset is not None, "rules are explained of a rule set"
    rule, stored = it.rule.compiled.rule, it.stored
    shown: dict[str, Any] = {
        "rule_id": rule.id, "rule_name": rule.name, "rule_history_id": rule.history_id, "order": rule.order,
        "outcome": _outcome(it),
    }
    if it.rule.compiled.event_types is not None:
        shown["event_types"] = sorted(it.rule.compiled.event_types)
    if it.condition is not None:
        shown["condition"] = _expression("condition", it.condition)
    if stored is not None:
        shown["status"] = stored.status
        if stored.reason is not None:
            shown["reason"] = stored.reason
        if stored.error is not None:
            shown["error_message"] = stored.error
        if stored.stopped_by is not None:
            rules = {each.number: each.compiled.rule.id for each in event.ruleset.rules}
            shown["stopped_by_rule_id"] = rules.get(stored.stopped_by)
    return shown | {"actions": [_action(each, event) for each in it.actions]}


def _outcome(it: ExplainedRule) -> str:
    if not it.candidate:
        return "other_event_type"
    if it.condition is not None:
        if it.condition.error is not None:
            return "error"
        return "matched" if it.condition.value is True else "not_matched"
    skipped = it.stored is not None and it.stored.status is EvaluationStatus.SKIPPED
    return "skipped" if skipped else "not_reached"


def _action(it: ExplainedAction, event: EventExplained) -> dict[str, Any]:
    assert event.ruleset is not None, "actions are explained of a rule set"
    words = {"type": kind_of(it.action), "bucket": getattr(it.action, "bucket", None)}
    asset_id = getattr(it.action, "asset_id", None)
    if asset_id is not None:
        words["asset_id"] = str(asset_id)
    symbols = {str(asset.id): asset.symbol for asset in event.ruleset.assets.values()}
    shown = action_view(words, it.recorded or {}, symbols)
    shown |= {
        "executed": it.recorded is not None,
        "expressions": [_expression(name, each) for name, each in it.expressions],
    }
    entry_id = (it.recorded or {}).get("journal_entry_id")
    entry = event.entries.get(UUID(entry_id)) if entry_id is not None else None
    return shown if entry is None else shown | {"journal_entry": entry_view(entry)}


def _expression(name: str, it: Explanation) -> dict[str, Any]:
    shown: dict[str, Any] = {"field": name, "expression": it.root.text}
    if it.error is not None:
        shown["error"] = str(it.error)
    else:
        shown["value"] = _value(it.value)
    return shown | {"lines": lines(it), "steps": _step(it.root)}


def _step(step: Step) -> dict[str, Any]:
    shown: dict[str, Any] = {"expression": step.text, "evaluated": step.state is not State.NOT_EVALUATED}
    if step.state is State.VALUE:
        shown["value"] = _value(step.value)
    if step.error is not None:
        shown["error"] = step.error
    if step.times > 1:
        shown["times"] = step.times
    if step.children:
        shown["children"] = [_step(child) for child in step.children]
    return shown


def _value(value: Any) -> Any:
    """Return a value of the expression language as JSON has it; what JSON does not know becomes a text."""
    if value is None or isinstance(value, str | bool):
        return value
    if isinstance(value, Mapping):
        return {str(key): _value(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_value(inner) for inner in value]
    return value if isinstance(value, int | Decimal | datetime) else str(value)
