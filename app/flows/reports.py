"""Reading the reports: each from one snapshot, as rows of printable values that the API and `dev.py` share.

What the figures mean is app/domain/reports; how they are summed up is app/book/reports.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import pairwise
from typing import Any
from uuid import UUID

from app.book import report_expiry, report_holders, reports
from app.book.reports import Scope
from app.db import Connection, read_clock, transaction
from app.domain.amounts import EXACT, ZERO, format_amount, format_plain
from app.domain.errors import LotAssetRequired, NotFound, ValidationError
from app.domain.ids import MICROSECOND
from app.domain.instants import format_instant
from app.domain.names import InventoryMode
from app.domain.periods import Granularity, starts
from app.domain.reports import Cell, Line, Subject, Totals, by_subject, total
from app.store import report_events, report_names

PERIODS_MAX = 1200  # Three years of days; more than that is no schedule but a dump.

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Span:
    """A window of time, both ends included."""

    start: datetime
    end: datetime


@contextmanager
def snapshot(scope: Scope) -> Iterator[Connection]:
    """Open the transaction that a report reads from. Raises NotFound for a program or asset that is none."""
    with transaction() as c:
        reports.begin(c)
        if scope.program_id is not None and \
                scope.program_id not in report_names.program_names(c, scope.organization_id):
            raise NotFound("Program not found")
        if scope.asset_id is not None and \
                scope.asset_id not in report_names.asset_names(c, scope.organization_id):
            raise NotFound("Asset not found")
        yield c


def clock(as_of: datetime | None) -> datetime:
    """Return the instant that a report is about: now, or one that has come. Raises ValidationError."""
    with transaction() as c:
        now = read_clock(c)
    if as_of is not None and as_of > now:
        raise ValidationError(details={"as_of": "must not lie in the future"})
    return as_of or now


def liability(scope: Scope, at: datetime, *, by_bucket: bool = False) -> list[Row]:
    """Return what is owed at an instant: a row per asset, program and, if asked, bucket."""
    with snapshot(scope) as c:
        names = _Names(c, scope.organization_id)
        sums: dict[tuple[Subject, str | None], list[Cell]] = {}
        for subject, cells in by_subject(reports.cells_through(c, scope, at)).items():
            for cell in cells:
                sums.setdefault((subject, cell.bucket if by_bucket else None), []).append(cell)
        rows = []
        for (subject, bucket), cells in sums.items():
            row = names.of(subject)
            if bucket is not None:
                row["bucket"] = str(bucket)
            row["balance"] = format_amount(Totals(cells).balance, row["scale"])
            rows.append(row)
    return sorted(rows, key=sort_key)


def rollforward(scope: Scope, span: Span) -> list[Row]:
    """Return how the liability moved within a window: a row per asset and program, its lines signed."""
    rows = []
    for row, opening, closing in _ends(scope, span):
        row["opening_balance"] = format_amount(opening.balance, row["scale"])
        row["closing_balance"] = format_amount(closing.balance, row["scale"])
        for line, amount in closing.since(opening).lines.items():
            row[str(line)] = format_amount(amount, row["scale"])
        rows.append(row)
    return sorted(rows, key=sort_key)


def _ends(scope: Scope, span: Span) -> list[tuple[Row, Totals, Totals]]:
    """Return the beginning of a row for each asset and program, and the totals at both ends of a window."""
    with snapshot(scope) as c:
        names = _Names(c, scope.organization_id)
        before = by_subject(reports.cells_through(c, scope, span.start - MICROSECOND))
        after = by_subject(reports.cells_through(c, scope, span.end))
    return [
        (names.of(subject), Totals(before.get(subject, ())), Totals(cells))
        for subject, cells in after.items()
    ]


def deferred_revenue(scope: Scope, span: Span, point_value: Decimal) -> list[Row]:
    """Return what the liability is worth at a value per unit, deferred and recognised in a window.

    The product is exact, not rounded. Redemptions are net of reversals; breakage is what expired or was
    forfeited; all else that moved the liability is `other`.
    """
    def worth(*amounts: Decimal) -> str:
        return format_plain(EXACT.multiply(total(amounts), point_value))

    rows = []
    for row, opening, closing in _ends(scope, span):
        moved = closing.since(opening)
        redeemed = total((moved.lines[Line.REDEEMED], moved.lines[Line.REDEMPTION_REVERSALS]))
        broken = total((moved.lines[Line.EXPIRED], moved.lines[Line.FORFEITED]))
        rest = total((moved.balance, *map(EXACT.minus, (moved.issued, redeemed, broken))))
        rows.append({
            **row, "point_value": format_plain(point_value),
            "opening_deferred": worth(opening.balance), "deferred": worth(moved.issued),
            "recognised_redemptions": worth(EXACT.minus(redeemed)),
            "recognised_breakage": worth(EXACT.minus(broken)),
            "other": worth(rest), "closing_deferred": worth(closing.balance),
        })
    return sorted(rows, key=sort_key)


def ledger_summary(scope: Scope, span: Span | None, at: datetime) -> list[Row]:
    """Return the totals of each asset through an instant, and those of a window beside them."""
    with snapshot(scope) as c:
        names = _Names(c, scope.organization_id)
        holders = report_holders.holders(c, scope.organization_id, scope.program_id)
        whole = _by_asset(reports.cells_through(c, scope, at))
        opening: dict[UUID, Totals] = {}
        closing: dict[UUID, Totals] = {}
        if span is not None:
            opening = _by_asset(reports.cells_through(c, scope, span.start - MICROSECOND))
            closing = _by_asset(reports.cells_through(c, scope, span.end))
        rows = []
        for asset_id, asset in names.assets.items():
            if asset_id not in whole and (asset["deleted_at"] is not None or scope.program_id is not None):
                continue
            totals = whole.get(asset_id, Totals())
            row: Row = {
                **_asset(asset),
                **_four(totals, "total_", asset["scale"]),
                "current_balance": format_amount(totals.balance, asset["scale"]),
                "participant_count": holders.get(asset_id, 0),
            }
            if span is not None:
                row |= _period(
                    opening.get(asset_id, Totals()), closing.get(asset_id, Totals()), asset["scale"]
                )
            rows.append(row)
    return rows


def _four(totals: Totals, prefix: str, scale: int) -> Row:
    return {
        f"{prefix}issued": format_amount(totals.issued, scale),
        f"{prefix}redeemed": format_amount(totals.redeemed, scale),
        f"{prefix}expired": format_amount(totals.expired, scale),
        f"{prefix}forfeited": format_amount(totals.forfeited, scale),
    }


def _period(opening: Totals, closing: Totals, scale: int) -> Row:
    moved = closing.since(opening)
    return {
        "opening_balance": format_amount(opening.balance, scale),
        "closing_balance": format_amount(closing.balance, scale),
        **_four(moved, "period_", scale),
        "other_adjustments_net": format_amount(moved.others, scale),
    }


def _by_asset(cells: Iterable[Cell]) -> dict[UUID, Totals]:
    found: dict[UUID, list[Cell]] = {}
    for cell in cells:
        if cell.is_liability:
            found.setdefault(cell.asset_id, []).append(cell)
    return {asset_id: Totals(each) for asset_id, each in found.items()}


def program_activity(
    organization_id: UUID, span: Span | None, since: datetime | None, at: datetime
) -> list[Row]:
    """Return what goes on in each program; in a window those without events and entries are left out."""
    scope = Scope(organization_id)
    with snapshot(scope) as c:
        names = _Names(c, organization_id)
        configured = report_names.configured(c, organization_id)
        people = report_holders.actors(c, organization_id)
        whole = _by_program(reports.cells_through(c, scope, at))
        before: dict[UUID, list[Cell]] = {}
        within = whole
        if span is not None:
            before = _by_program(reports.cells_through(c, scope, span.start - MICROSECOND))
            within = _by_program(reports.cells_through(c, scope, span.end))
        events = report_events.through(c, organization_id, at if span is None else span.end)
        if span is not None:
            earlier = report_events.through(c, organization_id, span.start - MICROSECOND)
            events = {each: count - earlier.get(each, 0) for each, count in events.items()}
    rows = []
    for program_id, program in names.programs.items():
        cells = whole.get(program_id, [])
        opening, closing = before.get(program_id, []), within.get(program_id, [])
        last = max((cell.last_at for cell in cells if cell.last_at is not None), default=None)
        idle = not events.get(program_id) and _entries(opening) == _entries(closing)
        if (idle and (span is not None or program["deleted_at"] is not None)) or (
            since is not None and (last is None or last <= since)
        ):
            continue
        moved = Totals(closing).since(Totals(opening))
        scale = max((names.assets[cell.asset_id]["scale"] for cell in cells), default=0)
        rows.append({
            "program_id": program_id, "program_name": program["name"],
            "event_count": events.get(program_id, 0), "journal_count": _entries(cells),
            "total_issued": format_amount(moved.issued, scale),
            "total_redeemed": format_amount(moved.redeemed, scale),
            "unique_participants": people.get(program_id, 0),
            "last_activity_at": None if last is None else format_instant(last),
            **configured[program_id],
        })
    return rows


def _entries(cells: Iterable[Cell]) -> int:
    return sum(cell.entries for cell in cells)


def _by_program(cells: Iterable[Cell]) -> dict[UUID, list[Cell]]:
    found: dict[UUID, list[Cell]] = {}
    for cell in cells:
        if cell.program_id is not None:
            found.setdefault(cell.program_id, []).append(cell)
    return found


def expiration_schedule(scope: Scope, span: Span, granularity: Granularity) -> list[Row]:
    """Return what is left of live lots by the calendar period in which it expires: a row per LOT asset.

    The periods are all that the window touches, whole. Raises LotAssetRequired, ValidationError.
    """
    bounds: list[datetime] = []
    for start in starts(span.start, span.end, granularity):
        bounds.append(start)
        if len(bounds) > PERIODS_MAX + 1:
            raise ValidationError(details={"to": f"must not lie more than {PERIODS_MAX} periods after from"})
    with snapshot(scope) as c:
        names = _Names(c, scope.organization_id)
        assets = lot_assets(names.assets, scope)
        found = report_expiry.expiring(
            c, scope, granularity, bounds[0].date(), bounds[-1].date(), read_clock(c)
        )
        if scope.program_id is not None:
            linked = report_names.linked(c, scope.organization_id, scope.program_id)
            assets = {asset_id: asset for asset_id, asset in assets.items() if asset_id in linked}
    rows = []
    for asset_id, asset in assets.items():
        mine = [each for each in found if each.asset_id == asset_id]
        if not mine and asset["deleted_at"] is not None:
            continue
        scale = asset["scale"]
        places = {
            place: total(each.amount for each in mine if each.place == place)
            for place in ("NEVER", "BEFORE", "AFTER")
        }
        periods = {each.period: each for each in mine if each.place == "WITHIN"}
        rows.append({
            **_asset(asset),
            "total_outstanding": format_amount(total(each.amount for each in mine), scale),
            "never_expiring": format_amount(places["NEVER"], scale),
            "expiring_before_window": format_amount(places["BEFORE"], scale),
            "expiring_after_window": format_amount(places["AFTER"], scale),
            "buckets": [{
                "bucket_start": format_instant(start), "bucket_end": format_instant(end),
                "amount": format_amount(periods[start].amount if start in periods else ZERO, scale),
                "lot_count": periods[start].lots if start in periods else 0,
            } for start, end in pairwise(bounds)],
        })
    return rows


def lot_assets(assets: Mapping[UUID, Row], scope: Scope) -> dict[UUID, Row]:
    """Return the LOT assets of a scope. Raises LotAssetRequired where it names another."""
    if scope.asset_id is None:
        return {each["id"]: each for each in assets.values() if each["inventory_mode"] == InventoryMode.LOT}
    asset = assets[scope.asset_id]
    if asset["inventory_mode"] != InventoryMode.LOT:
        raise LotAssetRequired(details={"asset_id": "needs inventory_mode LOT"})
    return {scope.asset_id: asset}


class _Names:
    """The names of assets and programs, for the beginnings of rows."""

    def __init__(self, c: Connection, organization_id: UUID) -> None:
        self.assets = report_names.asset_names(c, organization_id)
        self.programs = report_names.program_names(c, organization_id)

    def of(self, subject: Subject) -> Row:
        """Begin a row. An entry without a program has none to show."""
        program_id = subject.program_id
        return {
            **_asset(self.assets[subject.asset_id]), "program_id": program_id,
            "program_name": None if program_id is None else self.programs[program_id]["name"],
        }


def _asset(asset: Row) -> Row:
    return {
        "asset_id": asset["id"], "asset_name": asset["name"], "asset_symbol": asset["symbol"],
        "scale": asset["scale"],
    }


def sort_key(row: Row) -> tuple[str, ...]:
    """Return what the rows of a report are ordered by: ids, which never change."""
    return tuple(
        str(row.get(name) or "") for name in ("asset_id", "program_id", "bucket")
    )
