"""Reading how owners came to their levels: the tier changes of the packed state history, newest first.

Every change is written in the transaction that makes it, so this is the authoritative history.
"""

from uuid import UUID

from app.db import Connection
from app.store.pages import Column, Order, Page, Slice, Where, fetch

ORDER = Order((Column("h.id", "id", "uuid"), Column("x.index", "index", "bigint")))
_SELECT = """
SELECT h.id, x.index, h.changed_at, h.program_id, h.changed_by_api_key_id, e.id AS event_id,
    x.change ->> 1 AS key, x.change ->> 3 AS from_level, x.change ->> 4 AS to_level,
    (x.change ->> 5)::uuid AS rule_id, x.change ->> 6 AS reason
FROM state_history h
LEFT JOIN events e ON e.organization_id = h.organization_id AND e.seq = h.event_seq
CROSS JOIN LATERAL jsonb_array_elements(h.changes) WITH ORDINALITY AS x(change, index)
"""


def page(
    c: Connection, organization_id: UUID, owner_id: UUID, page: Page, *, program_id: UUID | None,
    key: str | None,
) -> Slice:
    """Return one page of an owner's tier changes."""
    where = Where.of(organization_id, "h.organization_id")
    where.equal("h.owner_id", "owner_id", owner_id)
    where.add("x.change ->> 0 = 'tier'")
    where.equal("h.program_id", "program_id", program_id)
    where.equal("x.change ->> 1", "key", key)
    if page.after is not None:
        where.add("h.id <= %(last_id)s", last_id=page.after[0])  # Lets the primary key find the place.
    return fetch(c, f"{_SELECT} WHERE {where.sql()}", where.parameters, ORDER, page)
