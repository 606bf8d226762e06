"""The SQL of request logs: written in batches behind the requests, read by the logs endpoints."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, LiteralString
from uuid import UUID

from app.db import Connection, limited
from app.domain.ids import highest_id, lowest_id
from app.store.pages import Column, Order, Page, Slice, Where, fetch

_INSERT = """
COPY request_logs (organization_id, id, request_id, method, path, route_pattern, status_code, duration_ms,
    error_code, auth_type, created_at, request_body, response_body, ip_address, user_agent) FROM STDIN
"""
_USED = """
UPDATE api_keys SET last_used_at = %(at)s
WHERE organization_id = %(organization_id)s AND id = ANY(%(ids)s::uuid[])
    AND (last_used_at IS NULL OR last_used_at < %(at)s)
"""
_TRIM = """
DELETE FROM request_logs l USING (
    SELECT o.id AS organization_id, old.id FROM organizations o CROSS JOIN LATERAL (
        SELECT r.id FROM request_logs r
        WHERE r.organization_id = o.id AND r.id < %(before)s ORDER BY r.id LIMIT $limit) old
    LIMIT $limit
) gone
WHERE l.organization_id = gone.organization_id AND l.id = gone.id
"""
_ID = Column("id", "id", "uuid")
SORTS = {
    "created_at": _ID,
    "duration_ms": Column("duration_ms", "duration_ms", "integer"),
    "status_code": Column("status_code", "status_code", "smallint"),
}
SUMMARY: LiteralString = (
    "id, request_id, method, path, route_pattern, status_code, duration_ms, error_code, auth_type, created_at"
)
_GET = f"""
SELECT {SUMMARY}, request_body, response_body, ip_address, user_agent
FROM request_logs WHERE organization_id = %(organization_id)s AND id = %(id)s
"""


@dataclass(frozen=True, slots=True)
class LogRow:
    """One request as it is stored; bodies are JSON texts without secrets."""

    organization_id: UUID
    id: UUID
    request_id: str
    method: str
    path: str
    route_pattern: str | None
    status_code: int
    duration_ms: int
    error_code: str | None
    auth_type: str | None
    created_at: datetime
    request_body: str | None
    response_body: str | None
    ip_address: str | None
    user_agent: str | None

    def values(self) -> tuple[Any, ...]:
        """Return the columns in the order of the insert."""
        return tuple(getattr(self, name) for name in self.__slots__)


def insert(c: Connection, rows: Sequence[LogRow]) -> None:
    """Write rows of any number of organizations, each with its own organization_id."""
    with c.cursor() as cursor, cursor.copy(_INSERT) as copy:
        for row in rows:
            copy.write_row(row.values())


def note_key_use(c: Connection, organization_id: UUID, api_key_ids: Sequence[UUID], at: datetime) -> None:
    """Remember when keys were last used."""
    c.execute(_USED, {"organization_id": organization_id, "ids": list(api_key_ids), "at": at})


def get(c: Connection, organization_id: UUID, log_id: UUID) -> dict[str, Any] | None:
    """Return one request with its bodies."""
    return c.execute(_GET, {"organization_id": organization_id, "id": log_id}).fetchone()


def page(
    c: Connection, organization_id: UUID, order: Order, page: Page, *, method: str | None,
    route_pattern: str | None, request_id: str | None, auth_type: str | None, status_min: int | None,
    status_max: int | None, window: tuple[datetime | None, datetime | None],
) -> Slice:
    """Return one page of requests without bodies."""
    where = Where.of(organization_id)
    where.equal("method", "method", method)
    where.equal("route_pattern", "route_pattern", route_pattern)
    where.equal("request_id", "request_id", request_id)
    where.equal("auth_type", "auth_type", auth_type)
    if status_min is not None:
        where.add("status_code >= %(status_min)s", status_min=status_min)
    if status_max is not None:
        where.add("status_code <= %(status_max)s", status_max=status_max)
    where.window("created_at", *window)
    # Ids are ordered by time: the primary key serves the windows.
    if window[0] is not None:
        where.add("id >= %(first_id)s", first_id=lowest_id(window[0]))
    if window[1] is not None:
        where.add("id <= %(last_id)s", last_id=highest_id(window[1]))
    return fetch(c, f"SELECT {SUMMARY} FROM request_logs WHERE {where.sql()}", where.parameters, order, page)


def order(sort_by: str, *, descending: bool) -> Order:
    """Return the order of a list by a key of SORTS; by time is the order of the ids."""
    columns = (_ID,) if sort_by == "created_at" else (SORTS[sort_by], _ID)
    return Order(columns, descending)


def trim(c: Connection, before: UUID, limit: int) -> int:
    """Delete up to `limit` logs whose time-ordered ids come before `before`, of all organizations."""
    return c.execute(limited(_TRIM, limit), {"before": before}).rowcount
