"""Tables as answers: a page of JSON, or all rows as CSV where the request asks for it.

Whatever a spreadsheet would take for a formula gets an apostrophe in front, unless it is a plain number.
"""

import csv
import io
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from app.api.pages import envelope, page_of
from app.api.routing import Reply, Request
from app.domain.instants import format_instant
from app.store.pages import Column, Order

CSV_TYPE = "text/csv"
CSV_OFFER = "`Accept: text/csv` or `format=csv` answers all rows as CSV."  # For descriptions of routes.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")  # Full-width signs count too.
_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?")

Row = dict[str, Any]
ORDER = Order((
    Column("asset_id", "asset_id", "text"), Column("program_id", "program_id", "text"),
    Column("bucket", "bucket", "text"), Column("at", "at", "timestamptz"),
), descending=False)


def wants_csv(request: Request) -> bool:
    """Whether the answer is to be CSV: by `format`, else by the first type that `Accept` names."""
    if request.query.format is not None:
        return bool(request.query.format == "csv")
    return request.accept.partition(",")[0].partition(";")[0].strip().lower() == CSV_TYPE


def instant_of(request: Request) -> datetime | None:
    """Return the instant that the page before was about, so that all pages tell of the same."""
    after = page_of(request, ORDER).after
    return None if after is None else after[-1]


def table(
    request: Request, name: str, rows: Sequence[Row], columns: Sequence[str], at: datetime,
    key: Callable[[Row], tuple[str, ...]], *, flat: Callable[[Row], list[Row]] | None = None,
    hidden: frozenset[str] = frozenset(), head: Mapping[str, Any] | None = None,
) -> Reply:
    """Answer rows in order of `key`: one page of them, or a CSV of all, made flat where they nest.

    `hidden` columns are left out of the page, and `head` stands before its rows; a CSV has neither.
    """
    if wants_csv(request):
        return as_csv(name, [each for row in rows for each in (flat(row) if flat else [row])], columns)
    page = page_of(request, ORDER)
    if page.after is not None:
        last = tuple(page.after[:-1])
        rows = [row for row in rows if key(row) > last]
    following = (*key(rows[page.limit - 1]), at) if len(rows) > page.limit else None
    data = [
        {name: value for name, value in row.items() if value is not None and name not in hidden}
        for row in rows[: page.limit]
    ]
    return envelope(request, ORDER, data, following, **(head or {}))


def as_csv(name: str, rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> Reply:
    """Answer a CSV with a header, by RFC 4180."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(columns)
    for row in rows:
        writer.writerow([_cell(row.get(column)) for column in columns])
    return Reply(
        200, text=out.getvalue(), content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}.csv"'},
    )


def _cell(value: Any) -> str:
    match value:
        case None:
            return ""
        case datetime():
            return format_instant(value)
        case str() if value.startswith(_FORMULA) and not _NUMBER.fullmatch(value):
            return "'" + value
        case _:
            return str(value)
