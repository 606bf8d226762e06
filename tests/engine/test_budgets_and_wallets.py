"""Budgets of rules and wallets of programs: never overspent, all or nothing (decision C9)."""

from datetime import timedelta
from decimal import Decimal

from app.domain.names import EventErrorCode, EventStatus, SkipReason
from app.engine.state import BudgetState
from tests.engine.scenes import Scene, credit, named

PURCHASE = {"type": "purchase", "amount": 100}


def budgeted(limit: str, **schedule: str) -> Scene:
    """A rule that credits 40 points and tags, within a budget."""
    scene = Scene()
    points = scene.asset("PTS")
    scene.person("alice")
    scene.rule(
        "true", credit(points, "40"), {"type": "TAG", "tag": "seen"},
        budgets=[{"asset_id": points, "limit": limit, **schedule}],
    )
    return scene


def test_a_credit_fits_whole_or_not_at_all_and_the_other_actions_run() -> None:
    scene = budgeted("100")
    for _ in range(2):
        assert scene.happens(PURCHASE).evaluations[0].reason is None
    third = scene.happens(PURCHASE)
    assert third.status is EventStatus.COMPLETED
    assert third.evaluations[0].reason is SkipReason.BUDGET_EXCEEDED
    assert third.evaluations[0].actions[0] == {"amount": "40", "skipped": "budget_exceeded"}
    assert scene.balance("alice", "PTS") == "80"
    assert scene.world.owners[named("alice")].tags == ("seen",)


def test_a_budget_can_be_spent_to_its_very_end() -> None:
    scene = budgeted("80")
    for _ in range(3):
        scene.happens(PURCHASE)
    assert scene.balance("alice", "PTS") == "80"


def test_a_budget_that_the_rule_has_lost_since_holds_nothing_back() -> None:
    scene = budgeted("40")
    scene.world.budgets.clear()
    for _ in range(2):
        assert scene.happens(PURCHASE).evaluations[0].reason is None
    assert scene.balance("alice", "PTS") == "80"
    assert scene.world.budgets == {}


def test_a_failed_event_spends_nothing() -> None:
    scene = Scene()
    points = scene.asset("PTS")
    scene.person("alice")
    rule = scene.rule(
        "true", credit(points, "40"), credit(points, "event.bonus"),
        budgets=[{"asset_id": points, "limit": "100"}],
    )
    assert scene.happens(PURCHASE).status is EventStatus.FAILED
    assert scene.world.budgets[named("rule 1"), named("PTS")].consumed == 0
    assert rule == str(named("rule 1"))


def test_a_budget_starts_anew_at_its_reset_and_keeps_its_grid() -> None:
    scene = budgeted("40", schedule_type="INTERVAL", interval="24h")
    key = (named("rule 1"), named("PTS"))
    scene.world.budgets[key] = BudgetState(Decimal(0), scene.now + timedelta(hours=24))
    start = scene.now
    scene.happens(PURCHASE)
    scene.passes(hours=23, minutes=59)
    scene.happens(PURCHASE)
    assert scene.balance("alice", "PTS") == "40"
    scene.passes(minutes=1)
    scene.happens(PURCHASE)
    assert scene.balance("alice", "PTS") == "80"
    assert scene.world.budgets[key].next_reset_at == start + timedelta(hours=48)


def test_a_settle_charges_what_it_issues_beyond_the_hold() -> None:
    scene = Scene()
    cash = scene.asset("USD", 2, lots=True)
    scene.person("alice")
    budget = [{"asset_id": cash, "limit": "1.00"}]
    scene.rule(
        'event.type == "auth"', credit(cash, "event.amount", bucket="HELD", reference_id="event.id")
    )
    settle = credit(cash, "event.amount", reference_id="event.id")
    scene.rule('event.type == "settle"', settle, budgets=budget)
    scene.happens({"type": "auth", "amount": Decimal("3.00"), "id": "a"})
    scene.happens({"type": "settle", "amount": Decimal("3.50"), "id": "a"})
    assert scene.balance("alice", "USD") == "3.5"
    assert scene.world.budgets[named("rule 2"), named("USD")].consumed == Decimal("0.50")
    scene.happens({"type": "auth", "amount": Decimal("3.00"), "id": "b"})
    refused = scene.happens({"type": "settle", "amount": Decimal("3.51"), "id": "b"})
    assert refused.evaluations[0].reason is SkipReason.BUDGET_EXCEEDED
    assert scene.balance("alice", "USD") == "3.5"


def test_prefunded_credits_draw_on_the_wallet_until_it_is_short() -> None:
    scene = Scene()
    points = scene.asset("PTS", wallet="100")
    scene.person("alice")
    scene.rule("true", credit(points, "60"))
    assert scene.happens(PURCHASE).status is EventStatus.COMPLETED
    short = scene.happens(PURCHASE)
    assert (short.status, short.error_code) == (EventStatus.FAILED, EventErrorCode.INSUFFICIENT_FUNDS)
    assert (scene.balance("alice", "PTS"), scene.balance("program", "PTS")) == ("60", "40")
    assert scene.ruleset().candidates(PURCHASE).wallet_assets == (named("PTS"),)


def test_limits_of_assets_fail_the_event() -> None:
    scene = Scene()
    scene.person("alice")
    scene.rule('event.type == "big"', credit(scene.asset("PTS", limit="50"), "event.amount"))
    scene.rule('event.type == "old"', credit(scene.asset("OLD", archived=True), "1"))
    scene.rule('event.type == "other"', credit(str(named("elsewhere")), "1"))
    assert scene.happens({"type": "big", "amount": 50}).status is EventStatus.COMPLETED
    codes = [
        scene.happens({"type": "big", "amount": 51}).error_code,
        scene.happens({"type": "old"}).error_code,
        scene.happens({"type": "other"}).error_code,
    ]
    assert codes == [
        EventErrorCode.TRANSACTION_LIMIT_EXCEEDED, EventErrorCode.ASSET_ARCHIVED,
        EventErrorCode.ASSET_NOT_LINKED,
    ]
