"""Creating ledger entities."""

from typing import Any
from uuid import UUID

from app.db import read_clock, transaction
from app.domain.ids import new_id
from app.store import ledger_entities


def create(organization_id: UUID, name: str) -> dict[str, Any]:
    """Create a ledger entity."""
    with transaction() as c:
        return ledger_entities.insert(c, organization_id, new_id(), name, read_clock(c))
