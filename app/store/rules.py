"""The SQL of rules as they stand now; their versions are in app/store/rule_history."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from app.db import Connection
from app.domain.json import dumps
from app.domain.rules import RuleStatus
from app.store.pages import Column, Order, Page, Slice, Where, fetch

_COLUMNS = """id, program_id, name, description, condition, actions, position, stop_after_match, active_from,
    active_to, status, history_id, created_at, updated_at, deleted_at"""

_GET = f"""
SELECT {_COLUMNS} FROM rules WHERE organization_id = %(organization_id)s AND id = %(id)s
"""

_INSERT = """
INSERT INTO rules (organization_id, id, program_id, name, description, condition, actions, position,
    stop_after_match, active_from, active_to, status, history_id, created_at, updated_at)
VALUES (%(organization_id)s, %(id)s, %(program_id)s, %(name)s, %(description)s, %(condition)s, %(actions)s,
    %(order)s, %(stop_after_match)s, %(active_from)s, %(active_to)s, %(status)s, %(history_id)s,
    %(created_at)s, %(updated_at)s)
"""

_UPDATE = """
UPDATE rules SET name = %(name)s, description = %(description)s, condition = %(condition)s,
    actions = %(actions)s, position = %(order)s, stop_after_match = %(stop_after_match)s,
    active_from = %(active_from)s, active_to = %(active_to)s, status = %(status)s,
    history_id = %(history_id)s, updated_at = %(updated_at)s, deleted_at = %(deleted_at)s
WHERE organization_id = %(organization_id)s AND id = %(id)s
"""

_PLACES = """
SELECT count(*) AS rules, coalesce(max(position), 0) AS last
FROM rules
WHERE organization_id = %(organization_id)s AND program_id = %(program_id)s AND status <> 'ARCHIVED'
"""

_ORDER_TAKEN = """
SELECT 1 FROM rules
WHERE organization_id = %(organization_id)s AND program_id = %(program_id)s AND position = %(order)s
    AND status = 'ACTIVE' AND id <> %(rule_id)s
"""

_ID = Column("id", "id", "uuid")
_SORTS = {
    "order": Column("position", "position", "integer"),
    "name": Column("name", "name", "text"),
    "created_at": Column("created_at", "created_at", "timestamptz"),
}


@dataclass(frozen=True, slots=True)
class RuleRow:
    """A rule's row. `actions` are the caller's own words; `order` is the column `position`."""

    id: UUID
    program_id: UUID
    name: str
    description: str | None
    condition: str
    actions: list[dict[str, Any]]
    order: int
    stop_after_match: bool
    active_from: datetime | None
    active_to: datetime | None
    status: RuleStatus
    history_id: UUID
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None


def get(c: Connection, organization_id: UUID, rule_id: UUID) -> RuleRow | None:
    """Return a rule, archived or not."""
    row = c.execute(_GET, {"organization_id": organization_id, "id": rule_id}).fetchone()
    return None if row is None else row_of(row)


def insert(c: Connection, organization_id: UUID, rule: RuleRow) -> None:
    """Add a rule."""
    c.execute(_INSERT, _parameters(organization_id, rule))


def update(c: Connection, organization_id: UUID, rule: RuleRow) -> None:
    """Write a rule as it is now."""
    c.execute(_UPDATE, _parameters(organization_id, rule))


def places(c: Connection, organization_id: UUID, program_id: UUID) -> tuple[int, int]:
    """Return how many rules that are not archived a program has, and the highest order among them."""
    row = c.execute(_PLACES, {"organization_id": organization_id, "program_id": program_id}).fetchone()
    assert row is not None
    return row["rules"], row["last"]


def order_taken(c: Connection, organization_id: UUID, program_id: UUID, order: int, rule_id: UUID) -> bool:
    """Say whether another active rule of the program has this order."""
    row = c.execute(_ORDER_TAKEN, {
        "organization_id": organization_id, "program_id": program_id, "order": order, "rule_id": rule_id,
    }).fetchone()
    return row is not None


def order(sort_by: str, *, descending: bool) -> Order:
    """Return the order of a list by `order`, `name` or `created_at`."""
    return Order((_SORTS[sort_by], _ID), descending)


def page(
    c: Connection, organization_id: UUID, order: Order, page: Page, *, program_id: UUID | None,
    status: str | None, include_archived: bool, search: str | None,
) -> Slice:
    """Return one page of rules; `row_of` reads its rows. Archived ones come only when asked for."""
    where = Where.of(organization_id)
    where.equal("program_id", "program_id", program_id)
    where.equal("status", "status", status)
    if status is None and not include_archived:
        where.add("status <> 'ARCHIVED'")
    where.search(("name",), search)
    return fetch(c, f"SELECT {_COLUMNS} FROM rules WHERE {where.sql()}", where.parameters, order, page)


def row_of(row: Mapping[str, Any]) -> RuleRow:
    """Read a row of a page."""
    fields = dict(row)
    return RuleRow(order=fields.pop("position"), status=RuleStatus(fields.pop("status")), **fields)


def _parameters(organization_id: UUID, rule: RuleRow) -> dict[str, Any]:
    return {
        "organization_id": organization_id,
        "id": rule.id,
        "program_id": rule.program_id,
        "name": rule.name,
        "description": rule.description,
        "condition": rule.condition,
        "actions": Jsonb(rule.actions, dumps=dumps),
        "order": rule.order,
        "stop_after_match": rule.stop_after_match,
        "active_from": rule.active_from,
        "active_to": rule.active_to,
        "status": rule.status.value,
        "history_id": rule.history_id,
        "created_at": rule.created_at,
        "updated_at": rule.updated_at,
        "deleted_at": rule.deleted_at,
    }
