"""Making API keys. The text of a key exists only in the answer that hands it out."""

import hashlib
import secrets
from datetime import datetime
from uuid import UUID

from app.db import Connection, read_clock, transaction
from app.domain.errors import NotFound
from app.domain.ids import TimeOrdered
from app.store import api_keys

KEY_SCHEME = "sk_"
KEY_BYTES = 32
PREFIX_LENGTH = 8


def new_key() -> str:
    """A fresh key with 256 random bits."""
    return KEY_SCHEME + secrets.token_urlsafe(KEY_BYTES)


def hash_of(key: str) -> bytes:
    """What is stored of a key. Its randomness needs no salt and no slow hash."""
    return hashlib.sha256(key.encode()).digest()


def store(connection: Connection, *, organization_id: UUID, name: str, key: str, now: datetime) -> UUID:
    """Write a key down within the caller's transaction, and return its id."""
    key_id = TimeOrdered(now).next()
    api_keys.insert(
        connection,
        organization_id=organization_id,
        key_id=key_id,
        name=name,
        key_hash=hash_of(key),
        prefix=key[:PREFIX_LENGTH],
        now=now,
    )
    return key_id


def create(organization_id: UUID, name: str) -> tuple[UUID, str]:
    """Make a key for an organization and return its id and text. It works at once, everywhere."""
    key = new_key()
    with transaction() as connection:
        now = read_clock(connection)
        return store(connection, organization_id=organization_id, name=name, key=key, now=now), key


def revoke(organization_id: UUID, key_id: UUID) -> None:
    """Revoke a key; every process refuses it within a second. Raises NotFound."""
    with transaction() as connection:
        now = read_clock(connection)
        if not api_keys.revoke(connection, organization_id=organization_id, key_id=key_id, now=now):
            raise NotFound("There is no such key, or it is already revoked")
