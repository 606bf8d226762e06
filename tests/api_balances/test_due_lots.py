"""What the date brings: expiry and maturity posted by the background, and not undone by anything."""

from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

import psycopg
import pytest
from structlog.testing import capture_logs

from app import db
from app.book.due import DueKind
from app.domain.ids import MICROSECOND
from app.flows import post_due_lots
from app.flows.move_value import Call, open_desk
from app.ledger.credits import credit
from app.settings import settings
from tests.api_balances.conftest import Shop


def credit_with_dates(shop: Shop, amount: str, **seconds: float) -> UUID:
    """Credit as a rule does, with dates so many seconds from now; returns the lot's id."""
    from decimal import Decimal

    call = Call(shop.api.organization_id, None, UUID(shop.program), UUID(shop.asset))
    person = UUID(shop.person)
    with db.transaction() as c:
        desk = open_desk(c, call, [person], wallet=True)
        dates = {f"{name}_at": desk.now + timedelta(seconds=value) for name, value in seconds.items()}
        plan = desk.plan(lambda: credit(
            desk.account(person), desk.source(), desk.asset, Decimal(amount), **dates, **desk.how()
        ))
        desk.write(plan)
        return plan.lots[0].id


def advance(seconds: float) -> None:
    """Move the system's clock."""
    with db.transaction() as c:
        c.execute("UPDATE clock SET ahead = ahead + make_interval(secs => %s)", (seconds,))


def test_expired_value_is_gone_from_the_balance_before_and_after_its_posting(lot_shop: Shop) -> None:
    lot = credit_with_dates(lot_shop, "10", expires=60)
    lot_shop.give("5")
    assert lot_shop.balance()["available"] == "15.00"
    advance(61)
    assert lot_shop.balance()["available"] == "5.00"
    before = lots(lot_shop)
    assert post_due_lots.post_batch(DueKind.EXPIRY) == 1
    assert post_due_lots.post_batch(DueKind.EXPIRY) == 0
    assert lot_shop.balance()["available"] == "5.00"
    assert lots(lot_shop) == before
    assert before[str(lot)] == ("EXPIRED", "0.00")
    entries = lot_shop.api.get("/v1/journal-entries", action_type="EXPIRATION").json["data"]
    assert [(p["entity_type"], p["bucket"], p["amount"]) for p in entries[0]["postings"]] == [
        ("PARTICIPANT", "AVAILABLE", "-10.00"), ("SYSTEM_BREAKAGE", "AVAILABLE", "10.00"),
    ]
    assert entries[0]["event_id"] is None
    assert entries[0]["program_id"] == lot_shop.program


def lots(shop: Shop) -> dict[str, tuple[str, str]]:
    """Return status and remainder by lot."""
    rows = shop.api.get(
        f"/v1/participants/{shop.person}/balances/lots", asset_id=shop.asset
    ).json["data"]
    return {row["id"]: (row["status"], row["remaining"]) for row in rows}


def test_expiry_is_announced_by_a_system_event_in_the_same_commit(lot_shop: Shop) -> None:
    lot = credit_with_dates(lot_shop, "10", expires=60)
    advance(61)
    post_due_lots.post_batch(DueKind.EXPIRY)
    with db.connection() as c:
        row = c.execute(
            "SELECT event_type, event_data, participant_id FROM events WHERE organization_id = %s",
            (lot_shop.api.organization_id,),
        ).fetchone()
    assert row["event_type"] == "SYSTEM"
    assert row["participant_id"] == UUID(lot_shop.person)
    assert row["event_data"]["type"] == "lot_expiration"
    assert row["event_data"]["lot_ids"] == [str(lot)]
    assert row["event_data"]["amount"] == 10


def test_spending_posts_the_expiry_of_lots_that_it_meets_first(lot_shop: Shop) -> None:
    credit_with_dates(lot_shop, "10", expires=60)
    lot_shop.give("5")
    advance(61)
    answer = lot_shop.act("adjust", type="DEBIT", amount="6")
    assert answer.status_code == 422
    assert lot_shop.api.get("/v1/journal-entries", action_type="EXPIRATION").json["data"] == []
    answer = lot_shop.act("adjust", type="DEBIT", amount="4")
    assert answer.json["balance"]["available"] == "1.00"
    assert len(lot_shop.api.get("/v1/journal-entries", action_type="EXPIRATION").json["data"]) == 1


def test_deferred_value_becomes_available_on_its_day(lot_shop: Shop) -> None:
    credit_with_dates(lot_shop, "10", matures=60, expires=600)
    assert lot_shop.balance()["deferred"] == "10.00"
    assert lot_shop.act("hold", amount="1").status_code == 422
    advance(61)
    assert post_due_lots.post_batch(DueKind.MATURITY) == 1
    assert lot_shop.balance()["available"] == "10.00"
    entry = lot_shop.api.get("/v1/journal-entries", action_type="MATURITY").json["data"][0]
    assert [(p["bucket"], p["amount"]) for p in entry["postings"]] == [
        ("DEFERRED", "-10.00"), ("AVAILABLE", "10.00")
    ]


def test_held_lots_wait_and_expire_on_their_release(lot_shop: Shop) -> None:
    credit_with_dates(lot_shop, "10", expires=60)
    lot_shop.act("hold", reference_id="trip-1")
    advance(61)
    assert post_due_lots.post_batch(DueKind.EXPIRY) == 0
    assert lot_shop.balance()["held"] == "10.00"
    answer = lot_shop.act("release", reference_id="trip-1")
    assert answer.status_code == 200, answer.json
    assert answer.json["operation"] == "RELEASE"
    assert answer.json["balance"] == {"available": "0.00", "held": "0.00", "deferred": "0.00"}
    kinds = [e["action_type"] for e in lot_shop.api.get("/v1/journal-entries").json["data"]]
    assert kinds[:2] == ["EXPIRATION", "RELEASE"]


