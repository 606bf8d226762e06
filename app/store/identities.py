"""Whom an API key stands for: the one look-up that starts from a key and not from an organization."""

from dataclasses import dataclass
from uuid import UUID

from app.db import Connection

# The only statement without an organization in its WHERE: the key's hash is what tells the organization.
_FIND = """
SELECT k.organization_id, k.id AS api_key_id, o.rate_limit_per_second, o.rate_limit_burst
FROM api_keys k JOIN organizations o ON o.id = k.organization_id
WHERE k.key_hash = %(key_hash)s AND k.revoked_at IS NULL AND o.status = 'ACTIVE'
"""


@dataclass(frozen=True, slots=True)
class Identity:
    """The organization and the key that a request acts for, with the organization's rate limit."""

    organization_id: UUID
    api_key_id: UUID
    rate_limit_per_second: int
    rate_limit_burst: int


def find(c: Connection, key_hash: bytes) -> Identity | None:
    """Return the identity of a key by its SHA-256; None where unknown, revoked or suspended."""
    row = c.execute(_FIND, {"key_hash": key_hash}).fetchone()
    return None if row is None else Identity(**row)
