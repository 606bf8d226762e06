"""Explaining an event: its decision taken again from what was stored, beside what was stored and posted."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from app.book import journal
from app.book.journal import JournalFilter
from app.db import Connection, connection
from app.domain.amounts import EXACT, ZERO, format_amount
from app.domain.errors import NotFound
from app.domain.events import Event
from app.domain.names import EntryType, EventErrorCode, EventStatus, EventType
from app.engine.evaluations import Evaluation, read_all
from app.engine.explaining import ExplainedDecision, Mismatch, explain
from app.engine.ruleset import Ruleset
from app.flows import rulesets
from app.store import events, participants
from app.store.event_status import status_of

ENTRIES_MAX = 10_000  # More than any event can write: 2,000 rules are bounded by time long before.

# These ends are not decided by rules, so there is nothing to take again.
_UNDECIDED = frozenset((
    EventErrorCode.ATTEMPTS_EXHAUSTED, EventErrorCode.POISON_EVENT, EventErrorCode.PROGRAM_INACTIVE,
    EventErrorCode.CHAIN_TOO_DEEP,
))
# Entries that spending meets on its way; no action is their cause.
_ON_THE_WAY = frozenset((EntryType.EXPIRATION, EntryType.MATURITY))


@dataclass(frozen=True, slots=True)
class EventExplained:
    """An event row, its rule set, the decision taken again, and the entries that it posted.

    `decision` is None where rules have not decided: the event waits, or ended without them. `erased` says
    that a participant's data are gone, so that nothing can be compared.
    """

    row: dict[str, Any]
    ruleset: Ruleset | None
    decision: ExplainedDecision | None
    entries: dict[UUID, dict[str, Any]]
    erased: bool = False


def explain_event(organization_id: UUID, event_id: UUID) -> EventExplained:
    """Explain an event. Raises NotFound."""
    with connection() as c:
        row = events.get(c, organization_id, event_id)
        if row is None:
            raise NotFound("Event not found")
        return _explained(c, row)


def _explained(c: Connection, row: dict[str, Any]) -> EventExplained:
    organization_id = row["organization_id"]
    if status_of(row) not in (EventStatus.COMPLETED, EventStatus.FAILED):
        return EventExplained(row, None, None, {})
    ruleset = rulesets.get(c, organization_id, row["program_id"], row["ruleset_version"])
    people = [one for one in (row["participant_id"], row["recipient_id"]) if one is not None]
    if any(person["erased_at"] for person in participants.full(c, organization_id, people).values()):
        return EventExplained(row, ruleset, None, {}, erased=True)
    if row["error_code"] in _UNDECIDED:
        return EventExplained(row, ruleset, None, {})
    # What somebody made unreadable is a mismatch, and then as if it were not there.
    stored, garbage = read_all(row["evaluations"])
    unreadable = [Mismatch(path, value, None) for path, value in garbage.items()]
    inputs = row["inputs"] or {}
    if not isinstance(inputs, dict):
        unreadable.append(Mismatch("inputs", inputs, {}))
        inputs = {}
    decision = explain(_event(row), ruleset, row["decided_at"], inputs, stored)
    decision.mismatches += unreadable
    rows, _ = journal.page(c, organization_id, JournalFilter(event_id=row["id"]), None, ENTRIES_MAX)
    entries = {entry["id"]: entry for entry in reversed(rows)}
    decision.mismatches += _unfitting_entries(ruleset, stored, entries)
    return EventExplained(row, ruleset, decision, entries)


def _event(row: dict[str, Any]) -> Event:
    return Event(
        row["organization_id"], row["seq"], row["id"], row["program_id"], EventType(row["event_type"]),
        row["participant_id"], row["group_id"], row["recipient_id"], row["external_id"],
        row["idempotency_key"], row["event_timestamp"], row["created_at"], row["event_data"], row["depth"],
        row["participant_id"] or row["group_id"] or row["program_id"],
    )


def _unfitting_entries(
    ruleset: Ruleset, stored: list[Evaluation], entries: dict[UUID, dict[str, Any]]
) -> Iterator[Mismatch]:
    """Compare what evaluations say was posted with the journal, both ways."""
    rules = {rule.number: rule.compiled.rule for rule in ruleset.rules}
    by_text = {str(entry_id): entry for entry_id, entry in entries.items()}
    named = set()
    for evaluation in stored:
        rule = rules.get(evaluation.number)
        for index, action in enumerate(evaluation.actions):
            if "journal_entry_id" not in action or rule is None:
                continue
            path = f"{rule.id}.actions[{index}]"
            entry = by_text.get(str(action["journal_entry_id"]))
            if entry is None:
                yield Mismatch(f"{path}.journal_entry_id", action["journal_entry_id"], None)
                continue
            named.add(entry["id"])
            if entry["rule_id"] != rule.id:
                yield Mismatch(f"{path}.journal_entry_id.rule_id", str(entry["rule_id"]), str(rule.id))
            posted = format_amount(_moved(entry), entry["scale"])
            # A settle moves what was held as well; its amount is not the sum of one side.
            if entry["action_type"] != EntryType.SETTLE and posted != action.get("amount"):
                yield Mismatch(f"{path}.amount", action.get("amount"), posted)
    for entry_id, entry in entries.items():
        if entry_id not in named and EntryType(entry["action_type"]) not in _ON_THE_WAY:
            yield Mismatch(f"journal_entries.{entry_id}", entry["action_type"], None)


def _moved(entry: dict[str, Any]) -> Decimal:
    moved = ZERO
    for each in entry["postings"]:
        if each["amount"] > 0:
            moved = EXACT.add(moved, each["amount"])
    return moved
