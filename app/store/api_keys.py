"""The SQL of API keys. The key itself is never stored: only its SHA-256 and its first eight characters.

Whom a key stands for is looked up in identities.py.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from app.db import Connection
from app.store.pages import Column, Order, Page, Slice, Where, fetch

ORDER = Order((Column("created_at", "created_at", "timestamptz"), Column("id", "id", "uuid")))
_COLUMNS = "id, organization_id, name, prefix, created_at, last_used_at, revoked_at"


def insert(
    connection: Connection,
    *,
    organization_id: UUID,
    key_id: UUID,
    name: str,
    key_hash: bytes,
    prefix: str,
    now: datetime,
) -> None:
    """Add a key of an organization."""
    connection.execute(
        """
        INSERT INTO api_keys (organization_id, id, name, key_hash, prefix, created_at)
        VALUES (%s, %s, %s, %s, %s, %s)
        """,
        (organization_id, key_id, name, key_hash, prefix, now),
    )


def of_organization(connection: Connection, organization_id: UUID) -> list[dict[str, Any]]:
    """All keys of an organization, revoked ones too, the newest first."""
    return connection.execute(
        f"SELECT {_COLUMNS} FROM api_keys WHERE organization_id = %s ORDER BY created_at DESC, id DESC",
        (organization_id,),
    ).fetchall()


def get(connection: Connection, organization_id: UUID, key_id: UUID) -> dict[str, Any] | None:
    """One key of an organization."""
    return connection.execute(
        f"SELECT {_COLUMNS} FROM api_keys WHERE organization_id = %s AND id = %s", (organization_id, key_id)
    ).fetchone()


def page(connection: Connection, organization_id: UUID, page: Page) -> Slice:
    """One page of an organization's keys, the newest first."""
    where = Where.of(organization_id)
    return fetch(
        connection, f"SELECT {_COLUMNS} FROM api_keys WHERE {where.sql()}", where.parameters, ORDER, page
    )


def revoke(connection: Connection, *, organization_id: UUID, key_id: UUID, now: datetime) -> bool:
    """Revoke a key; False when there is no such live key."""
    done = connection.execute(
        """
        UPDATE api_keys SET revoked_at = %s
        WHERE organization_id = %s AND id = %s AND revoked_at IS NULL
        """,
        (now, organization_id, key_id),
    )
    return done.rowcount == 1
