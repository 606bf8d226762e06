"""What is recorded of a rule in a decision, packed into short lists, and unpacked for readers.

A packed evaluation is `[number, status, reason, error, stopped_by, actions]`, its empty end cut off. The
rule's name, version and the static part of its actions are found through the rule set; `actions` has one
object for each executed action of the rule, in order, with what was resolved at run time.
"""

from dataclasses import dataclass, field
from typing import Any

from app.domain.names import EvaluationStatus, SkipReason

Packed = list[Any]


@dataclass(slots=True)
class Evaluation:
    """What became of one rule in one event."""

    number: int
    status: EvaluationStatus
    reason: SkipReason | None = None
    error: str | None = None
    stopped_by: int | None = None
    actions: list[dict[str, Any]] = field(default_factory=list)

    def forget_entries(self) -> None:
        """Drop the names of journal entries: the event failed, so none of them is written."""
        for action in self.actions:
            action.pop("journal_entry_id", None)

    def packed(self) -> Packed:
        """Return the short form."""
        full: Packed = [
            self.number, self.status.value, self.reason.value if self.reason else None, self.error,
            self.stopped_by, self.actions or None,
        ]
        while full[-1] is None:
            full.pop()
        return full


def unpacked(packed: Packed) -> Evaluation:
    """Read the short form."""
    full = packed + [None] * (6 - len(packed))
    return Evaluation(
        full[0], EvaluationStatus(full[1]), SkipReason(full[2]) if full[2] else None, full[3], full[4],
        full[5] or [],
    )
