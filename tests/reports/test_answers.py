"""What the reports answer over HTTP: pages, CSV, refusals, other organizations, the expiration schedule."""

import csv
import io
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from werkzeug.test import Client as WsgiClient

from app import db
from app.domain.ids import TimeOrdered
from app.domain.instants import format_instant
from app.domain.names import EntryType, OwnerType
from app.domain.reports import LIABILITY, Line, Unclassified, line_of
from tests.api.client import ABSENT, Caller, error_of, new_caller, walk
from tests.api_balances.conftest import Shop
from tests.reports.conftest import roll_up_everything
from tests.reports.journal import Journal

WINDOW = {"from_": "2024-01-01T00:00:00Z", "to": "2025-12-31T23:59:59Z"}
REPORTS = [
    ("ledger-summary", {}), ("program-activity", {}), ("liability", {}), ("liability-rollforward", WINDOW),
    ("expiration-schedule", WINDOW), ("breakage", {}), ("rules", WINDOW),
]


def table(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


@pytest.mark.parametrize(("name", "query"), REPORTS)
def test_csv_has_all_rows_of_the_json(
    journal: Journal, api: Caller, name: str, query: dict[str, str]
) -> None:
    rows = walk(api, f"/v1/reports/{name}", limit=1, **query)
    by_format = api.get(f"/v1/reports/{name}", format="csv", limit=1, **query)
    assert by_format.content_type == "text/csv; charset=utf-8"
    path = f"/v1/reports/{name}"
    if query:
        path += f"?from={query['from_']}&to={query['to']}"
    by_header = api.send("GET", path, headers={"Accept": "text/csv"})
    assert by_header.text == by_format.text
    if name != "expiration-schedule":
        shown = [{key: str(value) for key, value in row.items()} for row in rows]
        assert [{k: v for k, v in row.items() if v != ""} for row in table(by_format.text)] == shown


def test_a_name_that_a_spreadsheet_would_run_is_made_a_text(api: Caller, shop: Shop) -> None:
    api.patch(f"/v1/programs/{shop.program}", {"name": "=HYPERLINK(1)"})
    shop.give("1")
    answer = api.get("/v1/reports/liability", format="csv")
    assert [row["program_name"] for row in table(answer.text)] == ["'=HYPERLINK(1)"]


def test_the_integrity_report_is_a_table_too(journal: Journal, api: Caller) -> None:
    checks = table(api.get("/v1/reports/integrity", format="csv").text)
    shown = api.get("/v1/reports/integrity").json
    assert {row["check"]: row["pass"] == "true" for row in checks} == {
        name: shown[name]["pass"]
        for name in ("postings_balanced", "value_conservation", "unsealed_entries", "hash_chain")
    }


@pytest.mark.parametrize(("name", "query"), REPORTS)
def test_another_organization_sees_nothing(
    journal: Journal, http: WsgiClient, name: str, query: dict[str, str]
) -> None:
    roll_up_everything()
    assert walk(new_caller(http), f"/v1/reports/{name}", **query) == []


@pytest.mark.parametrize(
    "name", ["ledger-summary", "liability", "liability-rollforward", "expiration-schedule"]
)
def test_a_program_of_nobody_is_not_found(api: Caller, name: str) -> None:
    query = WINDOW if name.startswith(("liability-", "exp")) else {}
    error_of(api.get(f"/v1/reports/{name}", program_id=ABSENT, **query), 404, "not_found")


@pytest.mark.parametrize(("path", "field"), [
    ("liability?as_of=2999-01-01T00:00:00Z", "as_of"),
    ("liability-rollforward?from=2024-01-01T00:00:00Z", "to"),
    ("liability-rollforward?from=2024-01-02T00:00:00Z&to=2024-01-01T00:00:00Z", "from"),
    ("ledger-summary?from=2024-01-01T00:00:00Z", "to"),
    ("ledger-summary?to=2024-01-01T00:00:00Z", "from"),
    ("program-activity?to=2024-01-01T00:00:00Z", "from"),
    ("expiration-schedule?from=1990-01-01T00:00:00Z&to=2024-01-01T00:00:00Z&granularity=day", "to"),
])
def test_a_window_that_makes_no_sense_is_refused(api: Caller, path: str, field: str) -> None:
    assert field in error_of(api.get(f"/v1/reports/{path}"), 400, "validation_error")


def test_the_pages_of_a_report_of_now_are_all_of_the_same_instant(journal: Journal, api: Caller) -> None:
    first = api.get("/v1/reports/liability", limit=1).json
    with db.transaction() as c:
        now = db.read_clock(c)
        journal.write(c, journal.grow(50, now + timedelta(microseconds=1), timedelta(microseconds=50)))
    rest = api.get(
        "/v1/reports/liability", limit=100, cursor=first["pagination"]["next_cursor"]
    ).json
    assert rest["as_of"] == first["as_of"]
    all_of_it = api.get("/v1/reports/liability", as_of=first["as_of"]).json["data"]
    assert first["data"] + rest["data"] == all_of_it


def test_programs_without_activity_in_the_window_are_left_out(journal: Journal, api: Caller) -> None:
    idle = api.program(name="Idle")
    early = {"from_": "2001-01-01T00:00:00Z", "to": "2001-12-31T00:00:00Z"}
    assert walk(api, "/v1/reports/program-activity", **early) == []
    rows = {row["program_id"]: row for row in walk(api, "/v1/reports/program-activity")}
    assert rows[idle]["journal_count"] == 0
    assert "last_activity_at" not in rows[idle]
    last = max(row["last_activity_at"] for row in rows.values() if "last_activity_at" in row)
    assert walk(api, "/v1/reports/program-activity", since=last) == []


def test_every_kind_of_entry_is_on_one_line_or_an_error() -> None:
    for owner in LIABILITY:
        for kind in EntryType:
            if kind in (EntryType.FUND, EntryType.BURN, EntryType.EVENT_REVERSAL):
                with pytest.raises(Unclassified):
                    line_of(kind, owner, rising=False)
            else:
                assert line_of(kind, owner, rising=False) in Line
    with pytest.raises(Unclassified):
        line_of(EntryType.CREDIT, OwnerType.PROGRAM, rising=False)


class TestExpirationSchedule:
    """What is left of lots, by when it expires."""

    @pytest.fixture
    def lots(self, lot_shop: Shop) -> list[tuple[str, Decimal]]:
        """Lots as (expires_at, remaining), made by rules of an import; one of them spent in part."""
        made = [
            ("2031-01-31T23:59:59.999999Z", "10"), ("2031-02-01T00:00:00Z", "20"),
            ("2031-02-28T12:00:00Z", "30"), ("2031-03-31T00:00:00Z", "40"), ("2030-05-05T00:00:00Z", "50"),
            ("2032-01-01T00:00:00Z", "60"), ("", "70"),
        ]
        with db.transaction() as c:
            account = c.execute("SELECT nextval('account_id') AS id").fetchone()["id"]
            whole = sum(Decimal(amount) for _, amount in made)
            c.execute(
                "INSERT INTO accounts (organization_id, id, owner_type, owner_id, asset_id, available,"
                " updated_at) VALUES (%s, %s, 'PARTICIPANT', %s, %s, %s, %s)",
                (lot_shop.api.organization_id, account, lot_shop.person, lot_shop.asset, whole,
                 datetime(2026, 1, 1, tzinfo=UTC)),
            )
            ids = TimeOrdered(datetime(2026, 1, 1, tzinfo=UTC))
            for expires_at, amount in made:
                entry, lot = ids.next(), ids.next()
                c.execute(
                    "INSERT INTO journal_entries (organization_id, id, program_id, asset_id, action_type,"
                    " created_at) VALUES (%s, %s, %s, %s, 'ADJUST_CREDIT', %s)",
                    (lot_shop.api.organization_id, entry, lot_shop.program, lot_shop.asset,
                     datetime(2026, 1, 1, tzinfo=UTC)),
                )
                c.execute(
                    "INSERT INTO lot_movements (organization_id, entry_id, line, lot_id, kind, amount)"
                    " VALUES (%s, %s, 1, %s, 'CREATED', %s)",
                    (lot_shop.api.organization_id, entry, lot, amount),
                )
                c.execute(
                    "INSERT INTO lots (organization_id, id, account_id, entry_id, program_id, bucket, amount,"
                    " remaining, created_at, expires_at) VALUES (%s, %s, %s, %s, %s, 'AVAILABLE', 100, %s,"
                    " %s, %s)",
                    (lot_shop.api.organization_id, lot, account, entry, lot_shop.program, amount,
                     datetime(2026, 1, 1, tzinfo=UTC), expires_at or None),
                )
        return [(expires_at, Decimal(amount)) for expires_at, amount in made]

    @pytest.mark.parametrize(("granularity", "first", "count"), [
        ("day", "2031-01-31T00:00:00Z", 31), ("week", "2031-01-27T00:00:00Z", 5),
        ("month", "2031-01-01T00:00:00Z", 3),
    ])
    def test_buckets_are_whole_and_add_up(
        self, lot_shop: Shop, lots: list[tuple[str, Decimal]], granularity: str, first: str, count: int
    ) -> None:
        [row] = lot_shop.api.get(
            "/v1/reports/expiration-schedule", from_="2031-01-31T10:00:00Z", to="2031-03-02T00:00:00Z",
            granularity=granularity,
        ).json["data"]
        buckets = row["buckets"]
        assert buckets[0]["bucket_start"] == first
        assert len(buckets) == count
        for bucket, following in pairwise(buckets):
            assert bucket["bucket_end"] == following["bucket_start"]

        def between(start: str, end: str) -> list[Decimal]:
            return [
                amount for at, amount in lots
                if at and _instant(start) <= _instant(at) < _instant(end)
            ]

        for bucket in buckets:
            mine = between(bucket["bucket_start"], bucket["bucket_end"])
            assert (Decimal(bucket["amount"]), bucket["lot_count"]) == (sum(mine), len(mine))
        assert row["never_expiring"] == "70.00"
        assert Decimal(row["expiring_before_window"]) == sum(between("2000-01-01T00:00:00Z", first))
        end = buckets[-1]["bucket_end"]
        assert Decimal(row["expiring_after_window"]) == sum(between(end, "2999-01-01T00:00:00Z"))
        assert Decimal(row["total_outstanding"]) == 280
        parts = ("never_expiring", "expiring_before_window", "expiring_after_window")
        assert Decimal(row["total_outstanding"]) == sum(
            (Decimal(row[name]) for name in parts), sum(Decimal(b["amount"]) for b in buckets)
        )

    def test_csv_adds_up_to_the_total(self, lot_shop: Shop, lots: Any) -> None:
        answer = lot_shop.api.get(
            "/v1/reports/expiration-schedule", format="csv", from_="2031-01-01T00:00:00Z",
            to="2031-12-31T00:00:00Z",
        )
        assert sum(Decimal(row["amount"]) for row in table(answer.text)) == 280

    def test_a_simple_asset_has_no_schedule(self, shop: Shop) -> None:
        answer = shop.api.get("/v1/reports/expiration-schedule", asset_id=shop.asset, **WINDOW)
        error_of(answer, 400, "lot_asset_required")

    def test_a_program_counts_the_lots_that_it_credited(self, lot_shop: Shop, lots: Any) -> None:
        other = lot_shop.api.program(name="Other")
        path = "/v1/reports/expiration-schedule"
        assert walk(lot_shop.api, path, program_id=other, **WINDOW) == []
        lot_shop.api.post(f"/v1/programs/{other}/assets", {"asset_id": lot_shop.asset})
        [row] = walk(lot_shop.api, path, program_id=other, **WINDOW)
        assert row["total_outstanding"] == "0.00"
        [row] = walk(lot_shop.api, path, program_id=lot_shop.program, **WINDOW)
        assert row["total_outstanding"] == "280.00"


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def test_a_shop_s_day_is_told_line_by_line(lot_shop: Shop) -> None:
    """Real operations, one of a kind, as the reports tell of them."""
    api = lot_shop.api
    person = api.participant("bea", program_id=lot_shop.program)
    lot_shop.act("adjust", person, type="CREDIT", amount="100")
    lot_shop.act("adjust", person, type="DEBIT", amount="5")
    lot_shop.act("hold", person, amount="30")
    lot_shop.act("release", person, amount="10")
    lot_shop.act("forfeit", person, amount="8", bucket="HELD")
    spent = api.post(f"/v1/participants/{person}/redemptions", {
        "program_id": lot_shop.program, "asset_id": lot_shop.asset, "amount": "20", "description": "mug",
    })
    assert spent.status_code == 201, spent.json
    back = api.post(f"/v1/redemptions/{spent.json['id']}/reverse", {"amount": "6", "reason": "broken"})
    assert back.status_code == 201, back.json
    now = api.get("/v1/reports/liability").json["as_of"]
    start = format_instant(_instant(now) - timedelta(days=1))
    [row] = walk(api, "/v1/reports/liability-rollforward", from_=start, to=now)
    assert row["opening_balance"] == "0.00"
    moved = {name: row[name] for name in map(str, Line) if Decimal(row[name])}
    assert moved == {
        "adjustments_net": "95.00", "forfeited": "-8.00", "redeemed": "-20.00",
        "redemption_reversals": "6.00",
    }
    assert Decimal(row["closing_balance"]) == sum(Decimal(value) for value in moved.values())
