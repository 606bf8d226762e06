"""How participants stand in programs: freezing, closing and ending an enrollment (decision B4)."""

from typing import Any
from uuid import UUID

from app.db import Connection, read_clock, transaction
from app.domain.errors import NotFound, ProgramArchived
from app.domain.names import ProgramStatus
from app.flows.edit_state import refuse_erased
from app.flows.locks import lock_owners
from app.store import enrollments, programs


def set_status(organization_id: UUID, program_id: UUID, participant_id: UUID, status: str) -> dict[str, Any]:
    """Change an enrollment's status; an event would make it ACTIVE again."""
    with transaction() as c:
        _open(c, organization_id, program_id, participant_id)
        if not enrollments.set_status(c, organization_id, program_id, participant_id, status, read_clock(c)):
            raise NotFound("Enrollment not found")
        row = enrollments.get(c, organization_id, program_id, participant_id)
        assert row is not None
        return row


def end(organization_id: UUID, program_id: UUID, participant_id: UUID) -> None:
    """Take a participant out of a program; its balances and state are its own and stay."""
    with transaction() as c:
        _open(c, organization_id, program_id, participant_id)
        if not enrollments.delete(c, organization_id, program_id, participant_id):
            raise NotFound("Enrollment not found")


def _open(c: Connection, organization_id: UUID, program_id: UUID, participant_id: UUID) -> None:
    """Lock the participant, so that no erasure comes between, and refuse what is archived or was erased."""
    program = programs.get(c, organization_id, program_id)
    if program is None:
        raise NotFound("Program not found")
    lock_owners(c, organization_id, [participant_id])
    if enrollments.get(c, organization_id, program_id, participant_id) is None:
        raise NotFound("Enrollment not found")
    refuse_erased(c, organization_id, participant_id)
    if program["status"] == ProgramStatus.ARCHIVED:
        raise ProgramArchived()
