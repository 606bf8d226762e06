"""Many at once: stock, limits and reversals are exact, the ledger agrees, and nobody sees a deadlock."""

import itertools
import random
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import pytest
from werkzeug.test import TestResponse

from app import db
from tests.api.client import walk
from tests.book.conftest import CONNECTIONS, seal_everything, violations
from tests.value.conftest import Store, lot_store

__all__ = ["lot_store"]

_HELD = "SELECT participant_id::text AS who, redeemed_count AS n FROM reward_holders WHERE reward_id = %s"
_SUMS = """
SELECT count(*) AS rows, COALESCE(sum(quantity - reversed_quantity), 0) AS units,
    COALESCE(sum(amount - reversed_amount), 0) AS amount
FROM redemptions WHERE reward_id = %s
"""


@pytest.fixture
def crowd() -> Iterator[ThreadPoolExecutor]:
    """Thirty-two threads."""
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        yield pool


def answers(pool: ThreadPoolExecutor, calls: list[Callable[[], TestResponse]]) -> list[TestResponse]:
    """Send everything at once; whatever is neither done nor refused by a 4xx fails the test."""
    found = list(pool.map(lambda call: call(), calls))
    assert [each.json for each in found if each.status_code >= 500] == []
    return found


def codes(found: list[TestResponse]) -> Counter[str]:
    """Count the answers: what was done, and refusals by code."""
    return Counter(each.json["code"] if each.status_code >= 400 else "done" for each in found)


def rows(statement: Any, *values: Any) -> list[dict[str, Any]]:
    """Read from the database."""
    with db.connection() as c:
        return c.execute(statement, values).fetchall()


def check_stock(store: Store, reward: str, units: int, cost: int = 1) -> None:
    """The count on the reward, the counts of participants, redemptions and ledger all say the same."""
    assert store.get(reward)["redeemed_count"] == units
    assert sum(row["n"] for row in rows(_HELD, reward)) == units
    (sums,) = rows(_SUMS, reward)
    assert (sums["units"], sums["amount"]) == (units, units * cost)
    seal_everything()
    assert violations() == {}


def customers(pool: ThreadPoolExecutor, store: Store, count: int, amount: str) -> list[str]:
    """So many participants with so much each."""
    return list(pool.map(lambda n: store.customer(f"p{n}", amount), range(count)))


@pytest.mark.parametrize(("people", "attempts", "stock"), [
    (30, 200, 40), pytest.param(2000, 10_000, 500, marks=pytest.mark.nightly),
])
def test_stock_is_sold_to_the_last_and_never_beyond(
    store: Store, crowd: ThreadPoolExecutor, people: int, attempts: int, stock: int
) -> None:
    reward = store.reward(max_total=stock, unit_cost="1.00")
    everyone = customers(crowd, store, people, "20.00")
    dice = random.Random(stock)
    wanting = [dice.choice(everyone) for _ in range(attempts)]
    found = answers(crowd, [lambda who=who: store.take(reward, who) for who in wanting])
    assert codes(found) == {"done": stock, "max_total_exceeded": attempts - stock}
    assert store.get(reward)["status"] == "OUT_OF_STOCK"
    check_stock(store, reward, stock)
    spent = Counter(each.json["participant_id"] for each in found if each.status_code == 201)
    for who in everyone[:30]:
        assert Decimal(store.balance(who)) == 20 - spent[who]
    last = next(each.json["id"] for each in found if each.status_code == 201)
    assert store.give_back(last).status_code == 201
    assert store.get(reward)["status"] == "ACTIVE"
    again = answers(crowd, [lambda who=who: store.take(reward, who) for who in everyone[:20]])
    assert codes(again) == {"done": 1, "max_total_exceeded": 19}
    check_stock(store, reward, stock)


@pytest.mark.parametrize("fixture", ["store", "lot_store"])
def test_limits_of_participants_and_units_hold_in_a_crowd(
    fixture: str, crowd: ThreadPoolExecutor, request: pytest.FixtureRequest
) -> None:
    place: Store = request.getfixturevalue(fixture)
    reward = place.reward(max_total=40, max_per_participant=7, unit_cost="1.00")
    everyone = customers(crowd, place, 8, "30.00")
    dice = random.Random(1)
    wanting = [(dice.choice(everyone), dice.randint(1, 3)) for _ in range(200)]
    found = answers(crowd, [
        lambda who=who, units=units: place.take(reward, who, quantity=units) for who, units in wanting
    ])
    assert set(codes(found)) <= {"done", "max_total_exceeded", "max_per_participant_exceeded"}
    taken = [each.json["quantity"] for each in found if each.status_code == 201]
    assert 38 <= sum(taken) <= 40, "two units may be left that nobody wanted singly"
    assert all(row["n"] <= 7 for row in rows(_HELD, reward))
    check_stock(place, reward, sum(taken))


def test_one_participant_s_limit_is_exact_whatever_the_stock(
    store: Store, crowd: ThreadPoolExecutor
) -> None:
    reward = store.reward(max_per_participant=5, unit_cost="1.00")
    found = answers(crowd, [lambda: store.take(reward) for _ in range(60)])
    assert codes(found) == {"done": 5, "max_per_participant_exceeded": 55}
    check_stock(store, reward, 5)


