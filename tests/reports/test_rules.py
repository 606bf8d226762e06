"""The report of rules equals a count over the explanations of all events, one by one."""

import csv
import io
from collections import Counter
from decimal import Decimal
from typing import Any

import pytest

from app import db
from app.flows import report_check, report_rollups
from app.store import report_events
from tests.api.client import ABSENT, Caller, error_of, walk
from tests.api.conftest import api, application, http
from tests.events.scene import PURCHASE, SIGNUP, Scene, counter, credit, open_scene, tag, work
from tests.reports.conftest import roll_up_everything

__all__ = ["api", "application", "http"]

EVENTS = [
    {"type": "purchase", "amount": 10}, {"type": "purchase", "amount": 30}, {"type": "signup"},
    {"type": "purchase", "amount": 5}, {"amount": 70}, {"type": "purchase", "amount": 2000},
    {"type": "purchase", "amount": -1}, {"type": 7, "amount": 4}, {"type": "other"},
    {"type": "purchase", "amount": 40},
]
REASONS = {
    "OUTSIDE_TIME_WINDOW": "skipped_outside_time_window", "BUDGET_EXCEEDED": "skipped_budget_exceeded",
    "STOPPED_BY_RULE": "skipped_stopped_by_rule",
}


@pytest.fixture
def scene(api: Caller) -> Scene:
    """Rules of every outcome, for events of several types and of none."""
    made = open_scene(api)
    made.rule(PURCHASE, counter(), name="every purchase")
    made.rule(SIGNUP, credit("100"), name="welcome")
    made.rule("event.missing > 1", tag("never"), name="errs")
    made.rule("true", tag("never"), active_to="2020-01-01T00:00:00Z", name="over")
    made.rule(
        f"{PURCHASE} && event.amount > 0", credit("event.amount"), name="budgeted",
        budgets=[{"asset_id": made.asset, "limit": "60.00"}],
    )
    made.rule("event.amount > 1000", {"type": "DEBIT", "amount": "5000"}, name="fails")
    made.rule("event.amount == 30", tag("stop"), stop_after_match=True, name="stops")
    made.rule("true", tag("last"), name="last")
    return made


def recounted(scene: Scene, events: list[dict[str, Any]]) -> dict[str, Counter[str]]:
    """Count the outcomes of every rule, from the explanation of each event."""
    found: dict[str, Counter[str]] = {}
    for event in events:
        told = scene.api.get(f"/v1/events/{event['id']}/explain").json
        assert told["explained"] is True
        assert told["matches_stored"], told["mismatches"]
        for rule in told["rules"]:
            mine = found.setdefault(rule["rule_id"], Counter())
            mine.update(_columns(rule))
    return found


def _columns(rule: dict[str, Any]) -> list[str]:
    match rule["outcome"]:
        case "other_event_type" | "not_reached":
            return []
        case "matched":
            reason = rule.get("reason")
            then = ["failed"] if rule["status"] == "FAILED" else [REASONS[reason]] if reason else []
            return ["evaluated", "matched", *then]
        case "not_matched":
            return ["evaluated", "not_matched"]
        case "error":
            return ["evaluated", "skipped_error"]
        case "skipped":
            return ["evaluated", REASONS[rule["reason"]]]
        case other:
            raise AssertionError(other)


def totals(rows: list[dict[str, Any]]) -> dict[str, Counter[str]]:
    """Add up the report's days, and check that each adds up in itself."""
    found: dict[str, Counter[str]] = {}
    for row in rows:
        counts = {name: value for name, value in row.items() if isinstance(value, int)}
        inner = ("matched", "not_matched", *(n for n in counts if n.startswith("skipped_")))
        assert row["evaluated"] == sum(row[name] for name in inner) - row["skipped_budget_exceeded"]
        found.setdefault(row["rule_id"], Counter()).update(counts)
    return {rule: +counts for rule, counts in found.items()}


