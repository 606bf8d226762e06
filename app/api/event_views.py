"""Showing events: the row with its derived status, and what became of the rules, unpacked.

A packed evaluation names its rule by a number; name and actions are those of the version that was in force.
"""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from app.api.render import present
from app.domain.ids import derived_id
from app.domain.names import EvaluationStatus, EventStatus
from app.engine.evaluations import Evaluation, read_all
from app.store.event_status import status_of
from app.store.rulesets import StoredRule

_HIDDEN = frozenset((EvaluationStatus.SKIPPED_ERROR, EvaluationStatus.SKIPPED_TIMEOUT))
_DECIDED = frozenset((EventStatus.COMPLETED, EventStatus.FAILED))
_REQUIRED = ("id", "program_id", "event_type", "idempotency_key", "event_data", "event_timestamp")
_OPTIONAL = (
    "external_id", "participant_id", "group_id", "recipient_id", "caused_by_event_id", "automation_id",
)


def event_view(row: Mapping[str, Any]) -> dict[str, Any]:
    """Show an event as lists do. Of one that waits for another try, the message is the last try's."""
    status = status_of(row)
    decided = status in _DECIDED
    processed_at = row["decided_at"] if decided else None
    shown = present(row, required=_REQUIRED, optional=_OPTIONAL)
    shown |= {
        "received_at": row["created_at"], "created_at": row["created_at"], "processed_at": processed_at,
        # A retried one waits again, and was decided before: its last change is never earlier than it was.
        "updated_at": row["decided_at"] or row["created_at"], "status": status,
    }
    error = row["decision_error"] if decided else row["attempt_error"]
    if decided and row["error_code"] is not None:
        shown["error_code"] = row["error_code"]
    if error is not None:
        shown["error_message"] = error
    if row["depth"]:
        shown["depth"] = row["depth"]
    return shown


def evaluation_views(
    row: Mapping[str, Any], rules: Mapping[int, StoredRule], symbols: Mapping[str, str], *,
    include_skipped: bool,
) -> list[dict[str, Any]]:
    """Show what became of the rules; nothing while the event still waits to be decided (again).

    What somebody made unreadable in the database is left out: explaining the event tells of it.
    """
    if status_of(row) not in _DECIDED:
        return []
    readable, _ = read_all(row["evaluations"])
    return [
        _evaluation(row, each, rules, symbols)
        for each in readable
        if each.number in rules and (include_skipped or each.status not in _HIDDEN)
    ]


def _evaluation(
    row: Mapping[str, Any], it: Evaluation, rules: Mapping[int, StoredRule], symbols: Mapping[str, str]
) -> dict[str, Any]:
    rule = rules[it.number]
    shown: dict[str, Any] = {
        "id": derived_id(row["id"], row["commit_order"], it.number), "rule_id": rule.rule_id,
        "rule_name": rule.snapshot["name"], "rule_history_id": rule.history_id, "status": it.status,
    }
    if it.reason is not None:
        shown["reason"] = it.reason
    if it.error is not None:
        shown["error_message"] = it.error
    if it.stopped_by is not None and it.stopped_by in rules:
        shown["stopped_by_rule_id"] = rules[it.stopped_by].rule_id
    shown["created_at"] = row["decided_at"]
    # A failing action is the last one, so fewer may be recorded than the rule has; more only by a stranger.
    both = zip(rule.snapshot["actions"], it.actions, strict=False)
    shown["actions"] = [action_view(words, recorded, symbols) for words, recorded in both]
    return shown


def action_view(
    words: Mapping[str, Any], recorded: Mapping[str, Any], symbols: Mapping[str, str]
) -> dict[str, Any]:
    """Show an executed action: what the rule says once and for all, and what was resolved."""
    shown: dict[str, Any] = {"type": words["type"]}
    asset_id = words.get("asset_id")
    if asset_id is not None:
        shown["asset_id"] = asset_id
        if str(UUID(asset_id)) in symbols:
            shown["asset_symbol"] = symbols[str(UUID(asset_id))]
    if words["type"] in ("CREDIT", "DEBIT", "FORFEIT"):
        shown["bucket"] = words.get("bucket") or "AVAILABLE"
    return shown | dict(recorded)
