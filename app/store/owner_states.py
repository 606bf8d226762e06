"""Writing the state of owners after a batch: tags, counters, attributes, and the history of their changes."""

from collections.abc import Iterable
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

from app.db import Connection
from app.domain.amounts import format_plain
from app.domain.instants import format_instant
from app.domain.json import dumps
from app.engine.state import Counter, Owner, StateChange

# One statement for all owners of a batch. Columns that did not change are left as they are, so that the
# update touches no index and stays within its page.
_UPDATE = """
UPDATE owners w SET
    tags = COALESCE(r.t, w.tags), counters = COALESCE(r.c, w.counters),
    attributes = COALESCE(r.a, w.attributes), last_posted_at = COALESCE(r.p, w.last_posted_at),
    last_activity_at = COALESCE(r.l, w.last_activity_at), webhook_sequence = w.webhook_sequence + r.m
FROM jsonb_to_recordset(%s::jsonb)
    AS r(o uuid, i uuid, t text[], c jsonb, a jsonb, p timestamptz, l timestamptz, m bigint)
WHERE w.organization_id = r.o AND w.id = r.i
"""

_HISTORY = """
INSERT INTO state_history (organization_id, owner_id, id, changed_at, event_seq, program_id,
    changed_by_api_key_id, changes)
SELECT o, w, i, at, s, p, k, c
FROM jsonb_to_recordset(%s::jsonb)
    AS r(o uuid, w uuid, i uuid, at timestamptz, s bigint, p uuid, k uuid, c jsonb)
"""


# A batch has one instant: its text is made once.
_instant = lru_cache(maxsize=64)(datetime.isoformat)


def update_row(
    before: Owner, after: Owner, *, posted_at: datetime | None, active_at: datetime | None, messages: int
) -> dict[str, Any]:
    """Return the row that brings an owner from one state to another."""
    row: dict[str, Any] = {"o": after.organization_id, "i": after.id, "m": messages}
    if after.tags is not before.tags:
        row["t"] = list(after.tags)
    if after.counters is not before.counters:
        row["c"] = {key: stored_counter(value) for key, value in after.counters.items()}
    if after.attributes is not before.attributes:
        row["a"] = dict(after.attributes)
    if posted_at is not None:
        row["p"] = _instant(posted_at)
    if active_at is not None:
        row["l"] = _instant(active_at)
    return row


def stored_counter(counter: Counter) -> Any:
    """Return a counter as the column keeps it: short where it has no auto-reset."""
    if counter.reset_after is None:
        return format_plain(counter.value)
    return {
        "value": format_plain(counter.value), "reset_after": counter.reset_after,
        "reset_at": format_instant(counter.reset_at) if counter.reset_at else None,
    }


def update(c: Connection, rows: list[dict[str, Any]]) -> None:
    """Write the states of owners; each appears once."""
    if rows:
        c.execute(_UPDATE, (dumps(rows),))


def history_row(
    organization_id: UUID, owner_id: UUID, row_id: UUID, at: datetime, changes: Iterable[StateChange], *,
    event_seq: int | None = None, program_id: UUID | None = None, api_key_id: UUID | None = None,
) -> dict[str, Any]:
    """Return the history row of what one event or API call changed on one owner."""
    row: dict[str, Any] = {
        "o": organization_id, "w": owner_id, "i": row_id, "at": _instant(at), "s": event_seq,
        "c": [_change(change) for change in changes],
    }
    if program_id is not None:
        row["p"] = program_id
    if api_key_id is not None:
        row["k"] = api_key_id
    return row


def _change(change: StateChange) -> list[Any]:
    packed = [change.type, change.key, change.operation, change.old, change.new, change.rule_id]
    return packed if change.reason is None else [*packed, change.reason]


def insert_history(c: Connection, rows: list[dict[str, Any]]) -> None:
    """Write history rows."""
    if rows:
        c.execute(_HISTORY, (dumps(rows),))
