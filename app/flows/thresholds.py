"""Counters that cross the thresholds of automations: noted in the transaction that changes the counter.

The event itself is made when the subscription's turn comes, at once: see app/flows/subscriptions.py.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from app.db import Connection
from app.domain.amounts import ZERO
from app.domain.automations import Automation, Threshold
from app.domain.ids import TimeOrdered
from app.domain.names import OwnerType
from app.engine.state import Owner
from app.store import automations, subscriptions

Change = tuple[Owner, Owner]  # An owner before and after.


def note(c: Connection, organization_id: UUID, changes: Iterable[Change], now: datetime) -> None:
    """Make participants due whose counters crossed a threshold; reads the automations only if it must."""
    counted = [one for one in changes if one[0].counters is not one[1].counters]
    if counted:
        watching = automations.read_thresholds(automations.start_thresholds(c, organization_id))
        note_known(c, organization_id, watching, counted, now)


def note_known(
    c: Connection, organization_id: UUID, watching: Sequence[Automation], changes: Iterable[Change],
    now: datetime,
) -> None:
    """Do the same where the automations are known."""
    rows: dict[tuple[UUID, UUID], dict[str, Any]] = {}
    ids = TimeOrdered(now)
    for automation in watching:
        schedule = automation.schedule
        assert isinstance(schedule, Threshold), "only thresholds are watched"
        for before, after in changes:
            if after.kind is OwnerType.PARTICIPANT and _crossed(schedule, before, after, now):
                rows[automation.id, after.id] = {
                    "i": ids.next(), "a": automation.id, "w": after.id, "p": automation.program_id,
                }
    subscriptions.crossed(c, organization_id, list(rows.values()), now)


def _crossed(schedule: Threshold, before: Owner, after: Owner, now: datetime) -> bool:
    """Say whether a write made the comparison true, by what it did or by the auto-reset that it found due.

    A reset happens at a write (`reset_after` is judged on reading and writing): what it made true, and what
    the write left true, became true here. Untouched, a counter crosses nothing.
    """
    stored, written = (one.counters.get(schedule.counter) for one in (before, after))
    if stored is written:
        return False
    new = ZERO if written is None else written.effective(now)
    olds = (ZERO, ZERO) if stored is None else (stored.value, stored.effective(now))
    return any(schedule.crossed(old, new) for old in olds)
