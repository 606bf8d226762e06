"""Telling what rules did: tallying decisions by rule and day, behind the commits and for a report's tail."""

from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, assert_never
from uuid import UUID

from app.book import report_rules as book
from app.book.reports import Scope
from app.db import Connection
from app.domain.amounts import format_amount
from app.domain.errors import ValidationError
from app.domain.names import EvaluationStatus, SkipReason
from app.flows import rulesets
from app.flows.reports import PERIODS_MAX, Row, Span, snapshot
from app.store import report_events, report_names, report_rules
from app.store.report_rules import Group, Key, Tally

UNBOUNDED = 2**63 - 1


def tally(
    c: Connection, groups: Iterable[Group], outcomes: Iterable[Mapping[str, Any]]
) -> dict[Key, Tally]:
    """Return what became of each rule on each day, from counts of decisions and of their evaluations."""
    found: dict[Key, Tally] = {}
    for group in groups:
        ruleset = rulesets.get(c, group.organization_id, group.program_id, group.version)
        data = {} if group.kind is None else {"type": group.kind}
        for rule in ruleset.candidates(data).rules:
            key = Key(group.organization_id, group.day, rule.compiled.rule.id)
            found.setdefault(key, Tally()).evaluated += group.decisions
            if rule.number == group.failed_at:
                break
    for row in outcomes:
        key = Key(row["organization_id"], row["day"], row["rule_id"])
        reason = None if row["reason"] is None else SkipReason(row["reason"])
        _count(found.setdefault(key, Tally()), EvaluationStatus(row["status"]), reason, row["count"])
    return found


def _count(tally: Tally, status: EvaluationStatus, reason: SkipReason | None, count: int) -> None:
    match status:
        case EvaluationStatus.SUCCESS:
            tally.matched += count
        case EvaluationStatus.FAILED:
            tally.matched += count
            tally.failed += count
        case EvaluationStatus.SKIPPED_ERROR:
            tally.error += count
        case EvaluationStatus.SKIPPED_TIMEOUT:
            tally.timeout += count
        case EvaluationStatus.SKIPPED:
            match reason:
                case SkipReason.BUDGET_EXCEEDED:
                    tally.matched += count
                    tally.budget_exceeded += count
                case SkipReason.OUTSIDE_TIME_WINDOW:
                    tally.outside_time_window += count
                case SkipReason.STOPPED_BY_RULE:
                    tally.stopped_by_rule += count
                case None:
                    raise AssertionError("a rule was skipped without a reason")
                case _:
                    assert_never(reason)
        case _:
            assert_never(status)


def roll_up(c: Connection, low: int, high: int) -> int:
    """Add the decisions of these transactions to their days; returns how many there were."""
    groups = report_rules.groups(c, low, high)
    report_rules.add(c, tally(c, groups, report_rules.outcomes(c, low, high)))
    return sum(each.decisions for each in groups)


def rules(scope: Scope, span: Span, now: datetime, rule_id: UUID | None = None) -> list[Row]:
    """Return a row for each rule and day (UTC) that the window touches, whole days, oldest first.

    Raises NotFound, ValidationError.
    """
    first, last = span.start.date(), span.end.date()
    if (last - first) / timedelta(days=1) >= PERIODS_MAX:
        raise ValidationError(details={"to": f"must not lie more than {PERIODS_MAX} days after from"})
    with snapshot(scope) as c:
        organization_id = scope.organization_id
        named = report_names.asset_names(c, organization_id)
        programs = report_names.program_names(c, organization_id)
        known = report_rules.names(c, organization_id)
        low = report_events.horizon(c)
        tallies = report_rules.rolled(c, organization_id, first, last)
        tail = tally(
            c, report_rules.groups(c, low, UNBOUNDED, organization_id),
            report_rules.outcomes(c, low, UNBOUNDED, organization_id),
        )
        for key, fresh in tail.items():
            if first <= key.day <= last:
                tallies.setdefault(key, Tally()).add(fresh)
        issued = book.issued(c, organization_id, first, last)
        left = report_rules.budgets_left(c, organization_id, now)
    assets = _assets(named, issued, left, now.date())
    keys = set(tallies) | {Key(organization_id, day, rule) for day, rule in assets}
    rows = []
    for key in sorted(keys):
        rule = known.get(key.rule_id)
        if rule is None or (rule_id is not None and key.rule_id != rule_id):
            continue
        if scope.program_id is not None and rule["program_id"] != scope.program_id:
            continue
        rows.append(_row(
            key, rule, programs[rule["program_id"]]["name"], tallies.get(key, Tally()),
            assets.get((key.day, key.rule_id), []),
        ))
    return sorted(rows, key=rule_key)


def rule_key(row: Row) -> tuple[str, ...]:
    """Return what the rows are ordered by."""
    return row["day"], str(row["program_id"]), str(row["rule_id"])


def _row(key: Key, rule: Mapping[str, Any], program: str, tally: Tally, assets: list[Row]) -> Row:
    beside = (
        tally.matched + tally.outside_time_window + tally.stopped_by_rule + tally.error + tally.timeout
    )
    return {
        "day": key.day.isoformat(), "program_id": rule["program_id"], "program_name": program,
        "rule_id": key.rule_id, "rule_name": rule["name"], "evaluated": tally.evaluated,
        "matched": tally.matched, "not_matched": tally.evaluated - beside, "failed": tally.failed,
        "skipped_budget_exceeded": tally.budget_exceeded,
        "skipped_outside_time_window": tally.outside_time_window,
        "skipped_stopped_by_rule": tally.stopped_by_rule, "skipped_error": tally.error,
        "skipped_timeout": tally.timeout, "assets": assets,
    }


def _assets(
    named: Mapping[UUID, Row], issued: Iterable[book.Issued], left: Mapping[tuple[UUID, UUID], Decimal],
    today: date,
) -> dict[tuple[date, UUID], list[Row]]:
    """Return what was issued by day and rule; of today the budgets stand as they do now."""
    found: dict[tuple[date, UUID], list[Row]] = {}
    for each in sorted(issued):
        asset = named[each.asset_id]
        budget = left.get((each.rule_id, each.asset_id)) if each.day == today else each.budget_left
        line: Row = {
            "asset_id": each.asset_id, "asset_symbol": asset["symbol"],
            "issued": format_amount(each.issued, asset["scale"]),
        }
        if budget is not None:
            line["budget_left"] = format_amount(budget, asset["scale"])
        found.setdefault((each.day, each.rule_id), []).append(line)
    return found
