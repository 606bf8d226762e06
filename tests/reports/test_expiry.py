"""The expiration schedule, rolled up or not, equals the sum over all lots as they stand, one by one."""

import random
from collections import defaultdict
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from app import db
from app.book.due import DueKind
from app.domain.instants import format_instant
from app.flows import post_due_lots, report_check, report_rollups
from tests.api.client import walk
from tests.api_balances.conftest import Shop
from tests.api_balances.test_due_lots import advance, credit_with_dates
from tests.reports.conftest import roll_up_everything

DAY = 86_400
ACTS = ("earn", "earn", "hold", "release", "forfeit", "debit", "redeem", "time", "roll", "due")


def summed_up(shop: Shop, now: datetime) -> dict[str, tuple[Decimal, int]]:
    """Return what is left of every lot that is live, by the month of its expiry."""
    with db.transaction() as c:
        lots = c.execute(
            "SELECT remaining, bucket, expires_at FROM lots WHERE organization_id = %s AND remaining > 0",
            (shop.api.organization_id,),
        ).fetchall()
    found: dict[str, tuple[Decimal, int]] = defaultdict(lambda: (Decimal(0), 0))
    for lot in lots:
        expires = lot["expires_at"]
        if lot["bucket"] != "HELD" and expires is not None and expires <= now:
            continue
        month = "never" if expires is None else f"{expires:%Y-%m}-01T00:00:00Z"
        amount, count = found[month]
        found[month] = amount + lot["remaining"], count + 1
    return dict(found)


def reported(shop: Shop, now: datetime) -> dict[str, tuple[Decimal, int]]:
    """Return the same from the report, in a window around everything."""
    [row] = walk(
        shop.api, "/v1/reports/expiration-schedule", from_=format_instant(now - timedelta(days=200)),
        to=format_instant(now + timedelta(days=800)),
    )
    assert (row["expiring_before_window"], row["expiring_after_window"]) == ("0.00", "0.00")
    found = {
        bucket["bucket_start"]: (Decimal(bucket["amount"]), bucket["lot_count"])
        for bucket in row["buckets"] if bucket["lot_count"]
    }
    never = Decimal(row["never_expiring"])
    total = sum((amount for amount, _ in found.values()), never)
    assert Decimal(row["total_outstanding"]) == total
    return found | ({"never": (never, 0)} if never else {})


def act(shop: Shop, dice: random.Random) -> None:
    """Do one of the things that change lots; it may be refused where there is too little."""
    amount = str(dice.randrange(1, 15))
    match dice.choice(ACTS):
        case "earn":
            credit_with_dates(shop, amount, expires=dice.choice([0.5, 3, 40, 400]) * DAY)
        case "hold":
            shop.act("hold", amount=amount)
        case "release":
            shop.act("release", amount=amount)
        case "forfeit":
            shop.act("forfeit", amount=amount, bucket=dice.choice(["AVAILABLE", "HELD"]))
        case "debit":
            shop.act("adjust", type="DEBIT", amount=amount, allow_negative=True)
        case "redeem":
            redeem_and_reverse(shop, amount)
        case "time":
            advance(dice.choice([0.2, 1, 5]) * DAY)
        case "roll":
            roll_up_everything()
        case "due":
            post_due_lots.post_batch(DueKind.EXPIRY)


def redeem_and_reverse(shop: Shop, amount: str) -> None:
    """Spend, if there is so much, and get half of it back."""
    spent = shop.api.post(f"/v1/participants/{shop.person}/redemptions", {
        "program_id": shop.program, "asset_id": shop.asset, "amount": amount, "description": "x",
    })
    if spent.status_code == 201:
        half = str(Decimal(amount) / 2)
        back = shop.api.post(f"/v1/redemptions/{spent.json['id']}/reverse", {"amount": half, "reason": "x"})
        assert back.status_code == 201, back.json


@pytest.mark.parametrize("seed", [1, 2])
def test_whatever_happens_the_schedule_is_the_sum_of_the_lots(lot_shop: Shop, seed: int) -> None:
    dice = random.Random(seed)
    shop = enrolled(lot_shop)
    shop.give("20")
    redeem_and_reverse(shop, "3")
    for _ in range(45):
        act(shop, dice)
        with db.transaction() as c:
            now = db.read_clock(c)
        expected = summed_up(shop, now)
        if "never" in expected:
            expected["never"] = expected["never"][0], 0
        assert reported(shop, now) == expected
    roll_up_everything()
    assert found_by_check(shop.api.organization_id) == []
    kinds = {row["action_type"] for row in walk(shop.api, "/v1/journal-entries", limit=200)}
    assert kinds >= {"HOLD", "REDEMPTION", "REDEMPTION_REVERSAL", "EXPIRATION", "FORFEIT", "ADJUST_DEBIT"}


def enrolled(shop: Shop) -> Shop:
    """Return the shop with a participant who may redeem."""
    return replace(shop, person=shop.api.participant("eve", program_id=shop.program))


TAMPERED = {
    "rollup_postings": "UPDATE report_cells SET amount = amount + 1 WHERE grain = 'DAY'",
    "rollup_lots": "UPDATE report_lot_cells SET lots = lots + 1",
    "rollup_vintages": "UPDATE report_vintages SET redeemed = redeemed + 1",
    "rollup_people": "UPDATE report_people SET people = people + 1",
}


@pytest.mark.parametrize("name", TAMPERED)
def test_the_check_finds_every_roll_up_that_is_wrong(lot_shop: Shop, name: str) -> None:
    shop = enrolled(lot_shop)
    shop.give("20")
    spent = shop.api.post(f"/v1/participants/{shop.person}/redemptions", {
        "program_id": lot_shop.program, "asset_id": lot_shop.asset, "amount": "5", "description": "x",
    })
    assert spent.status_code == 201, spent.json
    roll_up_everything()
    assert found_by_check(lot_shop.api.organization_id) == []
    with db.transaction() as c:
        c.execute(TAMPERED[name])
    assert found_by_check(lot_shop.api.organization_id) == [name]


def found_by_check(organization_id: UUID) -> list[str]:
    return [each.name for each in report_check.run(organization_id) if each.violations]


def test_rolling_up_twice_changes_nothing(lot_shop: Shop) -> None:
    lot_shop.give("20")
    roll_up_everything()
    before = snapshot()
    assert report_rollups.run() is False
    assert snapshot() == before


def snapshot() -> list[Any]:
    with db.transaction() as c:
        return [
            c.execute(f"SELECT x::text FROM {table} x ORDER BY 1").fetchall()
            for table in ("report_cells", "report_lot_cells", "report_vintages", "report_events")
        ]