@pytest.mark.parametrize("rolled_after", [(), (9,), (2, 5, 8)], ids=["live", "rolled up", "in steps"])
def test_every_outcome_is_counted_as_the_explanations_tell(
    scene: Scene, rolled_after: tuple[int, ...]
) -> None:
    sent = []
    for number, data in enumerate(EVENTS):
        sent.append(scene.run(data=data))
        if number in rolled_after:
            roll_up_everything()
        if number == 4:
            scene.rule(PURCHASE, credit("1"), name="added later")
    assert {event["status"] for event in sent} == {"COMPLETED", "FAILED"}
    rows = walk(scene.api, "/v1/reports/rules", limit=2)
    assert totals(rows) == recounted(scene, sent)
    assert {name for counts in totals(rows).values() for name in counts} == {
        "evaluated", "matched", "not_matched", "failed", "skipped_error", *REASONS.values(),
    }
    issued = sum(Decimal(asset["issued"]) for row in rows for asset in row["assets"])
    [summary] = scene.api.get("/v1/reports/ledger-summary").json["data"]
    assert issued == Decimal(summary["total_issued"]) > 0


@pytest.mark.parametrize("rolled", [False, True], ids=["live", "rolled up"])
def test_the_budget_is_told_as_it_stands(scene: Scene, rolled: bool) -> None:
    for data in EVENTS[:4]:
        scene.run(data=data)
    if rolled:
        roll_up_everything()
    rows = walk(scene.api, "/v1/reports/rules")
    [assets] = [row["assets"] for row in rows if row["rule_name"] == "budgeted"]
    assert assets == [{
        "asset_id": scene.asset, "asset_symbol": "PTS", "issued": "45.00", "budget_left": "15.00",
    }]


def test_an_earlier_day_keeps_what_its_budget_had_left(scene: Scene) -> None:
    scene.run(data=EVENTS[0])
    roll_up_everything()
    with db.transaction() as c:
        c.execute("UPDATE clock SET ahead = ahead + interval '1 day'")
    scene.run(data=EVENTS[1])
    rows = [row for row in walk(scene.api, "/v1/reports/rules") if row["rule_name"] == "budgeted"]
    assert [(row["assets"][0]["issued"], row["assets"][0]["budget_left"]) for row in rows] == [
        ("10.00", "50.00"), ("30.00", "20.00"),
    ]
    first, second = (row["day"] for row in rows)
    assert first < second
    only = walk(scene.api, "/v1/reports/rules", from_=f"{first}T10:00:00Z", to=f"{first}T10:00:01Z")
    assert {row["day"] for row in only} == {first}


def test_an_event_that_is_tried_again_counts_again(scene: Scene) -> None:
    event = scene.run(data={"type": "purchase", "amount": 2000})
    assert event["status"] == "FAILED"
    roll_up_everything()
    assert scene.api.post(f"/v1/events/{event['id']}/retry").status_code in (200, 202)
    work()
    [row] = [each for each in walk(scene.api, "/v1/reports/rules") if each["rule_name"] == "fails"]
    assert (row["evaluated"], row["matched"], row["failed"]) == (2, 2, 2)


def test_columns_of_the_csv_add_up(scene: Scene) -> None:
    second = scene.api.asset(scene.program, "STARS", scale=0)
    scene.rule(SIGNUP, credit("2"), credit("3", asset_id=second), name="two assets")
    scene.run(data={"type": "signup"})
    rows = walk(scene.api, "/v1/reports/rules")
    lines = list(csv.DictReader(io.StringIO(scene.api.get("/v1/reports/rules", format="csv").text)))
    for name in ("evaluated", "matched", "skipped_error"):
        assert sum(int(line[name] or 0) for line in lines) == sum(row[name] for row in rows)
    assert [(line["asset_symbol"], line["issued"], line["evaluated"]) for line in lines
            if line["rule_name"] == "two assets"] == [
        (each["asset_symbol"], each["issued"], "1" if first else "")
        for row in rows if row["rule_name"] == "two assets"
        for first, each in zip((True, False), row["assets"], strict=True)
    ]


def test_one_rule_one_program_and_nobody_elses(scene: Scene) -> None:
    scene.run(data=EVENTS[0])
    rows = walk(scene.api, "/v1/reports/rules")
    chosen = rows[0]["rule_id"]
    assert walk(scene.api, "/v1/reports/rules", rule_id=chosen) == rows[:1]
    other = open_scene(scene.api, "OTHER")
    assert walk(scene.api, "/v1/reports/rules", program_id=other.program) == []
    error_of(scene.api.get("/v1/reports/rules", program_id=ABSENT), 404, "not_found")


