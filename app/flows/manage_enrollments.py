"""How participants stand in programs: freezing, closing and ending an enrollment (decision B4)."""

from typing import Any
from uuid import UUID

from app.db import read_clock, transaction
from app.domain.errors import NotFound
from app.store import enrollments


def set_status(organization_id: UUID, program_id: UUID, participant_id: UUID, status: str) -> dict[str, Any]:
    """Change an enrollment's status; an event would make it ACTIVE again."""
    with transaction() as c:
        if not enrollments.set_status(c, organization_id, program_id, participant_id, status, read_clock(c)):
            raise NotFound("Enrollment not found")
        row = enrollments.get(c, organization_id, program_id, participant_id)
        assert row is not None
        return row


def end(organization_id: UUID, program_id: UUID, participant_id: UUID) -> None:
    """Take a participant out of a program; its balances and state are its own and stay."""
    with transaction() as c:
        if not enrollments.delete(c, organization_id, program_id, participant_id):
            raise NotFound("Enrollment not found")
