"""How participants stand in programs: freezing, closing and ending an enrollment (decision B4)."""

from typing import Any
from uuid import UUID

from app.db import Connection, read_clock, transaction
from app.domain.errors import NotFound, ProgramArchived
from app.domain.names import ProgramStatus
from app.store import enrollments, programs


def set_status(organization_id: UUID, program_id: UUID, participant_id: UUID, status: str) -> dict[str, Any]:
    """Change an enrollment's status; an event would make it ACTIVE again."""
    with transaction() as c:
        _refuse_archived(c, organization_id, program_id)
        if not enrollments.set_status(c, organization_id, program_id, participant_id, status, read_clock(c)):
            raise NotFound("Enrollment not found")
        row = enrollments.get(c, organization_id, program_id, participant_id)
        assert row is not None
        return row


def end(organization_id: UUID, program_id: UUID, participant_id: UUID) -> None:
    """Take a participant out of a program; its balances and state are its own and stay."""
    with transaction() as c:
        _refuse_archived(c, organization_id, program_id)
        if not enrollments.delete(c, organization_id, program_id, participant_id):
            raise NotFound("Enrollment not found")


def _refuse_archived(c: Connection, organization_id: UUID, program_id: UUID) -> None:
    program = programs.get(c, organization_id, program_id)
    if program is None:
        raise NotFound("Program not found")
    if program["status"] == ProgramStatus.ARCHIVED:
        raise ProgramArchived()
