"""The preview of one rule: what is shown for each action, and for whom state is projected."""

from decimal import Decimal
from typing import Any

import pytest

from app.engine.compiled import compile_rule
from app.engine.rule_simulation import ImaginedState, simulate
from tests.rules.samples import ASSETS, CASH, NOW, POINTS, credit, rule

STATE = ImaginedState(("vip",), {"visits": Decimal(7)}, {"city": "Rome"})


def preview(*actions: dict[str, Any], condition: str = "true", event: dict[str, Any] | None = None) -> Any:
    compiled = compile_rule(rule(condition, *actions))
    program = {"id": "p", "name": "P", "tags": [], "counters": {}, "attributes": {}}
    return simulate(compiled, event or {"amount": 75}, STATE, program, ASSETS, NOW)


def result(action: dict[str, Any]) -> dict[str, Any]:
    (shown,) = preview(action)["results"]
    return dict(shown)


def test_the_contracts_example_comes_out_word_for_word() -> None:
    assert result(credit("event.amount * 10")) == {
        "amount": "750", "asset_symbol": "POINTS", "description": "Credit 750 POINTS to participant",
    }


def test_amounts_are_shown_in_the_assets_scale_and_misfits_are_told() -> None:
    assert result(credit("event.amount", CASH))["amount"] == "75.00"
    assert result(credit("event.amount / 2"))["error"] == "amount exceeds asset scale"
    assert result(credit("0 - event.amount"))["error"] == "amount is negative"
    assert "error" in result(credit("event.missing"))


@pytest.mark.parametrize(("amount", "error"), [
    ("99999999999999999999", None), ("1E20", "amount has more than 20 digits before the decimal point"),
    ("1E99", "amount has more than 20 digits before the decimal point"),
])
def test_a_number_beyond_all_amounts_is_told_and_not_stumbled_over(amount: str, error: str | None) -> None:
    found = preview(credit("event.n", CASH), event={"n": Decimal(amount)})["results"][0]
    assert found["amount"].startswith(f"{Decimal(amount):f}")
    assert found.get("error") == error


def test_a_counter_is_foretold_to_its_last_digit() -> None:
    """Beyond Python's usual 28 digits, and refused where a worker would refuse it."""
    add = {"type": "COUNTER", "key": "visits", "value": "event.n"}
    found = preview(add, event={"n": Decimal("1" * 33 + ".5")})["results"][0]
    assert found["projected_value"] == "1" * 32 + "8.5"
    refused = preview(add, event={"n": Decimal("1E-40")})["results"][0]
    assert refused["error"] == "a counter keeps 34 significant digits"


@pytest.mark.parametrize(("action", "shown"), [
    ({"type": "COUNTER", "key": "visits", "value": "1"},
     {"current_value": "7", "projected_value": "8", "value": "1"}),
    ({"type": "TAG", "tag": "VIP"}, {"current_tags": ["vip"], "would_add": False}),
    ({"type": "TAG", "tag": "new"}, {"current_tags": ["vip"], "would_add": True}),
    ({"type": "UNTAG", "tag": "vip"}, {"current_tags": ["vip"], "would_remove": True}),
    ({"type": "SET_ATTRIBUTE", "key": "city", "value": "Oslo"},
     {"current_value": "Rome", "would_change": True}),
    ({"type": "SET_TIER", "tier": "loyalty", "level": "gold"}, {}),
    ({"type": "SCHEDULE_EVENT", "event_name": "x", "delay": "1h"}, {}),
    ({"type": "BROADCAST", "event_name": "x"}, {}),
])
def test_each_action_shows_what_it_would_do(action: dict[str, Any], shown: dict[str, Any]) -> None:
    found = result(action)
    assert found.pop("description")
    assert found == shown


def test_state_is_projected_for_the_events_participant_alone() -> None:
    own = {"type": "TAG", "tag": "x", "target": {"type": "PARTICIPANT"}}
    other = {"type": "TAG", "tag": "x", "target": {"type": "PARTICIPANT", "external_id": "event.friend"}}
    assert "would_add" in result(own)
    for target in (other["target"], {"type": "PROGRAM"}, {"type": "GROUP", "group_id": "event.g"}):
        assert result({**other, "target": target}).keys() == {"description"}


def test_a_condition_is_false_true_or_in_error() -> None:
    assert preview(credit(), condition="event.amount > 100") == {"matched": False, "status": "evaluated"}
    failed = preview(credit(), condition="event.missing > 100")
    assert failed == {
        "matched": False, "status": "condition_failed", "reason": "`event.missing` is missing",
    }
    assert preview(credit(), condition='"vip" in participant.tags')["matched"]


def test_the_whole_of_a_balance_has_no_amount() -> None:
    assert result({"type": "HOLD", "asset_id": str(POINTS)}) == {
        "asset_symbol": "POINTS", "description": "Hold all POINTS of participant",
    }
