"""Working off imports: a window of the file, its records, their effects and the report, in one transaction.

So an import goes on exactly where a crash left it: what was done and how far it had come were committed
together. A dry run does all the same and undoes it.
"""

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import psycopg

from app.db import Connection, read_clock
from app.domain.errors import DomainError
from app.domain.import_files import RECORD_BYTES_MAX, Cut, FileError, Record, cut
from app.flows import import_balances, ingest, lanes
from app.flows.import_lines import balance_of, participant_of, submission_of
from app.flows.lanes import NOTHING, Turn
from app.flows.manage_participants import upsert_within
from app.store import imports

ROOM_WAIT_SECONDS = 0.02  # Events are inserted only while few wait (decision C17).
NOBODY = UUID(int=0)
WINDOW_BYTES = (128 * 1024, 2 * RECORD_BYTES_MAX)


@dataclass(slots=True)
class _Report:
    """What became of the records of one window."""

    errors: list[dict[str, Any]] = field(default_factory=list)
    partitions: Collection[int] = ()

    def refuse(self, record: Record, code: str, message: str) -> None:
        """Note a bad record."""
        self.errors.append({"line": record.line, "code": code, "message": message[:500]})


def import_some(c: Connection) -> Turn:
    """Work off one window of the import whose turn it is; who waits for room lets the others pass."""
    row = imports.next_unfinished(c, with_events=True)
    if row is None:
        return NOTHING
    if row["kind"] == "events" and not row["dry_run"] and not lanes.has_room(c):
        row = imports.next_unfinished(c, with_events=False)
        if row is None:
            time.sleep(ROOM_WAIT_SECONDS)  # Room comes with what the workers decide; nobody rings for it.
            return Turn(more=True)
    now = read_clock(c)
    report = _Report()
    try:
        made = _cut(c, row)
        if row["dry_run"]:
            with c.transaction(force_rollback=True):
                _apply(c, row, made.records, report)
            report.partitions = ()
        else:
            with c.transaction():
                _apply(c, row, made.records, report)
    except FileError as error:
        return _fail(c, row, now, str(error))
    except psycopg.OperationalError:
        raise  # The database is away or busy: the step is taken again.
    except psycopg.Error as error:
        return _fail(c, row, now, f"The database refused the records ({type(error).__name__})")
    _advance(c, row, made, report, now)
    return Turn(more=True, partitions=report.partitions)


def _cut(c: Connection, row: dict[str, Any]) -> Cut:
    """Return the next records; where a record does not fit into the usual window, from a large one."""
    offset = row["byte_offset"]
    for size in WINDOW_BYTES:
        data = imports.window(c, row["organization_id"], row["id"], offset, size)
        is_last = offset + len(data) >= row["byte_total"]
        made = cut(
            data, row["format"], is_first=offset == 0, is_last=is_last, header=row["header"],
            line=row["processed_lines"],
        )
        if made.bytes_taken or is_last:
            break
    return made


def _advance(c: Connection, row: dict[str, Any], made: Cut, report: _Report, now: Any) -> None:
    organization_id, import_id = row["organization_id"], row["id"]
    imports.add_errors(c, organization_id, import_id, report.errors)
    offset = row["byte_offset"] + made.bytes_taken
    finished = offset >= row["byte_total"] or made.bytes_taken == 0
    imports.advance(
        c, organization_id, import_id, now, status="COMPLETED" if finished else "PROCESSING", offset=offset,
        header=made.header, processed=made.lines_taken, rejected=len(report.errors),
        accepted=len(made.records) - len(report.errors),
    )
    if finished:
        imports.forget_content(c, organization_id, import_id)


def _fail(c: Connection, row: dict[str, Any], now: Any, message: str) -> Turn:
    imports.advance(
        c, row["organization_id"], row["id"], now, status="FAILED", offset=row["byte_offset"],
        error_message=message,
    )
    imports.forget_content(c, row["organization_id"], row["id"])
    return Turn(more=True)


def _apply(c: Connection, row: dict[str, Any], records: Sequence[Record], report: _Report) -> None:
    program_id = row["program_id"]
    match row["kind"]:
        case "participants":
            good, values = _read(records, report, lambda each: participant_of(each.fields or {}, program_id))
            outcomes: Sequence[Any] = upsert_within(
                c, row["organization_id"], row["api_key_id"] or NOBODY, values
            )
        case "balances":
            good, values = _read(
                records, report, lambda each: balance_of(each.fields or {}, f"{row['id']}:{each.line}")
            )
            outcomes = import_balances.apply(
                c, row["organization_id"], row["api_key_id"], program_id, values
            )
        case "events":
            good, values = _read(records, report, lambda each: submission_of(each.fields or {}, program_id))
            outcomes, report.partitions = ingest.accept_within(c, row["organization_id"], values)
        case kind:
            raise AssertionError(kind)
    for record, outcome in zip(good, outcomes, strict=True):
        if isinstance(outcome, DomainError):
            report.refuse(record, outcome.code, outcome.message)


def _read(
    records: Sequence[Record], report: _Report, read: Callable[[Record], Any]
) -> tuple[list[Record], list[Any]]:
    """Return the records that can be read, with what they mean; the others go into the report."""
    good: list[Record] = []
    values: list[Any] = []
    for record in records:
        if record.problem is not None:
            report.refuse(record, "validation_error", record.problem)
            continue
        try:
            values.append(read(record))
            good.append(record)
        except DomainError as error:
            report.refuse(record, error.code, error.message)
    return good, values