def test_nothing_is_left_to_read_once_all_is_rolled_up(scene: Scene) -> None:
    for data in EVENTS[:3]:
        scene.run(data=data)
    roll_up_everything()
    with db.connection() as c:
        for table in ("decisions", "events"):
            assert c.execute(
                f"SELECT count(*) AS n FROM {table} WHERE transaction_id IS NULL"
                " OR transaction_id >= (SELECT transaction_id FROM report_horizon)"
            ).fetchall() == [{"n": 0}]


def test_a_step_is_bounded_by_its_rows_too(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report_rollups, "ROWS_MAX", 3)
    for data in EVENTS[:7]:
        scene.run(data=data)
    expected = totals(walk(scene.api, "/v1/reports/rules"))
    steps = []
    more = True
    while more:
        with db.transaction() as c:
            found, more = report_rollups.follow_step(c, 1_000_000)
        steps.append(found)
    # No more than three events and three decisions at once: each was written by a transaction of its own.
    assert sum(steps) == 14
    assert max(steps) <= 6
    assert totals(walk(scene.api, "/v1/reports/rules")) == expected


def test_events_of_young_transactions_are_not_counted_yet(scene: Scene) -> None:
    scene.rule(PURCHASE, credit("10"))
    with db.transaction() as c:
        ended = report_events.settled(c)
    scene.run("after")
    with db.transaction() as c:
        assert report_rollups.follow_step(c, 1_000_000, 0) == (0, report_events.horizon(c) < 0)
    more = True
    while more:
        with db.transaction() as c:
            _, more = report_rollups.follow_step(c, 1_000_000, ended)
    with db.transaction() as c:
        assert report_events.horizon(c) == ended
        assert report_events.settled(c) > ended


TAMPERED = {
    "a count of events": ("rollup_events", "UPDATE report_events SET events = events + 1"),
    "an hour of events": ("rollup_events", "DELETE FROM report_events WHERE grain = 'HOUR'"),
    "a tally": ("rollup_rules", "UPDATE report_rule_days SET budget_exceeded = budget_exceeded + 1"),
    "a day of rules": ("rollup_rules", "DELETE FROM report_rule_days"),
    "an amount issued": ("rollup_issued", "UPDATE report_rule_assets SET issued = issued + 0.01"),
    "a day of issuing": ("rollup_issued", "DELETE FROM report_rule_assets"),
}


@pytest.mark.parametrize("what", TAMPERED)
def test_the_check_finds_what_is_wrong_about_events_and_rules(scene: Scene, what: str) -> None:
    name, statement = TAMPERED[what]
    for data in EVENTS[1:3]:
        scene.run(data=data)
    roll_up_everything()
    assert found_by_check(scene) == []
    with db.transaction() as c:
        c.execute(statement)
    assert found_by_check(scene) == [name]


def found_by_check(scene: Scene) -> list[str]:
    """Return the checks of `report check` that find anything."""
    return [each.name for each in report_check.run(scene.api.organization_id) if each.violations]


def test_decisions_from_before_there_were_numbers_are_taken_once(scene: Scene) -> None:
    for data in EVENTS[:3]:
        scene.run(data=data)
    expected = totals(walk(scene.api, "/v1/reports/rules"))
    events = scene.api.get("/v1/reports/program-activity").json["data"][0]["event_count"]
    with db.transaction() as c:
        c.execute("UPDATE decisions SET transaction_id = NULL")
        c.execute("UPDATE events SET transaction_id = NULL")
    for _ in range(3):
        assert totals(walk(scene.api, "/v1/reports/rules")) == expected
        assert scene.api.get("/v1/reports/program-activity").json["data"][0]["event_count"] == events == 3
        roll_up_everything()


def test_a_database_restored_elsewhere_is_counted_anew(scene: Scene) -> None:
    for data in EVENTS[:3]:
        scene.run(data=data)
    roll_up_everything()
    expected = totals(walk(scene.api, "/v1/reports/rules"))
    with db.transaction() as c:
        # Where it comes from, transactions had come further than they have here.
        c.execute("UPDATE report_horizon SET transaction_id = transaction_id + 1000000000")
        c.execute("UPDATE decisions SET transaction_id = transaction_id + 900000000")
        c.execute("UPDATE events SET transaction_id = transaction_id + 900000000")
    for _ in range(3):
        while report_rollups.run():
            pass
        assert totals(walk(scene.api, "/v1/reports/rules")) == expected
        assert scene.api.get("/v1/reports/program-activity").json["data"][0]["event_count"] == 3
