"""The webhook outbox: messages written in the transaction that caused them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from app.db import Connection
from app.domain.json import dumps
from app.domain.names import WebhookType

_SUBSCRIBED = """
SELECT DISTINCT organization_id, unnest(enabled_events) AS type FROM webhook_endpoints
WHERE organization_id = ANY(%s::uuid[]) AND status = 'ACTIVE'
"""

_INSERT = """
WITH r AS MATERIALIZED (
    SELECT COALESCE(o, %(organization_id)s) AS o, i, t, COALESCE(at, %(now)s) AS at, p, d
    FROM jsonb_to_recordset(%(rows)s::jsonb)
        AS r(o uuid, i uuid, t text, at timestamptz, p uuid, d jsonb)
), w AS (
    INSERT INTO outbox (organization_id, id, type, created_at, participant_id, data)
    SELECT o, i, t, at, p, d FROM r
)
INSERT INTO outbox_pending (organization_id, outbox_id) SELECT o, i FROM r
"""

ALL_TYPES = frozenset(WebhookType)


@dataclass(frozen=True, slots=True)
class Message:
    """One webhook event: `data` is its payload, `participant_id` whom it concerns where there is one."""

    organization_id: UUID
    id: UUID
    type: WebhookType
    created_at: datetime
    participant_id: UUID | None
    data: dict[str, Any]


def subscribed(c: Connection, organization_ids: list[UUID]) -> dict[UUID, frozenset[WebhookType]]:
    """Return, for each organization, the types that some ACTIVE endpoint of it subscribes to."""
    return read_subscribed(start_subscribed(c, organization_ids))


def start_subscribed(c: Connection, organization_ids: list[UUID]) -> Any:
    """Start the query of `subscribed`, for use in a pipeline."""
    return c.execute(_SUBSCRIBED, (organization_ids,))


def read_subscribed(cursor: Any) -> dict[UUID, frozenset[WebhookType]]:
    """Finish the query of `subscribed`."""
    found: dict[UUID, set[WebhookType]] = {}
    for row in cursor.fetchall():
        types = found.setdefault(row["organization_id"], set())
        types |= ALL_TYPES if row["type"] == "*" else {WebhookType(row["type"])}
    return {organization: frozenset(types) for organization, types in found.items()}


def wants(c: Connection, organization_id: UUID, kind: WebhookType) -> bool:
    """Say whether some ACTIVE endpoint of the organization subscribes to a type."""
    return kind in subscribed(c, [organization_id]).get(organization_id, frozenset())


def insert(c: Connection, messages: list[Message]) -> None:
    """Write messages and mark them for fan-out."""
    if not messages:
        return
    usual = messages[0]
    values = {"organization_id": usual.organization_id, "now": usual.created_at}
    c.execute(_INSERT, {"rows": dumps([_row(message, usual) for message in messages]), **values})


def _row(message: Message, usual: Message) -> dict[str, Any]:
    """Return a row without what nearly all messages of a batch have in common."""
    row: dict[str, Any] = {"i": message.id.hex, "t": message.type, "d": message.data}
    if message.organization_id != usual.organization_id:
        row["o"] = message.organization_id.hex
    if message.created_at != usual.created_at:
        row["at"] = message.created_at.isoformat()
    if message.participant_id is not None:
        row["p"] = message.participant_id.hex
    return row
