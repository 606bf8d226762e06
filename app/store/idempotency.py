"""The SQL of idempotency keys: answers of operations, kept for ever under (program, operation, key)."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from app.db import Connection
from app.domain.json import dumps

# Held until the transaction ends: of two requests under one key the second waits, then finds the answer.
_WAIT = "SELECT pg_advisory_xact_lock(%(high)s, %(low)s)"
_GET = """
SELECT request_hash, response FROM idempotency_keys
WHERE organization_id = %(organization_id)s AND program_id = %(program_id)s
    AND operation = %(operation)s AND key = %(key)s
"""
_INSERT = """
INSERT INTO idempotency_keys
    (organization_id, program_id, operation, key, request_hash, response, participant_id, created_at)
VALUES (%(organization_id)s, %(program_id)s, %(operation)s, %(key)s, %(request_hash)s, %(response)s::jsonb,
    %(participant_id)s, read_clock())
"""

_INSERT_MANY = """
INSERT INTO idempotency_keys
    (organization_id, program_id, operation, key, request_hash, response, participant_id, created_at)
SELECT %(organization_id)s, %(program_id)s, %(operation)s, r.k, decode(r.h, 'hex'), r.r, r.p, %(now)s
FROM jsonb_to_recordset(%(rows)s::jsonb) AS r(k text, h text, r jsonb, p uuid)
"""


@dataclass(frozen=True, slots=True)
class Name:
    """What a key is unique within."""

    organization_id: UUID
    program_id: UUID
    operation: str
    key: str

    def parameters(self) -> dict[str, Any]:
        """Return the columns."""
        return {
            "organization_id": self.organization_id, "program_id": self.program_id,
            "operation": self.operation, "key": self.key,
        }


def wait_turn(c: Connection, number: int) -> None:
    """Wait until no other transaction works under this number (64 bits drawn from the name)."""
    high, low = number >> 32, number & 0xFFFF_FFFF
    c.execute(_WAIT, {"high": _signed(high), "low": _signed(low)})


def _signed(word: int) -> int:
    return word - (1 << 32) if word >> 31 else word


def start(c: Connection, name: Name) -> Any:
    """Start looking for the answer under a name, for use in a pipeline; finish with `read`."""
    return c.execute(_GET, name.parameters())


def read(cursor: Any) -> tuple[bytes, dict[str, Any]] | None:
    """Return the hash of the first request under a name, and its answer."""
    row = cursor.fetchone()
    return None if row is None else (bytes(row["request_hash"]), row["response"])


def insert(
    c: Connection, name: Name, request_hash: bytes, response: dict[str, Any], participant_id: UUID | None
) -> None:
    """Keep an answer; `participant_id` lets an erasure find it."""
    c.execute(_INSERT, {
        **name.parameters(), "request_hash": request_hash, "response": dumps(response),
        "participant_id": participant_id,
    })


def hashes(
    c: Connection, organization_id: UUID, program_id: UUID, operation: str, keys: list[str]
) -> dict[str, bytes]:
    """Return what was done under those of the keys that are taken."""
    rows = c.execute(
        "SELECT key, request_hash FROM idempotency_keys WHERE organization_id = %s AND program_id = %s"
        " AND operation = %s AND key = ANY(%s::text[])", (organization_id, program_id, operation, keys),
    ).fetchall()
    return {row["key"]: bytes(row["request_hash"]) for row in rows}


def insert_many(
    c: Connection, organization_id: UUID, program_id: UUID, operation: str, rows: list[dict[str, Any]],
    now: datetime,
) -> None:
    """Keep many answers: key `k`, hash `h` in hexadecimal, participant `p`, response `r`."""
    c.execute(_INSERT_MANY, {
        "organization_id": organization_id, "program_id": program_id, "operation": operation,
        "rows": dumps(rows), "now": now,
    })