def test_expiry_goes_on_for_inactive_owners_and_programs_without_rules(lot_shop: Shop) -> None:
    credit_with_dates(lot_shop, "10", expires=60)
    lot_shop.api.patch(f"/v1/participants/{lot_shop.person}/status", {"status": "CLOSED"})
    lot_shop.api.patch(f"/v1/programs/{lot_shop.program}", {"status": "ARCHIVED"})
    advance(61)
    assert post_due_lots.post_batch(DueKind.EXPIRY) == 1
    with db.connection() as c:
        assert c.execute("SELECT 1 FROM events").fetchone() is None


def past(shop: Shop, at: datetime) -> tuple[str, str, str]:
    """Return the three buckets as they were at an instant."""
    path = f"/v1/participants/{shop.person}/balances"
    row = shop.api.get(path, as_of=at.isoformat()).json["data"][0]
    return row["available"], row["held"], row["deferred"]


def test_the_balance_of_an_instant_is_without_what_was_past_its_date_then(lot_shop: Shop) -> None:
    """To the microsecond, whether the expiry was posted at once, later, or not yet."""
    lots = {
        "plain": credit_with_dates(lot_shop, "10", expires=60),
        "deferred": credit_with_dates(lot_shop, "5", expires=60, matures=50),
        "held": credit_with_dates(lot_shop, "3", expires=60),
    }
    assert lot_shop.act("hold", lot_ids=[str(lots["held"])], reference_id="trip-1").status_code == 200
    lot_shop.give("1")
    with db.connection() as c:
        rows = c.execute("SELECT id, expires_at FROM lots").fetchall()
    dates = {row["id"]: row["expires_at"] for row in rows}
    due = max(dates[lot] for lot in lots.values())
    first = min(dates[lot] for lot in lots.values())
    before, after = first - MICROSECOND, due
    advance(3600)
    expected = [("11.00", "3.00", "5.00"), ("1.00", "3.00", "0.00")]
    assert [past(lot_shop, before), past(lot_shop, after)] == expected
    assert post_due_lots.post_batch(DueKind.EXPIRY) == 2
    assert lot_shop.act("release", reference_id="trip-1").status_code == 200
    lot_shop.act("adjust", type="DEBIT", amount="1")
    assert [past(lot_shop, before), past(lot_shop, after)] == expected
    with db.connection() as c:
        assert past(lot_shop, db.read_clock(c)) == ("0.00", "0.00", "0.00")


def test_one_microsecond_decides_whether_value_is_past_its_date(lot_shop: Shop) -> None:
    lot = credit_with_dates(lot_shop, "10", expires=60)
    with db.connection() as c:
        rows = c.execute("SELECT expires_at FROM lots WHERE id = %s", (lot,)).fetchall()
    due = rows[0]["expires_at"]
    advance(61)
    for _ in range(2):
        assert past(lot_shop, due - MICROSECOND)[0] == "10.00"
        assert past(lot_shop, due)[0] == "0.00"
        post_due_lots.post_batch(DueKind.EXPIRY)


def test_a_batch_is_bounded_by_its_lots_however_many_accounts_they_are_of(
    lot_shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(post_due_lots, "LOTS_PER_BATCH", 3)
    people = [lot_shop.api.participant(f"p{n}", program_id=lot_shop.program) for n in range(3)]
    for _ in range(3):
        for person in people:  # In turns, so that the first lots to expire are of different accounts.
            credit_with_dates(replace(lot_shop, person=person), "1", expires=60)
    advance(61)
    taken = []
    while (lots_taken := post_due_lots.post_batch(DueKind.EXPIRY)) > 0:
        taken.append(lots_taken)
    assert taken == [3, 3, 3]
    for person in people:
        assert replace(lot_shop, person=person).balance()["available"] == "0.00"


def test_an_account_that_cannot_be_posted_holds_up_no_other(lot_shop: Shop) -> None:
    credit_with_dates(lot_shop, "10", expires=60)
    refused, other = lot_shop.person, replace(lot_shop, person=lot_shop.api.participant("grace"))
    credit_with_dates(other, "7", expires=60)
    advance(61)
    with psycopg.connect(settings().migration_database_url, autocommit=True) as owner:
        owner.execute(
            f"ALTER TABLE accounts ADD CONSTRAINT refused CHECK (owner_id <> '{refused}') NOT VALID"
        )
        try:
            with capture_logs() as told:
                assert post_due_lots.post_batch(DueKind.EXPIRY) == 1
            assert [each["event"] for each in told] == ["due_batch_failed", "due_account_failed"]
            assert list(lots(other).values()) == [("EXPIRED", "0.00")]
            rows = lot_shop.api.get("/v1/journal-entries", action_type="EXPIRATION").json["data"]
            assert [row["postings"][0]["amount"] for row in rows] == ["-7.00"]
            # It is tried again each time.
            assert post_due_lots.post_batch(DueKind.EXPIRY) == 0
        finally:
            owner.execute("ALTER TABLE accounts DROP CONSTRAINT refused")
    assert post_due_lots.post_batch(DueKind.EXPIRY) == 1
    assert post_due_lots.post_batch(DueKind.EXPIRY) == 0
    assert lot_shop.balance()["available"] == "0.00"
