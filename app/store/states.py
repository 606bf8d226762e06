"""Reading the history of state: packed rows, shown change by change, newest first."""

from datetime import datetime
from typing import Any
from uuid import UUID

from app.db import Connection
from app.store.pages import Column, Order, Page, Slice, Where, fetch

HISTORY_ORDER = Order((Column("h.id", "id", "uuid"), Column("x.index", "index", "bigint")))
_HISTORY = """
SELECT h.id, x.index, h.changed_at, h.program_id, h.changed_by_api_key_id, e.id AS event_id,
    x.change ->> 0 AS state_type, x.change ->> 1 AS key, x.change ->> 2 AS operation,
    x.change ->> 3 AS old_value, x.change ->> 4 AS new_value, (x.change ->> 5)::uuid AS rule_id
FROM state_history h
LEFT JOIN events e ON e.organization_id = h.organization_id AND e.seq = h.event_seq
CROSS JOIN LATERAL jsonb_array_elements(h.changes) WITH ORDINALITY AS x(change, index)
"""


def history(
    c: Connection, organization_id: UUID, owner_id: UUID, page: Page, *, state_type: str | None = None,
    key: str | None = None, operation: str | None = None, program_id: UUID | None = None,
    window: tuple[datetime | None, datetime | None] = (None, None),
    event_window: tuple[datetime | None, datetime | None] = (None, None),
) -> Slice:
    """Return one page of an owner's changes; the event's time falls back to the change's own."""
    where = Where.of(organization_id, "h.organization_id")
    where.equal("h.owner_id", "owner_id", owner_id)
    where.equal("x.change ->> 0", "state_type", state_type)
    where.equal("x.change ->> 1", "key", key)
    where.equal("x.change ->> 2", "operation", operation)
    where.equal("h.program_id", "program_id", program_id)
    where.window("h.changed_at", *window)
    where.window("COALESCE(e.event_timestamp, h.changed_at)", *event_window, name="event_window")
    if page.after is not None:
        where.add("h.id <= %(last_id)s", last_id=page.after[0])  # Lets the primary key find the place.
    return fetch(c, f"{_HISTORY} WHERE {where.sql()}", where.parameters, HISTORY_ORDER, page)


def kind_of(c: Connection, organization_id: UUID, owner_id: UUID) -> str | None:
    """Return what an owner is, None where there is none."""
    row: dict[str, Any] | None = c.execute(
        "SELECT kind FROM owners WHERE organization_id = %s AND id = %s", (organization_id, owner_id)
    ).fetchone()
    return None if row is None else row["kind"]
