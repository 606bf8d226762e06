"""The breakage report finds the redemption rate that generated value was given, and its own error."""

import csv
import io
import random
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from app import db
from app.domain import breakage
from app.domain.breakage import Cohort, Flow
from app.domain.ids import TimeOrdered
from tests.api.client import error_of, walk
from tests.api_balances.conftest import Shop
from tests.reports.conftest import roll_up_everything

# Of 20 units earned, so many are redeemed at each age in months; at the age of 12 the rest expires.
REDEEMED = (1, 2, 2, 1, 1, 1, 1, 0, 1, 1, 0, 1)
UNITS = 20
EXPIRY = len(REDEEMED)
TRUE_RATE = Decimal(sum(REDEEMED)) / UNITS
MONTHS = 24
FIRST = date(2024, 1, 1)


def month(number: int) -> date:
    return date(FIRST.year + number // 12, number % 12 + 1, 1)


def flow(age: int, scale: int = 1) -> Flow:
    redeemed = REDEEMED[age] if age < EXPIRY else 0
    broken = UNITS - sum(REDEEMED) if age == EXPIRY else 0
    return Flow(Decimal(UNITS * scale if age == 0 else 0), Decimal(redeemed * scale), Decimal(broken * scale))


def known(months: int = MONTHS) -> list[Cohort]:
    """Cohorts of different sizes that all behave the same, as they stand after some months."""
    return [
        Cohort(month(number), tuple(flow(age, number + 1) for age in range(months - number)))
        for number in range(months)
    ]


def test_the_true_rate_is_found_for_every_cohort() -> None:
    cohorts = known()
    rates = breakage.curve(cohorts)
    for cohort in cohorts:
        estimate = breakage.ultimate(cohort, rates)
        assert estimate is not None
        assert abs(estimate - TRUE_RATE) < Decimal("1e-28"), cohort.month


def test_backtests_use_no_more_than_was_known_and_are_right_where_nothing_changes() -> None:
    cohorts = known()
    tests = [(cohort, breakage.backtest(cohort, cohorts)) for cohort in cohorts]
    done = [(cohort, test) for cohort, test in tests if test is not None]
    # What is two thirds as old as the data at most, and two months at least.
    assert {cohort.age for cohort, _ in done} == set(range(2, 2 * MONTHS // 3 + 1))
    assert all(abs(test.error) < Decimal("1e-28") for _, test in done)
    # The future of the others changes nothing about what was predicted.
    middle = cohorts[12]
    later = [
        Cohort(each.month, (*each.flows[:6], *(Flow(redeemed=Decimal(7)) for _ in each.flows[6:])))
        if each.month > middle.month else each for each in cohorts
    ]
    assert breakage.backtest(middle, later) == breakage.backtest(middle, cohorts)


def test_a_change_of_behaviour_shows_as_the_error_of_the_method() -> None:
    cohorts = [
        each if number < 12 else Cohort(each.month, tuple(
            Flow(part.issued, part.redeemed / 2, part.broken) for part in each.flows
        ))
        for number, each in enumerate(known())
    ]
    test = breakage.backtest(cohorts[12], cohorts)
    assert test is not None
    assert test.error > Decimal("0.05")
    mean = breakage.mean_error([(cohorts[12], test)])
    assert mean is not None
    assert abs(mean - (test.predicted - test.actual)) < Decimal("1e-25")


def test_random_value_is_estimated_within_its_noise() -> None:
    """5,000 parcels a month, each redeemed or not by the same odds: standard error below 0.007."""
    dice = random.Random(11)
    ages = [age for age, count in enumerate(REDEEMED) for _ in range(count)]
    odds = [*ages, *([None] * (UNITS - len(ages)))]
    cohorts = []
    for number in range(MONTHS):
        fate = Counter(dice.choice(odds) for _ in range(5000))
        flows = [
            Flow(
                Decimal(5000 if age == 0 else 0), Decimal(fate[age] if age < EXPIRY else 0),
                Decimal(fate[None] if age == EXPIRY else 0),
            ) for age in range(MONTHS - number)
        ]
        cohorts.append(Cohort(month(number), tuple(flows)))
    rates = breakage.curve(cohorts)
    errors = [
        abs(breakage.ultimate(cohort, rates) - TRUE_RATE)
        for cohort in cohorts
    ]
    assert max(errors) < Decimal("0.03")
    mean = breakage.mean_error(
        (cohort, test) for cohort in cohorts if (test := breakage.backtest(cohort, cohorts)) is not None
    )
    assert mean is not None
    assert Decimal(0) < mean < Decimal("0.02")


def test_withdrawn_value_says_nothing_about_redemptions() -> None:
    """A third of each cohort is transferred away at the age of three; the rest behaves as before."""
    cohorts = []
    for number in range(MONTHS):
        flows = []
        for age in range(MONTHS - number):
            part = flow(age, 3)
            if age >= 3:
                part = Flow(part.issued, part.redeemed * 2 / 3, part.broken * 2 / 3)
            if age == 3:
                left = Decimal(3 * (UNITS - sum(REDEEMED[:3])))
                part = part._replace(withdrawn=left / 3)
            flows.append(part)
        cohorts.append(Cohort(month(number), tuple(flows)))
    rates = breakage.curve(cohorts)
    start = breakage.incidence(rates, 0, len(rates))
    assert abs(start - TRUE_RATE) < Decimal("1e-28")


class Vintages:
    """Writes lots with their entries and movements as the ledger would, at any date."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        self.rows: list[tuple[str, tuple[Any, ...]]] = []
        self.number = 0

    def entry(self, kind: str, at: datetime) -> Any:
        self.number += 1
        entry = TimeOrdered(at, entropy=self.number).next()
        self.rows.append((
            ("INSERT INTO journal_entries (organization_id, id, program_id, asset_id, action_type,"
             " created_at) VALUES (%s, %s, %s, %s, %s, %s)"),
            (self.shop.api.organization_id, entry, self.shop.program, self.shop.asset, kind, at),
        ))
        return entry

    def moved(self, entry: Any, lot: Any, kind: str, amount: int) -> None:
        self.rows.append((
            ("INSERT INTO lot_movements (organization_id, entry_id, line, lot_id, kind, amount)"
             " VALUES (%s, %s, 1, %s, %s, %s)"),
            (self.shop.api.organization_id, entry, lot, kind, amount),
        ))

    def cohort(self, number: int) -> None:
        """Earn 20 units in a month; spend and lose them as is given."""
        at = datetime.combine(month(number), datetime.min.time(), UTC) + timedelta(days=9, hours=3)
        lot = self.entry("CREDIT", at)
        self.moved(lot, lot, "CREATED", UNITS)
        left = UNITS
        for age in range(MONTHS - number):
            part = flow(age)
            then = datetime.combine(month(number + age), datetime.min.time(), UTC) + timedelta(days=20)
            if part.redeemed:
                left -= int(part.redeemed)
                self.moved(self.entry("REDEMPTION", then), lot, "CONSUMED", -int(part.redeemed))
            if part.broken:
                left -= int(part.broken)
                self.moved(self.entry("EXPIRATION", then), lot, "EXPIRED", -int(part.broken))
        self.rows.append((
            ("INSERT INTO lots (organization_id, id, account_id, entry_id, program_id, bucket, amount,"
             " remaining, created_at) VALUES (%s, %s, 1, %s, %s, 'AVAILABLE', %s, %s, %s)"),
            (self.shop.api.organization_id, lot, lot, self.shop.program, UNITS, left, at),
        ))

    def write(self) -> None:
        with db.transaction() as c:
            c.execute(
                "INSERT INTO accounts (organization_id, id, owner_type, owner_id, asset_id, available,"
                " updated_at) VALUES (%s, 1, 'PARTICIPANT', %s, %s, 1, now()) ON CONFLICT DO NOTHING",
                (self.shop.api.organization_id, self.shop.person, self.shop.asset),
            )
            for statement, values in self.rows:
                c.execute(statement, values)
        self.rows.clear()


@pytest.fixture(params=["live", "rolled up", "halfway"])
def history(lot_shop: Shop, request: pytest.FixtureRequest) -> Iterator[Shop]:
    """Two years of value with a known fate, in each state that the roll-ups can be in."""
    vintages = Vintages(lot_shop)
    for number in range(MONTHS):
        vintages.cohort(number)
        if number == MONTHS // 2 and request.param == "halfway":
            vintages.write()
            roll_up_everything()
    vintages.write()
    if request.param == "rolled up":
        roll_up_everything()
    return lot_shop


AS_OF = "2026-01-01T00:00:00Z"


def test_the_report_tells_the_true_rate_of_generated_value(history: Shop) -> None:
    answer = history.api.get("/v1/reports/breakage", as_of=AS_OF, limit=200).json
    assert answer["as_of"] == AS_OF
    assert "Aalen-Johansen" in answer["method"]
    assert Decimal(answer["mean_absolute_error"]) == 0
    assert [row["cohort"] for row in answer["data"]] == [month(n).isoformat() for n in range(MONTHS)]
    for number, row in enumerate(answer["data"]):
        age = MONTHS - number
        redeemed = sum(REDEEMED[:age])
        assert row["age_months"] == age
        assert Decimal(row["issued"]) == UNITS
        assert Decimal(row["redeemed"]) == redeemed
        assert Decimal(row["broken"]) == (UNITS - sum(REDEEMED) if age > EXPIRY else 0)
        assert Decimal(row["redemption_rate"]) == Decimal(redeemed) / UNITS
        assert Decimal(row["ultimate_redemption_rate"]) == TRUE_RATE
        assert Decimal(row["breakage_rate"]) == 1 - TRUE_RATE
        assert Decimal(row["outstanding"]) == (
            Decimal(row["issued"]) - Decimal(row["redeemed"]) - Decimal(row["broken"])
        )
        assert ("backtest_error" in row) == (2 <= age <= 16)


def test_a_report_of_the_past_knows_nothing_of_later_months(history: Shop) -> None:
    rows = walk(history.api, "/v1/reports/breakage", as_of="2024-04-17T12:00:00Z", limit=2)
    assert [(row["cohort"], row["age_months"], row["redeemed"]) for row in rows] == [
        ("2024-01-01", 3, "5.00"), ("2024-02-01", 2, "3.00"), ("2024-03-01", 1, "1.00"),
    ]


def test_csv_has_the_rows_of_the_json(history: Shop) -> None:
    rows = walk(history.api, "/v1/reports/breakage", as_of=AS_OF)
    text = history.api.get("/v1/reports/breakage", as_of=AS_OF, format="csv").text
    assert [{k: v for k, v in row.items() if v} for row in csv.DictReader(io.StringIO(text))] == [
        {key: str(value) for key, value in row.items()} for row in rows
    ]


def test_a_simple_asset_has_no_vintages(shop: Shop) -> None:
    error_of(shop.api.get("/v1/reports/breakage", asset_id=shop.asset), 400, "lot_asset_required")


def test_real_operations_become_flows_of_their_month(lot_shop: Shop) -> None:
    api = lot_shop.api
    lot_shop.give("100")
    lot_shop.act("adjust", type="DEBIT", amount="5")
    lot_shop.act("hold", amount="30")
    lot_shop.act("forfeit", amount="8", bucket="HELD")
    person = api.participant("bea", program_id=lot_shop.program)
    lot_shop.act("adjust", person, type="CREDIT", amount="50")
    spent = api.post(f"/v1/participants/{person}/redemptions", {
        "program_id": lot_shop.program, "asset_id": lot_shop.asset, "amount": "20", "description": "mug",
    })
    assert spent.status_code == 201, spent.json
    back = api.post(f"/v1/redemptions/{spent.json['id']}/reverse", {"amount": "6", "reason": "broken"})
    assert back.status_code == 201, back.json
    assert walk(api, "/v1/reports/breakage") == [], "the month is not over"
    with db.transaction() as c:
        c.execute("UPDATE clock SET ahead = ahead + interval '32 days'")
    for _ in range(2):
        [row] = walk(api, "/v1/reports/breakage")
        told = {name: row[name] for name in ("issued", "redeemed", "broken", "withdrawn", "outstanding")}
        assert told == {
            "issued": "150.00", "redeemed": "14.00", "broken": "8.00", "withdrawn": "5.00",
            "outstanding": "123.00",
        }
        roll_up_everything()
