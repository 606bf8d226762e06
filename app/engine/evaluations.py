"""What is recorded of a rule in a decision, packed into short lists, and unpacked for readers.

A packed evaluation is `[number, status, reason, error, stopped_by, actions]`, its empty end cut off. The
rule's name, version and the static part of its actions are found through the rule set; `actions` has one
object for each executed action of the rule, in order, with what was resolved at run time.
"""

from dataclasses import dataclass, field
from typing import Any

from app.domain.names import EvaluationStatus, SkipReason

Packed = list[Any]
_PARTS = 6
# Tuples, as what is looked for in them may be a list.
_STATUSES = tuple(EvaluationStatus)
_REASONS = (None, *SkipReason)


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
        status = str(self.status)
        if self.status is EvaluationStatus.SUCCESS and self.actions:
            return [self.number, status, None, None, None, self.actions]
        full: Packed = [
            self.number, status, self.reason.value if self.reason else None, self.error,
            self.stopped_by, self.actions or None,
        ]
        while full[-1] is None:
            full.pop()
        return full


class EvaluationFault(ValueError):
    """What is stored is no packed evaluation: somebody else wrote it."""


def checked(packed: Any) -> Evaluation:
    """Read the short form where it need not be one. Raises EvaluationFault."""
    if not isinstance(packed, list) or not 2 <= len(packed) <= _PARTS:
        raise EvaluationFault("is not a list of two to six parts")
    number, status, reason, error, stopped_by, actions = packed + [None] * (_PARTS - len(packed))
    if (
        type(number) is not int or status not in _STATUSES or reason not in _REASONS
        or not isinstance(error, str | None) or type(stopped_by) not in (int, type(None))
        or not isinstance(actions, list | None) or not all(map(_is_recorded, actions or ()))
    ):
        raise EvaluationFault("has a part that none of ours has")
    return Evaluation(
        number, EvaluationStatus(status), SkipReason(reason) if reason else None, error, stopped_by,
        actions or [],
    )


def read_all(packed: Any) -> tuple[list[Evaluation], dict[str, Any]]:
    """Read what is stored with a decision: what can be read, and by path what somebody made unreadable."""
    if not isinstance(packed, list | None):
        return [], {"evaluations": packed}
    readable: list[Evaluation] = []
    unreadable: dict[str, Any] = {}
    for place, one in enumerate(packed or ()):
        try:
            readable.append(checked(one))
        except EvaluationFault:
            unreadable[f"evaluations[{place}]"] = one
    return readable, unreadable


def _is_recorded(action: Any) -> bool:
    """Say whether this is what an executed action records: texts, and whom it concerned."""
    return isinstance(action, dict) and all(
        isinstance(value, dict if name == "target" else str) for name, value in action.items()
    )