def test_taking_giving_back_and_restocking_meet_in_any_order(
    lot_store: Store, crowd: ThreadPoolExecutor
) -> None:
    reward = lot_store.reward(max_total=10, unit_cost="1.00")
    everyone = customers(crowd, lot_store, 6, "50.00")
    turns = itertools.cycle(everyone)

    def come_and_go() -> TestResponse:
        taken = lot_store.take(reward, next(turns), quantity=2)
        return lot_store.give_back(taken.json["id"], quantity=1) if taken.status_code == 201 else taken

    calls: list[Callable[[], TestResponse]] = [come_and_go] * 60
    calls[20:20] = [
        lambda: lot_store.change(reward, max_total=14), lambda: lot_store.change(reward, name="x")
    ]
    found = answers(crowd, calls)
    assert set(codes(found)) <= {"done", "max_total_exceeded"}
    shown = lot_store.get(reward)
    assert (shown["max_total"], shown["name"]) == (14, "x")
    assert shown["redeemed_count"] <= 14
    assert shown["status"] == ("OUT_OF_STOCK" if shown["redeemed_count"] == 14 else "ACTIVE")
    check_stock(lot_store, reward, shown["redeemed_count"])


def test_a_partner_who_receives_all_redemptions_causes_no_deadlock(
    lot_store: Store, crowd: ThreadPoolExecutor
) -> None:
    partner = lot_store.api.post("/v1/ledger-entities", {"name": "Partner"}).json["id"]
    lot_store.api.patch(f"/v1/programs/{lot_store.program}", {
        "redemption_target_type": "LEDGER_ENTITY", "redemption_target_entity_id": partner,
    })
    rewards = [lot_store.reward(f"r{n}", unit_cost="1.00", max_total=30) for n in range(2)]
    everyone = customers(crowd, lot_store, 6, "50.00")
    dice = random.Random(3)

    def job() -> TestResponse:
        taken = lot_store.take(dice.choice(rewards), dice.choice(everyone))
        if taken.status_code == 201 and dice.random() < 0.5:
            return lot_store.give_back(taken.json["id"])
        return taken

    found = answers(crowd, [job] * 120)
    assert set(codes(found)) <= {"done", "max_total_exceeded"}
    sold = sum(lot_store.get(reward)["redeemed_count"] for reward in rewards)
    balances = lot_store.api.get(f"/v1/ledger-entities/{partner}").json["balances"]
    assert Decimal(next(iter(balances))["available"]) == sold
    assert violations() == {}


@pytest.mark.parametrize("fixture", ["store", "lot_store"])
def test_reversals_in_units_never_exceed_the_whole(
    fixture: str, crowd: ThreadPoolExecutor, request: pytest.FixtureRequest
) -> None:
    place: Store = request.getfixturevalue(fixture)
    reward = place.reward(unit_cost="3.33", max_total=20)
    redemption = place.take(reward, quantity=20).json["id"]
    parts = [1, 2, 3, None] * 8
    found = answers(crowd, [
        lambda n=n: place.give_back(redemption, **({} if n is None else {"quantity": n})) for n in parts
    ])
    assert set(codes(found)) <= {"done", "already_reversed", "quantity_exceeds_remaining"}
    # One of the calls asked for all that is left, so nothing is.
    assert sum(each.json["quantity"] for each in found if each.status_code == 201) == 20
    assert place.api.get(f"/v1/redemptions/{redemption}").json["status"] == "FULLY_REVERSED"
    assert (place.balance(), place.get(reward)["redeemed_count"]) == ("100.00", 0)
    assert violations() == {}


@pytest.mark.parametrize("fixture", ["store", "lot_store"])
def test_reversals_in_amounts_never_exceed_the_whole(
    fixture: str, crowd: ThreadPoolExecutor, request: pytest.FixtureRequest
) -> None:
    place: Store = request.getfixturevalue(fixture)
    redemption = place.spend("77.77").json["id"]
    dice = random.Random(9)
    amounts = [f"{dice.randint(1, 900) / 100:.2f}" for _ in range(60)]
    found = answers(crowd, [lambda a=a: place.give_back(redemption, amount=a) for a in amounts])
    assert set(codes(found)) <= {"done", "already_reversed", "amount_exceeds_remaining"}
    given = sum(Decimal(each.json["amount"]) for each in found if each.status_code == 201)
    shown = place.api.get(f"/v1/redemptions/{redemption}").json
    assert Decimal(shown["reversed_amount"]) == given <= Decimal("77.77")
    assert Decimal(place.balance()) == Decimal("22.23") + given
    listed = walk(place.api, f"/v1/redemptions/{redemption}/reversals")
    assert sum(Decimal(row["amount"]) for row in listed) == given
    assert violations() == {}


def test_one_key_at_once_does_it_once_whatever_the_operation(
    store: Store, crowd: ThreadPoolExecutor
) -> None:
    reward = store.reward(unit_cost="1.00", max_total=100)
    store.customer("bob", "1.00")
    spent = store.spend("5.00").json["id"]

    def send() -> TestResponse:
        return store.api.post("/v1/transfers", {
            "program_id": store.program, "asset_id": store.asset, "description": "x", "idempotency_key": "k",
            "source_external_id": "ann", "recipients": [{"external_id": "bob", "amount": "2.00"}],
        })

    operations: dict[str, Callable[[], TestResponse]] = {
        "amount": lambda: store.spend("10.00", idempotency_key="k"),
        "reward": lambda: store.take(reward, idempotency_key="k"),
        "reversal": lambda: store.give_back(spent, amount="1.00", idempotency_key="k"),
        "transfer": send,
    }
    found = answers(crowd, [call for call in operations.values() for _ in range(16)])
    for place in range(0, 64, 16):
        same = found[place : place + 16]
        assert sorted(each.status_code for each in same) == [200] * 15 + [201]
        assert all(each.json == same[0].json for each in same)
    assert store.balance() == "83.00", "100 - 5 - 10 - 1 + 1 - 2"
