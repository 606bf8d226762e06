"""Taking in the file of an import, at once or part by part."""

from typing import Any
from uuid import UUID

from app.db import Connection, read_clock, transaction
from app.domain.errors import InvalidRequest, LimitExceeded, NotFound, ProgramArchived, ProgramSuspended
from app.domain.ids import new_id
from app.domain.names import ProgramStatus
from app.flows.lanes import Lane, ring_softly
from app.store import imports, programs

FILE_BYTES_MAX = 2 << 30  # Two gigabytes: ten million events.


def create(
    organization_id: UUID, api_key_id: UUID, *, kind: str, file_format: str, program_id: UUID | None,
    dry_run: bool, content: bytes, last: bool,
) -> dict[str, Any]:
    """Begin an import with the first part of its file; a worker begins once the last part is there."""
    with transaction() as c:
        if program_id is not None:
            _open_program(c, organization_id, program_id, moves_value=kind != "participants")
        elif kind != "participants":
            raise InvalidRequest(details={"program_id": f"is required for {kind}"})
        now = read_clock(c)
        made = imports.insert(
            c, organization_id, now, id=new_id(), program_id=program_id, kind=kind, format=file_format,
            dry_run=dry_run, api_key_id=api_key_id,
        )
        row = imports.add_content(c, organization_id, made["id"], 0, content, now, last=last)
    if last:
        ring_softly(Lane.IMPORTS)
    return row


def append(
    organization_id: UUID, import_id: UUID, start: int, content: bytes, *, last: bool
) -> dict[str, Any]:
    """Add a part at byte `start`; one that is there already is passed over: sending it again is safe."""
    with transaction() as c:
        row = imports.lock(c, organization_id, import_id)
        if row is None:
            raise NotFound("Import not found")
        end = start + len(content)
        if end > FILE_BYTES_MAX:
            raise LimitExceeded(f"A file has at most {FILE_BYTES_MAX} bytes")
        if start > row["byte_total"] or (start < row["byte_total"] < end):
            raise InvalidRequest(details={"start": f"must be {row['byte_total']}, the end of what is there"})
        if row["uploaded"] and end > row["byte_total"]:
            raise InvalidRequest("The file is complete")
        if end <= row["byte_total"] and row["uploaded"]:
            found = imports.get(c, organization_id, import_id)
            assert found is not None
            return found
        fresh = content if start == row["byte_total"] else b""
        made = imports.add_content(
            c, organization_id, import_id, row["byte_total"], fresh, read_clock(c), last=last
        )
    if last:
        ring_softly(Lane.IMPORTS)
    return made


def _open_program(c: Connection, organization_id: UUID, program_id: UUID, *, moves_value: bool) -> None:
    program = programs.get(c, organization_id, program_id)
    if program is None:
        raise NotFound("Program not found")
    if program["status"] == ProgramStatus.ARCHIVED:
        raise ProgramArchived()
    if moves_value and program["status"] == ProgramStatus.SUSPENDED:
        raise ProgramSuspended()
