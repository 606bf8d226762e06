"""Print a report as a table: `report liability --as-of …`; `report check` compares roll-ups with postings."""

from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from app.book.reports import Scope
from app.cli.failure import Failure
from app.cli.organization import chosen, takes_organization
from app.domain.amounts import AmountError, parse_amount
from app.domain.breakage import METHOD
from app.domain.instants import InstantError, format_instant, parse_instant
from app.domain.periods import Granularity
from app.flows import report_breakage, report_check, report_rules, reports, verify
from app.flows.reports import Row, Span

_IDS = frozenset({"asset_id", "program_id", "rule_id", "asset_name", "scale"})


def main(argv: list[str]) -> int:
    """Print the report that argv names."""
    parser = ArgumentParser(prog="dev.py report", description=__doc__)
    parser.add_argument("name", choices=[*_REPORTS, "check"])
    takes_organization(parser)
    parser.add_argument("--program", type=UUID, help="only this program")
    parser.add_argument("--asset", type=UUID, help="only this asset")
    parser.add_argument("--as-of", type=_instant, help="an instant such as 2026-01-31T23:59:59Z")
    parser.add_argument("--from", dest="start", type=_instant, help="the first instant of the window")
    parser.add_argument("--to", dest="end", type=_instant, help="the last instant of the window")
    parser.add_argument("--granularity", type=Granularity, choices=list(Granularity), default="month")
    parser.add_argument("--rule", type=UUID, help="rules: only this one")
    parser.add_argument("--point-value", help="deferred-revenue: what a unit is worth, such as 0.01")
    parser.add_argument("--window", type=int, default=1000, help="integrity: how many sealed entries")
    arguments = parser.parse_args(argv)
    arguments.organization = chosen(arguments.organization)
    if arguments.name == "check":
        return _check(arguments.organization)
    rows = _REPORTS[arguments.name](arguments)
    print("\n".join(table(rows)) if rows else "Nothing to report.")
    return 0


def _instant(text: str) -> datetime:
    try:
        return parse_instant(text)
    except InstantError as error:
        raise Failure(str(error)) from None


def _scope(arguments: Namespace) -> Scope:
    return Scope(arguments.organization, arguments.program, arguments.asset)


def _span(arguments: Namespace, days: int = 0) -> Span | None:
    if arguments.start is None and arguments.end is None and days:
        now = reports.clock(None)
        return Span(*sorted((now, now + timedelta(days=days))))
    if arguments.start is None and arguments.end is None:
        return None
    if arguments.start is None or arguments.end is None or arguments.start >= arguments.end:
        raise Failure("--from and --to belong together, and --from is the earlier one.")
    return Span(arguments.start, arguments.end)


def _window(arguments: Namespace, days: int) -> Span:
    span = _span(arguments, days)
    assert span is not None
    return span


def _expiry(arguments: Namespace) -> list[Row]:
    rows = reports.expiration_schedule(
        _scope(arguments), _window(arguments, 365), Granularity(arguments.granularity)
    )
    return [
        {"asset_symbol": row["asset_symbol"], "expires": place, "amount": amount}
        for row in rows for place, amount in [
            ("before", row["expiring_before_window"]),
            *((bucket["bucket_start"][:10], bucket["amount"]) for bucket in row["buckets"]),
            ("after", row["expiring_after_window"]), ("never", row["never_expiring"]),
            ("in all", row["total_outstanding"]),
        ]
    ]


def _deferred(arguments: Namespace) -> list[Row]:
    if arguments.point_value is None or arguments.asset is None:
        raise Failure("deferred-revenue needs --asset and --point-value, what a unit of it is worth.")
    try:
        value = parse_amount(arguments.point_value)
    except AmountError as error:
        raise Failure(f"--point-value {error}") from None
    return reports.deferred_revenue(_scope(arguments), _window(arguments, -30), value)


def _rules(arguments: Namespace) -> list[Row]:
    scope = Scope(arguments.organization, arguments.program)
    now = reports.clock(None)
    return list(_spread(report_rules.rules(scope, _window(arguments, -30), now, arguments.rule)))


def _spread(rows: list[Row]) -> Iterator[Row]:
    """Yield a line for each asset of a day and rule; the counts only in the first."""
    for row in rows:
        assets = row.pop("assets") or [{}]
        yield {**row, "asset_symbol": None, "issued": None, "budget_left": None, **assets[0]}
        for asset in assets[1:]:
            yield dict.fromkeys(row) | {name: row[name] for name in ("day", "rule_name")} | asset


def _breakage(arguments: Namespace) -> list[Row]:
    found = report_breakage.report(_scope(arguments), reports.clock(arguments.as_of))
    print(f"Whole months before {format_instant(found.through)}. {METHOD}.")
    if found.mean_absolute_error is not None:
        print(f"Mean absolute error where the method was asked at half a cohort's age: "
              f"{found.mean_absolute_error}")
    return found.rows


def _integrity(arguments: Namespace) -> list[Row]:
    return verify.lines(verify.latest(arguments.organization, arguments.window))


_REPORTS: dict[str, Callable[[Namespace], list[Row]]] = {
    "ledger-summary": lambda given: reports.ledger_summary(
        Scope(given.organization, given.program), _span(given), reports.clock(None)
    ),
    "program-activity": lambda given: reports.program_activity(
        given.organization, _span(given), None, reports.clock(None)
    ),
    "liability": lambda given: reports.liability(
        _scope(given), reports.clock(given.as_of), by_bucket=True
    ),
    "liability-rollforward": lambda given: reports.rollforward(_scope(given), _window(given, -30)),
    "deferred-revenue": _deferred,
    "expiration-schedule": _expiry,
    "breakage": _breakage,
    "rules": _rules,
    "integrity": _integrity,
}


def table(rows: list[Row]) -> list[str]:
    """Return rows as lines of a table, without ids; columns that hold nothing but zeros are left out."""
    names = [
        name for name in rows[0]
        if name not in _IDS and any(not _is_zero(row.get(name)) for row in rows)
    ]
    texts = [[_text(row.get(name)) for name in names] for row in rows]
    columns = list(zip(*texts, strict=True))
    widths = [max(map(len, (name, *column))) for name, column in zip(names, columns, strict=True)]
    numeric = [all(map(_is_number, column)) for column in columns]

    def line(cells: list[str]) -> str:
        return "  ".join(
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(cells, widths, numeric, strict=True)
        ).rstrip()

    return [line(names), *map(line, texts)]


def _text(value: Any) -> str:
    return format_instant(value) if isinstance(value, datetime) else "" if value is None else str(value)


def _is_number(text: str) -> bool:
    return not text.strip("-0123456789.")


def _is_zero(value: Any) -> bool:
    return value is None or (isinstance(value, str) and _is_number(value) and not value.strip("-0."))


def _check(organization_id: UUID) -> int:
    """Compare the roll-ups with what they were made from; exit code 1 for a difference."""
    found = report_check.run(organization_id)
    for each in found:
        for example in each.examples:
            print(f"{each.name} {example.subject}: {example.detail}")
    wrong = any(each.violations for each in found)
    print(f"The roll-ups {'do NOT agree' if wrong else 'agree'} with the postings.")
    return 1 if wrong else 0
