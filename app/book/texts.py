"""The texts of entries, which stand beside the journal so that they can be erased, with their salts."""

from dataclasses import dataclass
from uuid import UUID

from app.db import Connection

_OF_ENTRIES = """
SELECT entry_id, salt, description, reference_id FROM journal_texts
WHERE organization_id = %(organization_id)s AND entry_id = ANY(%(ids)s::uuid[])
"""


@dataclass(frozen=True, slots=True)
class Text:
    """What an entry says in words; erased ones keep their salt only."""

    salt: bytes
    description: str | None
    reference_id: str | None


def of_entries(c: Connection, organization_id: UUID, ids: list[UUID]) -> dict[UUID, Text]:
    """Return the texts of entries."""
    rows = c.execute(_OF_ENTRIES, {"organization_id": organization_id, "ids": ids}).fetchall()
    return {
        row["entry_id"]: Text(bytes(row["salt"]), row["description"], row["reference_id"]) for row in rows
    }
