"""Cutting an uploaded file into records: CSV or JSON Lines, a window of bytes at a time. Pure.

A record knows its line for the report. What a record means stands in app/flows/import_lines.py.
"""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from app.domain.json import loads
from app.domain.texts import problem_of

RECORDS_MAX = 500  # A step of an import: short enough for a transaction, large enough to be fast.
RECORD_BYTES_MAX = 512 * 1024
_BOM = b"\xef\xbb\xbf"


class FileError(ValueError):
    """The file as a whole cannot be read; the text says why."""


@dataclass(frozen=True, slots=True)
class Record:
    """One record: its fields, or what is wrong with it."""

    line: int
    fields: dict[str, Any] | None
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Cut:
    """Records from the start of a window, the bytes and lines they took, and the header of a CSV file."""

    records: list[Record]
    bytes_taken: int
    lines_taken: int
    header: list[str] | None


class _WindowEnds(Exception):
    """The window ends within a record; the next window begins with it."""


class _Lines:
    """Yields decoded lines of a window and counts the bytes and lines taken."""

    def __init__(self, data: bytes, *, is_last: bool) -> None:
        self._data = data
        self._is_last = is_last
        self.taken = 0
        self.count = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        end = self._data.find(b"\n", self.taken) + 1
        if end == 0:
            if not self._is_last:
                raise _WindowEnds
            if self.taken >= len(self._data):
                raise StopIteration
            end = len(self._data)
        raw = self._data[self.taken : end]
        self.taken = end
        self.count += 1
        return raw.decode("utf-8")


def cut(
    data: bytes, file_format: str, *, is_first: bool, is_last: bool, header: list[str] | None, line: int
) -> Cut:
    """Cut up to RECORDS_MAX records out of a window; `line` is how many lines stood before it.

    Raises FileError where the header of a CSV file is missing or wrong, or a record has no end.
    """
    skipped = len(_BOM) if is_first and data.startswith(_BOM) else 0
    lines = _Lines(data[skipped:], is_last=is_last)
    records: list[Record] = []
    taken, counted = 0, 0
    try:
        if file_format == "csv" and header is None:
            header = _header(lines)
            taken, counted = lines.taken, lines.count
        while len(records) < RECORDS_MAX:
            record = _next(lines, file_format, header, line)
            taken, counted = lines.taken, lines.count
            if record is None:
                break
            if record.fields is not None or record.problem is not None:
                records.append(record)
    except _WindowEnds:
        if taken == 0 and len(data) > RECORD_BYTES_MAX:
            raise FileError(f"The record after line {line + counted} is too long") from None
    return Cut(records, taken + (skipped if taken else 0), counted, header)


def _header(lines: _Lines) -> list[str]:
    try:
        names = next(csv.reader(lines, strict=True), [])
    except (csv.Error, UnicodeDecodeError):
        raise FileError("The header of the CSV file cannot be read") from None
    names = [name.strip() for name in names]
    if not all(names) or len(set(names)) != len(names):
        raise FileError("The header of the CSV file must name each column once")
    return names


def _next(lines: _Lines, file_format: str, header: list[str] | None, before: int) -> Record | None:
    """Return the next record; one without fields and problem is an empty line; None at the end."""
    number = before + lines.count + 1
    try:
        if file_format == "csv":
            assert header is not None
            values = next(csv.reader(lines, strict=True), None)
            return None if values is None else _of_csv(number, values, header)
        text = next(lines, None)
        return None if text is None else _of_json(number, text)
    except UnicodeDecodeError:
        return Record(number, None, "is not valid UTF-8")
    except csv.Error:
        return Record(number, None, "is not valid CSV")


def _of_csv(number: int, values: list[str], header: list[str]) -> Record:
    if not values:
        return Record(number, None)
    if len(values) != len(header):
        return Record(number, None, f"has {len(values)} fields where the header has {len(header)}")
    fields: dict[str, Any] = {}
    for name, value in zip(header, values, strict=True):
        if "\x00" in value:
            return Record(number, None, "contains NUL")
        if not value:
            continue
        outer, dot, inner = name.partition(".")
        if dot:
            fields.setdefault(outer, {})[inner] = value
        else:
            fields[name] = value
    return Record(number, fields)


def _of_json(number: int, text: str) -> Record:
    if not text.strip():
        return Record(number, None)
    try:
        value = loads(text)
    except (ValueError, RecursionError):
        return Record(number, None, "is not valid JSON")
    if not isinstance(value, dict):
        return Record(number, None, "is not a JSON object")
    problem = problem_of(value)
    return Record(number, None if problem else value, problem)
