"""Checking the roll-ups of reports against what they were made from, all from one snapshot."""

from dataclasses import asdict
from uuid import UUID

from app.book import report_check, report_rollups
from app.book.check import EXAMPLES_MAX, Checked, Finding
from app.db import Connection, transaction
from app.domain.instants import format_instant
from app.flows import report_rules
from app.store import report_events
from app.store import report_rules as rules_store


def run(organization_id: UUID) -> list[Checked]:
    """Return a check for each kind of roll-up, with examples of what differs."""
    with transaction() as c:
        begin(c)
        return checks(c, organization_id)


def begin(c: Connection) -> None:
    """Make the transaction one for checks: one snapshot, plans for the values at hand, and all the time."""
    c.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
    c.execute("SET LOCAL statement_timeout = 0")
    c.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
    c.execute("SET LOCAL plan_cache_mode = force_custom_plan")
    # Whole tables are compared; walking their indexes would take many times as long.
    c.execute("SET LOCAL enable_seqscan = on")


def checks(c: Connection, organization_id: UUID) -> list[Checked]:
    """Return the checks, in a transaction that `begin` has begun."""
    cells = [
        Finding(
            f"{row['grain']} {format_instant(row['period'])} {row['action_type']} {row['owner_type']} "
            f"{row['bucket']}", f"rolled up {row['rolled']}, posted {row['posted']}",
        )
        for row in report_rollups.differences(c, organization_id, EXAMPLES_MAX)
    ]
    events = [
        Finding(
            f"{row['grain']} {format_instant(row['period'])} of program {row['program_id']}",
            f"rolled up {row['rolled']}, there are {row['counted']}",
        )
        for row in report_events.differences(c, organization_id, EXAMPLES_MAX)
    ]
    found = [_checked("postings", cells), _checked("events", events)]
    for name in report_check.CHECKS:
        rows = report_check.differences(c, name, organization_id, EXAMPLES_MAX)
        found.append(_checked(name, [Finding(row["subject"], row["detail"]) for row in rows]))
    return [*found, _checked("rules", _rules(c, organization_id))]


def _checked(name: str, examples: list[Finding]) -> Checked:
    return Checked(f"rollup_{name}", len(examples), tuple(examples))


def _rules(c: Connection, organization_id: UUID) -> list[Finding]:
    """Compare the tallies with the decisions, `evaluated` aside: erased events have lost their type."""
    horizon = report_events.horizon(c)
    if horizon < 0:
        return []
    fresh = report_rules.tally(c, [], rules_store.outcomes(c, -1, horizon, organization_id))
    rolled = rules_store.every(c, organization_id)
    found = []
    for key in sorted(set(fresh) | set(rolled)):
        ours = asdict(rolled.get(key, rules_store.Tally()))
        theirs = asdict(fresh.get(key, rules_store.Tally()))
        differ = [name for name in ours if name != "evaluated" and ours[name] != theirs[name]]
        if differ:
            told = ", ".join(f"{name} {ours[name]} for {theirs[name]}" for name in differ)
            found.append(Finding(f"rule {key.rule_id} on {key.day}", f"rolled up {told}"))
    return found[:EXAMPLES_MAX]
