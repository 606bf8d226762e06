"""Keyset pages in SQL: rows after a remembered key, in one order, one more than asked to know of a next page.

Identifiers come from the closed lists of the callers, never from a request. Rows that stay and whose sort key
does not change appear exactly once, whatever is inserted or deleted between two pages.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, LiteralString

from app.db import Connection


@dataclass(frozen=True, slots=True)
class Column:
    """A sort key: its SQL, its name in the row, and its SQL type for the comparison."""

    sql: LiteralString
    name: str
    type: LiteralString


@dataclass(frozen=True, slots=True)
class Order:
    """Sort keys, the last of them unique, all in one direction."""

    columns: tuple[Column, ...]
    descending: bool = True


@dataclass(frozen=True, slots=True)
class Page:
    """How many rows, and the sort key of the last row of the page before."""

    limit: int
    after: tuple[Any, ...] | None = None


@dataclass(frozen=True, slots=True)
class Slice:
    """The rows of one page, and the sort key to go on from where there is more."""

    rows: list[dict[str, Any]]
    next: tuple[Any, ...] | None


def fetch(c: Connection, sql: str, parameters: Mapping[str, Any], order: Order, page: Page) -> Slice:
    """Run `sql`, which must end within its WHERE clause, for one page."""
    text, values = ordered(sql, parameters, order, page, page.limit + 1)
    return cut(c.execute(text, values).fetchall(), order, page.limit)


def ordered(
    sql: str, parameters: Mapping[str, Any], order: Order, page: Page, rows: int
) -> tuple[LiteralString, dict[str, Any]]:
    """Return `sql` continued with the page's start, the order and a limit of `rows`, and its parameters."""
    values = dict(parameters)
    text = [sql]
    if page.after is not None:
        keys = ", ".join(column.sql for column in order.columns)
        marks = ", ".join(f"%(after_{i})s::{column.type}" for i, column in enumerate(order.columns))
        text.append(f"AND ({keys}) {'<' if order.descending else '>'} ({marks})")
        values |= {f"after_{i}": value for i, value in enumerate(page.after)}
    text.append(f"{order_by(order)} LIMIT {rows:d}")
    return "\n".join(text), values


def order_by(order: Order) -> LiteralString:
    """Return the ORDER BY clause of an order."""
    direction: LiteralString = "DESC" if order.descending else "ASC"
    return "ORDER BY " + ", ".join(f"{column.sql} {direction}" for column in order.columns)


def cut(rows: list[dict[str, Any]], order: Order, limit: int) -> Slice:
    """Return the first `limit` of the rows, and where to go on if there were more."""
    if len(rows) <= limit:
        return Slice(rows, None)
    rows = rows[:limit]
    return Slice(rows, key_of(rows[-1], order))


def key_of(row: Mapping[str, Any], order: Order) -> tuple[Any, ...]:
    """Return a row's sort key."""
    return tuple(row[column.name] for column in order.columns)


@dataclass(slots=True)
class Where:
    """Conditions and their parameters, collected from the filters that a request has."""

    clauses: list[str]
    parameters: dict[str, Any]

    @classmethod
    def of(cls, organization_id: Any, column: LiteralString = "organization_id") -> "Where":
        """Start with the organization, which every statement names."""
        return cls([f"{column} = %(organization_id)s"], {"organization_id": organization_id})

    def equal(self, column: LiteralString, name: str, value: Any) -> None:
        """Add `column = value` unless the value is None."""
        if value is not None:
            self.clauses.append(f"{column} = %({name})s")
            self.parameters[name] = value

    def window(
        self, column: LiteralString, start: datetime | None, end: datetime | None, name: str = "window"
    ) -> None:
        """Add a time window, both ends included."""
        if start is not None:
            self.clauses.append(f"{column} >= %({name}_from)s")
            self.parameters[f"{name}_from"] = start
        if end is not None:
            self.clauses.append(f"{column} <= %({name}_to)s")
            self.parameters[f"{name}_to"] = end

    def search(self, columns: tuple[LiteralString, ...], text: str | None) -> None:
        """Add a case-insensitive substring match in any of the columns."""
        if text:
            self.clauses.append("(" + " OR ".join(f"{column} ILIKE %(search)s" for column in columns) + ")")
            self.parameters["search"] = like_pattern(text)

    def add(self, clause: LiteralString, **parameters: Any) -> None:
        """Add a condition of its own."""
        self.clauses.append(clause)
        self.parameters |= parameters

    def sql(self) -> str:
        """Return the conditions, joined."""
        return " AND ".join(self.clauses)


def like_pattern(text: str) -> str:
    """Return the pattern that finds `text` anywhere, itself taken literally."""
    escaped = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"
