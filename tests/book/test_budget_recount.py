"""What a budget says it has consumed is what its rule issued since it is counted, to the last decimal."""

from collections.abc import Callable
from typing import Any

import pytest

from app import db
from app.book import check
from tests.api.client import Caller
from tests.api_balances.test_due_lots import advance
from tests.book.conftest import Tamper
from tests.events.scene import Scene

HOUR = 3600


@pytest.fixture
def scene(api: Caller) -> Scene:
    program = api.program()
    return Scene(api, program, api.asset(program, inventory_mode="LOT", scale=2))


def found() -> list[str]:
    with db.transaction() as c:
        return [example.subject for example in check.run(c, "budgets").examples]


def consumed(scene: Scene, rule: str) -> str:
    return str(scene.api.get(f"/v1/rules/{rule}").json["budgets"][0]["consumed"])


def limited(scene: Scene, **fields: Any) -> str:
    """A rule that credits what the event says, with a budget that starts anew every hour."""
    return scene.rule("event.earn > 0", {"type": "CREDIT", "amount": "event.earn"}, budgets=[
        {"asset_id": scene.asset, "limit": "100", "schedule_type": "INTERVAL", "interval": "1h"}
    ], **fields)


def earn(scene: Scene, amount: float, **fields: Any) -> None:
    assert scene.run(data={"earn": amount, **fields})["status"] == "COMPLETED"


def test_a_budget_is_what_its_rule_issued(scene: Scene, tamper: Tamper) -> None:
    rule = limited(scene)
    earn(scene, 10.25)
    earn(scene, 95)  # Does not fit, and is not counted.
    assert (consumed(scene, rule), found()) == ("10.25", [])
    for less_or_more in ("- 0.01", "+ 0.01"):
        with db.connection() as c:
            (before,) = c.execute("SELECT consumed FROM rule_budgets").fetchall()
        tamper(f"UPDATE rule_budgets SET consumed = consumed {less_or_more}")
        assert found() == [f"budget of rule {rule} in asset {scene.asset}"]
        tamper(f"UPDATE rule_budgets SET consumed = {before['consumed']}")
    assert found() == []


def by_schedule(scene: Scene, rule: str) -> None:
    advance(HOUR + 1)


def by_hand(scene: Scene, rule: str) -> None:
    path = f"/v1/rules/{rule}/reset-budget?asset_id={scene.asset}"
    assert scene.api.post(path).status_code == 200


def by_another(scene: Scene, rule: str) -> None:
    """Taken away and given again, with something issued meanwhile that nobody counts."""
    kept = scene.api.get(f"/v1/rules/{rule}").json["budgets"]
    assert scene.api.patch(f"/v1/rules/{rule}", {"budgets": []}).status_code == 200
    earn(scene, 500)
    fields = ("asset_id", "limit", "schedule_type", "interval")
    again = [{name: each[name] for name in fields} for each in kept]
    assert scene.api.patch(f"/v1/rules/{rule}", {"budgets": again}).status_code == 200


@pytest.mark.parametrize("begin_anew", [by_schedule, by_hand, by_another])
def test_a_budget_that_began_anew_counts_from_then(
    scene: Scene, tamper: Tamper, begin_anew: Callable[[Scene, str], None]
) -> None:
    rule = limited(scene)
    earn(scene, 60)
    for _ in range(2):
        begin_anew(scene, rule)
        assert found() == []
        earn(scene, 70)
        assert (consumed(scene, rule), found()) == ("70.00", [])
    tamper("UPDATE rule_budgets SET consumed = consumed + 60")
    assert found() == [f"budget of rule {rule} in asset {scene.asset}"]


def test_a_settle_counts_what_it_issues_beyond_the_held_value(scene: Scene) -> None:
    held = scene.rule("event.hold > 0", {
        "type": "CREDIT", "amount": "event.hold", "bucket": "HELD", "reference_id": "trip-1",
    }, budgets=[{"asset_id": scene.asset, "limit": "100"}])
    settled = scene.rule("event.settle > 0", {
        "type": "CREDIT", "amount": "event.settle", "reference_id": "trip-1",
    }, budgets=[{"asset_id": scene.asset, "limit": "100"}])
    for data in ({"hold": 20}, {"settle": 27}, {"hold": 20}, {"settle": 12}):
        assert scene.run(data=data)["status"] == "COMPLETED"
    assert [consumed(scene, rule) for rule in (held, settled)] == ["40.00", "7.00"]
    assert found() == []


def test_what_a_rule_puts_into_a_wallet_counts_as_well(api: Caller) -> None:
    program = api.program()
    scene = Scene(api, program, api.asset(program, issuance_policy="PREFUNDED", scale=2))
    budget = {"budgets": [{"asset_id": scene.asset, "limit": "100"}]}
    filled = scene.rule("event.fill > 0", {
        "type": "CREDIT", "amount": "event.fill", "target": {"type": "PROGRAM"},
    }, **budget)
    paid = scene.rule("event.pay > 0", {"type": "CREDIT", "amount": "event.pay"}, **budget)
    for data in ({"fill": 30}, {"pay": 12}):
        assert scene.run(data=data)["status"] == "COMPLETED"
    assert [consumed(scene, rule) for rule in (filled, paid)] == ["30.00", "12.00"]
    assert found() == []


def test_a_budget_from_before_its_origin_was_noted_has_a_bound(scene: Scene, tamper: Tamper) -> None:
    limited(scene)
    earn(scene, 10)
    tamper("UPDATE rule_budgets SET first_ruleset = NULL, counted_from = NULL")
    tamper("UPDATE rule_budgets SET consumed = 4")
    assert found() == []
    tamper("UPDATE rule_budgets SET consumed = 11")
    assert len(found()) == 1
