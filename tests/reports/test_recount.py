"""Each report equals a slow recount from the raw postings, at awkward instants, rolled up or not."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from app import db
from app.book import report_rollups
from app.domain.instants import format_instant
from tests.api.client import Caller, walk
from tests.reports import recount
from tests.reports.conftest import roll_up_everything
from tests.reports.journal import SPAN, START, Journal

MICROSECOND = timedelta(microseconds=1)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


# The last instant of a month, the first of the next, a leap day, an odd one, before and after everything.
INSTANTS = [
    at("2024-01-31T23:59:59.999999"), at("2024-02-01"), at("2024-02-29T12:00"),
    at("2024-07-09T03:17:22.123456"), at("2024-12-31T23:59:59.999999"), at("1999-12-31"), START + SPAN,
]
WINDOWS = [
    (at("2024-02-01"), at("2024-02-29T23:59:59.999999")), (at("2024-03-10T02:30"), at("2025-03-09T02:29:59")),
    (at("1969-01-01"), at("2026-06-01")), (at("2024-05-05T05:05:05"), at("2024-05-05T05:59:59.999999")),
]

END = format_instant(START + SPAN)
WINDOW_OF_ALL = {"from_": format_instant(START), "to": END}


@pytest.fixture(params=["live", "rolled up", "rolled up halfway", "late entries"])
def facts(journal: Journal, request: pytest.FixtureRequest) -> Journal:
    """The journal in each state that the roll-ups can be in."""
    match request.param:
        case "rolled up":
            roll_up_everything()
        case "rolled up halfway":
            roll_up_everything()
            with db.transaction() as c:
                journal.write(c, journal.grow(300, START + SPAN / 2, SPAN / 2))
        case "late entries":
            # Commits that come long after their instants: sealed but not rolled up, then not even sealed.
            roll_up_everything()
            with db.transaction() as c:
                journal.write(c, journal.grow(200))
            roll_up_everything()
            with db.transaction() as c:
                journal.write(c, journal.grow(200))
        case _:
            assert request.param == "live"
    return journal


def amount(value: Decimal) -> str:
    return f"{value:.2f}"


def subject(row: dict[str, Any]) -> tuple[str, str | None]:
    return row["asset_id"], row.get("program_id")


def test_liability(facts: Journal, api: Caller) -> None:
    edges = [fact.at for fact in facts.facts[:: len(facts.facts) // 5]]
    for instant in [*INSTANTS, *edges, *(edge - MICROSECOND for edge in edges)]:
        for by_bucket in (False, True):
            rows = walk(
                api, "/v1/reports/liability", as_of=format_instant(instant), limit=5,
                by_bucket=str(by_bucket).lower(),
            )
            got = {(*subject(row), row.get("bucket")): row["balance"] for row in rows}
            assert len(got) == len(rows)
            assert got == {
                (str(asset), program and str(program), bucket): amount(balance)
                for (asset, program, bucket), balance
                in recount.liability(facts.facts, instant, by_bucket=by_bucket).items()
            }


def test_liability_of_one_program_and_asset(facts: Journal, api: Caller) -> None:
    program, asset = facts.programs[1], facts.assets[1]
    answer = api.get("/v1/reports/liability", program_id=program, asset_id=asset)
    found = recount.liability(facts.facts, START + SPAN)
    assert [row["balance"] for row in answer.json["data"]] == [amount(found[asset, program, None])]


def test_rollforward(facts: Journal, api: Caller) -> None:
    for start, end in WINDOWS:
        rows = walk(
            api, "/v1/reports/liability-rollforward", from_=format_instant(start), to=format_instant(end)
        )
        expected = recount.rollforward(facts.facts, start, end)
        assert {subject(row) for row in rows} == {
            (str(asset), program and str(program)) for asset, program in expected
        }
        for row in rows:
            lines = {name: row[name] for name in (*recount.LINES, "opening_balance", "closing_balance")}
            [want] = [v for (a, p), v in expected.items() if (str(a), p and str(p)) == subject(row)]
            assert lines == {name: amount(value) for name, value in want.items()}


def test_the_lines_of_every_month_lead_from_opening_to_closing(facts: Journal, api: Caller) -> None:
    closing: dict[Any, str] = {}
    months = [at(f"{year}-{month:02}-01") for year in (2024, 2025) for month in range(1, 13)]
    for start, following in zip(months, [*months[1:], at("2026-01-01")], strict=True):
        rows = walk(
            api, "/v1/reports/liability-rollforward", from_=format_instant(start),
            to=format_instant(following - MICROSECOND),
        )
        for row in rows:
            moved = sum(Decimal(row[name]) for name in recount.LINES)
            assert Decimal(row["opening_balance"]) + moved == Decimal(row["closing_balance"])
            assert Decimal(row["opening_balance"]) == Decimal(closing.get(subject(row), "0"))
            closing[subject(row)] = row["closing_balance"]
    assert len(closing) > len(facts.programs)


def test_deferred_revenue(facts: Journal, api: Caller) -> None:
    start, end = WINDOWS[1]
    value = Decimal("0.0125")
    answer = api.get(
        "/v1/reports/deferred-revenue", from_=format_instant(start), to=format_instant(end),
        asset_id=facts.assets[0], point_value=value,
    )
    expected = {
        program and str(program): row
        for (asset, program), row in recount.rollforward(facts.facts, start, end).items()
        if asset == facts.assets[0]
    }
    assert {row.get("program_id") for row in answer.json["data"]} == set(expected)
    for row in answer.json["data"]:
        units = expected[row.get("program_id")]
        money = {name: Decimal(text) for name, text in row.items() if name in _MONEY}
        assert money == {
            "opening_deferred": units["opening_balance"] * value, "deferred": units["issued"] * value,
            "recognised_redemptions": -(units["redeemed"] + units["redemption_reversals"]) * value,
            "recognised_breakage": -(units["expired"] + units["forfeited"]) * value,
            "closing_deferred": units["closing_balance"] * value,
        }
        assert money["closing_deferred"] == (
            money["opening_deferred"] + money["deferred"] - money["recognised_redemptions"]
            - money["recognised_breakage"] + Decimal(row["other"])
        )


_MONEY = (
    "opening_deferred", "deferred", "recognised_redemptions", "recognised_breakage", "closing_deferred",
)


def test_ledger_summary(facts: Journal, api: Caller) -> None:
    start, end = WINDOWS[1]
    answer = api.get("/v1/reports/ledger-summary", from_=format_instant(start), to=format_instant(end))
    total = recount.rollforward(facts.facts, at("2023-01-01"), at("2026-06-01"))
    period = recount.rollforward(facts.facts, start, end)
    assert len(answer.json["data"]) == len(facts.assets)
    for row in answer.json["data"]:
        of_all = _of_asset(total, row["asset_id"])
        within = _of_asset(period, row["asset_id"])
        for word in ("redeemed", "expired", "forfeited"):
            assert Decimal(row[f"total_{word}"]) == -of_all[word]
            assert Decimal(row[f"period_{word}"]) == -within[word]
        assert Decimal(row["total_issued"]) == of_all["issued"]
        assert Decimal(row["period_issued"]) == within["issued"]
        assert Decimal(row["current_balance"]) == of_all["closing_balance"]
        assert Decimal(row["opening_balance"]) == within["opening_balance"]
        assert Decimal(row["closing_balance"]) == within["closing_balance"]
        assert Decimal(row["other_adjustments_net"]) == sum(
            (within[line] for line in recount.LINES
             if line not in ("issued", "redeemed", "expired", "forfeited")), Decimal(0),
        )
        assert row["participant_count"] == _holders(facts, row["asset_id"])


def _of_asset(rows: dict[Any, dict[str, Decimal]], asset_id: str) -> dict[str, Decimal]:
    mine = [row for (asset, _), row in rows.items() if str(asset) == asset_id]
    return {name: sum((row[name] for row in mine), Decimal(0)) for name in mine[0]}


def _holders(journal: Journal, asset_id: str, program: Any = None) -> int:
    held: dict[Any, Decimal] = {}
    touched = set()
    for fact in journal.facts:
        for line in fact.lines:
            if str(fact.asset) == asset_id and line.owner_type == "PARTICIPANT":
                held[line.owner] = held.get(line.owner, Decimal(0)) + line.amount
                if program in (None, fact.program):
                    touched.add(line.owner)
    return len([owner for owner, amount in held.items() if amount and owner in touched])


def test_ledger_summary_of_one_program(facts: Journal, api: Caller) -> None:
    program = facts.programs[2]
    total = recount.rollforward(facts.facts, at("2023-01-01"), at("2026-06-01"))
    for row in api.get("/v1/reports/ledger-summary", program_id=program).json["data"]:
        [want] = [v for (a, p), v in total.items() if str(a) == row["asset_id"] and p == program]
        assert Decimal(row["total_issued"]) == want["issued"]
        assert Decimal(row["current_balance"]) == want["closing_balance"]
        assert "opening_balance" not in row
        assert row["participant_count"] == _holders(facts, row["asset_id"], program)


def test_program_activity(facts: Journal, api: Caller) -> None:
    start, end = WINDOWS[0]
    answer = api.get("/v1/reports/program-activity", from_=format_instant(start), to=format_instant(end))
    assert len(answer.json["data"]) == len(facts.programs)
    within = recount.rollforward(facts.facts, start, end)
    for row in answer.json["data"]:
        [program] = [each for each in facts.programs if str(each) == row["program_id"]]
        mine = [fact for fact in facts.facts if fact.program == program]
        assert row["journal_count"] == len(mine)
        assert row["unique_participants"] == recount.people(facts.facts, program)
        assert row["last_activity_at"] == format_instant(max(fact.at for fact in mine))
        sums = [values for (_, of), values in within.items() if of == program]
        assert Decimal(row["total_issued"]) == sum(values["issued"] for values in sums)
        assert Decimal(row["total_redeemed"]) == -sum(values["redeemed"] for values in sums)


def test_the_roll_ups_hold_what_was_sealed(facts: Journal) -> None:
    with db.transaction() as c:
        assert report_rollups.differences(c, facts.organization, 10) == []


def test_the_check_finds_a_cell_that_is_wrong(journal: Journal) -> None:
    roll_up_everything()
    with db.transaction() as c:
        c.execute(
            "UPDATE report_cells SET amount = amount + 1 WHERE organization_id = %s AND grain = 'DAY'"
            " AND period = (SELECT min(period) FROM report_cells WHERE grain = 'DAY')",
            (journal.organization,),
        )
        assert {row["grain"] for row in report_rollups.differences(c, journal.organization, 10)} == {"DAY"}


# Of the reports that also tell of all time, only what belongs to the window is of the past.
PAST = {
    "liability": ({"as_of": END}, ()), "breakage": ({"as_of": END}, ()),
    "liability-rollforward": (WINDOW_OF_ALL, ()), "deferred-revenue": (WINDOW_OF_ALL, ()),
    "ledger-summary": (WINDOW_OF_ALL, ("total_", "current_balance", "participant_count")),
    "program-activity": (WINDOW_OF_ALL, ("journal_count", "unique_participants", "last_activity_at")),
    "rules": (WINDOW_OF_ALL, ()),
}


@pytest.mark.parametrize("name", PAST)
def test_an_answer_about_the_past_never_changes(journal: Journal, api: Caller, name: str) -> None:
    query, of_all_time = PAST[name]
    if name == "deferred-revenue":
        query = query | {"asset_id": str(journal.assets[0]), "point_value": "0.01"}

    def told() -> list[dict[str, Any]]:
        return [
            {field: value for field, value in row.items() if not field.startswith(of_all_time or ("-",))}
            for row in walk(api, f"/v1/reports/{name}", **query)
        ]

    before = told()
    assert before or name in ("breakage", "rules")
    for _ in range(2):
        with db.transaction() as c:
            journal.write(c, journal.grow(200, START + SPAN + MICROSECOND, timedelta(days=30)))
        assert told() == before
        roll_up_everything()
        assert told() == before
