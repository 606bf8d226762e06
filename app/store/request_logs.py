"""The SQL of request logs: written in batches behind the requests, read by the logs endpoints."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from app.db import Connection

_INSERT = """
COPY request_logs (organization_id, id, request_id, method, path, route_pattern, status_code, duration_ms,
    error_code, auth_type, created_at, request_body, response_body, ip_address, user_agent) FROM STDIN
"""
_USED = """
UPDATE api_keys SET last_used_at = %(at)s
WHERE organization_id = %(organization_id)s AND id = ANY(%(ids)s::uuid[])
    AND (last_used_at IS NULL OR last_used_at < %(at)s)
"""
SUMMARY = (
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
