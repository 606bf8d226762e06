"""The lists of value: each filter from both sides of its edge, and sums that agree at every instant."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from app.book.due import DueKind
from app.domain.ids import MICROSECOND
from app.domain.instants import format_instant
from app.domain.names import Bucket
from app.flows import post_due_lots
from tests.api.client import ABSENT, Caller, error_of, walk
from tests.api_balances.conftest import Shop
from tests.api_balances.test_due_lots import advance, credit_with_dates
from tests.api_balances.test_hold import accrue
from tests.events.scene import Scene, credit, open_scene

BUCKETS = ("AVAILABLE", "HELD", "DEFERRED")


def when(instant: str) -> datetime:
    """An instant that was shown; as text those with and without a fraction do not compare."""
    return datetime.fromisoformat(instant)


def moved(instant: str, steps: int) -> str:
    """An instant so many microseconds later."""
    return format_instant(when(instant) + steps * MICROSECOND)


@pytest.fixture
def busy(lot_shop: Shop) -> Shop:
    """Entries of ten kinds, value in all buckets, one lot of each status."""
    lot_shop.api.post("/v1/participants", {"external_id": "ann-MILES", "program_id": lot_shop.program})
    lot_shop.give("100")
    credit_with_dates(lot_shop, "9", matures=50)
    credit_with_dates(lot_shop, "4", expires=55, matures=30)
    credit_with_dates(lot_shop, "5", matures=9000, expires=9999)
    lot_shop.act("hold", amount="60", reference_id="trip-1")
    lot_shop.act("release", reference_id="trip-1", amount="15")
    lot_shop.act("forfeit", bucket="HELD", amount="5")
    accrue(lot_shop, "10", "auth")
    accrue(lot_shop, "12", "auth", Bucket.AVAILABLE)
    accrue(lot_shop, "3", "auth-2")
    lot_shop.act("void-hold", reference_id="auth-2")
    advance(40)
    post_due_lots.post_batch(DueKind.MATURITY)
    advance(20)
    for kind in DueKind:
        post_due_lots.post_batch(kind)
    lot_shop.act("adjust", type="DEBIT", amount="20")
    redemption = lot_shop.api.post(
        f"/v1/participants/{lot_shop.person}/redemptions", lot_shop.body(amount="30")
    ).json
    lot_shop.api.post(f"/v1/redemptions/{redemption['id']}/reverse", {"reason": "x", "amount": "11"})
    bob = lot_shop.api.participant("bob", program_id=lot_shop.program)
    lot_shop.api.post("/v1/transfers", {
        **lot_shop.body(), "source_participant_id": lot_shop.person,
        "recipients": [{"participant_id": bob, "amount": "2.50"}],
    })
    return lot_shop


def test_statement_history_and_balances_of_the_past_agree_at_every_instant(busy: Shop) -> None:
    """Each row is looked at from the microsecond before it, its own, and the one after."""
    path = f"/v1/participants/{busy.person}"
    rows = walk(busy.api, f"{path}/statement", asset_id=busy.asset, limit=7)
    assert len({row["action_type"] for row in rows}) >= 11, "the scene has become poor"
    newest_first = walk(busy.api, f"{path}/activity/history", limit=5)
    assert [row["journal_entry_id"] for row in reversed(newest_first)] == [
        row["journal_entry_id"] for row in rows
    ]
    edges = {row["created_at"] for row in rows} | {lot["expires_at"] for lot in lots_expired(busy)}
    for instant in sorted({moved(edge, step) for edge in edges for step in (-1, 0, 1)}):
        before = [row for row in rows if when(row["created_at"]) <= when(instant)]
        since = [row for row in rows if when(row["created_at"]) >= when(instant)]
        for bucket in (None, *BUCKETS):
            scope = {} if bucket is None else {"bucket": bucket}
            then = total(before, bucket)
            upto = busy.api.get(f"{path}/statement", asset_id=busy.asset, **scope, **ending(instant)).json
            assert (upto["closing_balance"], len(upto["data"])) == (text(then), count(before, bucket))
            onward = busy.api.get(f"{path}/statement", asset_id=busy.asset, from_=instant, **scope).json
            assert len(onward["data"]) == count(since, bucket)
            assert onward["opening_balance"] == text(then - total(at(before, instant), bucket))
            running = Decimal(onward["opening_balance"])
            for row in onward["data"]:
                running += Decimal(row["amount"])
                assert row["running_balance"] == text(running)
            assert onward["closing_balance"] == text(running)
        balances = busy.api.get(f"{path}/balances", as_of=instant).json["data"]
        shown = balances[0] if balances else dict.fromkeys(map(str.lower, BUCKETS), "0.00")
        assert [shown[bucket.lower()] for bucket in BUCKETS] == [
            text(total(before, bucket) - past_their_date(busy, instant, bucket)) for bucket in BUCKETS
        ]


def ending(instant: str) -> dict[str, str]:
    return {"from_": "2020-01-01T00:00:00Z", "to": instant}


def total(rows: list[dict[str, Any]], bucket: str | None) -> Decimal:
    return sum((Decimal(row["amount"]) for row in rows if bucket in (None, row["bucket"])), Decimal(0))


def count(rows: list[dict[str, Any]], bucket: str | None) -> int:
    return sum(bucket in (None, row["bucket"]) for row in rows)


def at(rows: list[dict[str, Any]], instant: str) -> list[dict[str, Any]]:
    return [row for row in rows if row["created_at"] == instant]


def text(value: Decimal) -> str:
    return f"{value:.2f}"


def lots_expired(busy: Shop) -> list[dict[str, Any]]:
    path = f"/v1/participants/{busy.person}/balances/lots"
    return walk(busy.api, path, asset_id=busy.asset, status="EXPIRED")


def past_their_date(busy: Shop, instant: str, bucket: str) -> Decimal:
    """What stood past its date before its expiry was posted: 4.00 in this scene, matured by then."""
    expired = busy.api.get("/v1/journal-entries", action_type="EXPIRATION").json["data"][0]
    is_between = when(lots_expired(busy)[0]["expires_at"]) <= when(instant) < when(expired["created_at"])
    return Decimal(4) if is_between and bucket == "AVAILABLE" else Decimal(0)


def test_lots_are_filtered_at_the_edge_of_each_filter(busy: Shop) -> None:
    path = f"/v1/participants/{busy.person}/balances/lots"

    def found(**query: Any) -> set[str]:
        return {row["id"] for row in walk(busy.api, path, asset_id=busy.asset, limit=3, **query)}

    rows = {row["id"]: row for row in walk(busy.api, path, asset_id=busy.asset)}
    assert found() == set(rows)
    for status in ("AVAILABLE", "HELD", "DEFERRED", "CONSUMED", "EXPIRED"):
        wanted = {lot for lot, row in rows.items() if row["status"] == status}
        assert wanted, f"no lot is {status}"
        assert found(status=status) == wanted
    assert sum(Decimal(row["remaining"]) for row in rows.values() if row["status"] == "AVAILABLE") == Decimal(
        busy.balance()["available"]
    )
    for row in rows.values():
        assert set(row) <= {"id", "asset_id", "amount", "remaining", "status", "reference_id", "created_at",
                            "expires_at", "matures_at", "parent_lot_id"}
        if "expires_at" not in row:
            continue
        edge = row["expires_at"]
        assert row["id"] in found(expires_before=edge) & found(expires_after=edge)
        assert row["id"] not in found(expires_before=moved(edge, -1)) | found(expires_after=moved(edge, 1))
    assert found(reference_id="trip-1") == {
        lot for lot, row in rows.items() if row.get("reference_id") == "trip-1"
    } != set()
    assert found(program_id=busy.program) == set(rows)
    assert found(program_id=busy.api.program()) == set()
    error_of(busy.api.get(path, asset_id=busy.asset, status="GONE"), 400, "validation_error")


@pytest.fixture
def scene(api: Caller) -> Scene:
    """A program whose rule credits ten, with two events that happened long ago, and a credit by hand."""
    made = open_scene(api)
    made.rule('event.type == "purchase"', credit())
    made.run(event_timestamp="2026-03-01T12:00:00Z")
    made.run(event_timestamp="2026-04-01T12:00:00.000001Z")
    api.post(f"/v1/participants/{made.person()}/balances/adjust", {
        "program_id": made.program, "asset_id": made.asset, "type": "CREDIT", "amount": "1",
        "description": "by hand",
    })
    return made


def test_history_tells_when_the_event_happened_and_is_filtered_by_it(scene: Scene) -> None:
    path = f"/v1/participants/{scene.person()}/activity/history"
    by_hand, second, first = walk(scene.api, path)
    assert (first["event_timestamp"], second["event_timestamp"]) == (
        "2026-03-01T12:00:00Z", "2026-04-01T12:00:00.000001Z"
    )
    assert {"event_id", "event_timestamp"}.isdisjoint(by_hand)
    assert by_hand["created_by_api_key_id"]
    assert "created_by_api_key_id" not in first

    def found(**query: Any) -> list[str]:
        return [row["journal_entry_id"] for row in walk(scene.api, path, **query)]

    old, new, mine = (row["journal_entry_id"] for row in (first, second, by_hand))
    edge = second["event_timestamp"]
    start = "2026-01-01T00:00:00Z"
    assert found(event_from=start, event_to=edge) == [new, old]
    assert found(event_from=start, event_to=moved(edge, -1)) == [old]
    assert found(event_from=edge) == [mine, new]
    assert found(event_from=moved(edge, 1)) == [mine]
    # A row without an event counts by its own time, and both windows must hold.
    own = by_hand["created_at"]
    assert found(event_from=own) == [mine]
    assert found(event_from=moved(own, 1)) == []
    assert found(event_from=start, event_to=edge, from_=second["created_at"]) == [new]
    assert found(event_from=start, event_to=edge, from_=moved(second["created_at"], 1)) == []
    assert found(asset_id=scene.asset, bucket="AVAILABLE") == [mine, new, old]
    assert found(asset_id=ABSENT) == found(bucket="HELD") == []
    for query in ({"to": edge}, {"event_to": edge}, {"from_": edge, "to": edge},
                  {"event_from": edge, "event_to": start}):
        error_of(scene.api.get(path, **query), 400, "validation_error")
    line = scene.api.get(f"/v1/participants/{scene.person()}/statement", asset_id=scene.asset).json["data"][1]
    assert (line["event_id"], line["event_timestamp"]) == (second["event_id"], edge)


def test_the_journal_is_filtered_by_event_and_rule(scene: Scene) -> None:
    rows = walk(scene.api, "/v1/journal-entries")
    by_hand, second, first = rows
    assert (by_hand["event_id"], by_hand["rule_id"]) == (None, None)
    assert first["created_by_api_key_id"] is None
    for query, wanted in (
        ({"event_id": first["event_id"]}, [first]), ({"rule_id": first["rule_id"]}, [second, first]),
        ({"event_id": first["event_id"], "rule_id": first["rule_id"]}, [first]),
        ({"event_id": first["event_id"], "rule_id": ABSENT}, []),
        ({"event_id": first["event_id"], "external_id": "ann"}, [first]),
        ({"event_id": first["event_id"], "external_id": "nobody"}, []),
        ({"rule_id": first["rule_id"], "from_": second["created_at"]}, [second]),
        ({"action_type": "CREDIT", "participant_id": scene.person(), "min_amount": "10"}, [second, first]),
        ({"max_amount": "-10"}, [second, first]), ({"min_amount": "10.01"}, []),
        ({"min_amount": "1", "max_amount": "1"}, [by_hand]),
    ):
        assert walk(scene.api, "/v1/journal-entries", limit=1, **query) == wanted, query


def test_balances_of_the_future_are_refused_and_of_now_are_not(busy: Shop) -> None:
    path = f"/v1/participants/{busy.person}/balances"
    last = walk(busy.api, f"/v1/participants/{busy.person}/activity/history")[0]["created_at"]
    assert busy.api.get(path, as_of=last).json["data"] == busy.api.get(path).json["data"]
    group = busy.api.group(busy.person)
    for other in (f"/v1/groups/{group}/balances", f"/v1/programs/{busy.program}/balance"):
        assert busy.api.get(other, as_of=last).status_code == 200
        late = format_instant(when(last) + timedelta(minutes=5))
        assert list(error_of(busy.api.get(other, as_of=late), 400, "validation_error")) == ["as_of"]
    assert busy.api.get(path, as_of="2026-01-01T00:00:00+14:00").status_code == 200
    error_of(busy.api.get(path, as_of="yesterday"), 400, "validation_error")
