"""What is refused when a rule is saved, with which code, and that one fault hides no other."""

from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from app.domain import errors
from app.domain.errors import DomainError
from app.domain.rules import Budget, CronSchedule, IntervalSchedule, Rule
from app.engine.check import Faults, Proposal, Surroundings, check_surroundings, check_texts
from tests.rules.samples import ASSETS, CASH, NOW, OLD, POINTS, TIERS, credit, rule

EVERYTHING = frozenset({"condition", "actions", "budgets", "active_from", "active_to"})
STRANGE = UUID(int=99)


def refusal(proposed: Rule, given: frozenset[str] = EVERYTHING) -> DomainError | None:
    faults = Faults()
    proposal = Proposal(given, proposed, dict(enumerate(proposed.actions)))
    check_texts(proposal, faults)
    check_surroundings(proposal, Surroundings(ASSETS, TIERS, NOW), faults)
    try:
        faults.refuse()
    except DomainError as error:
        return error
    return None


def test_a_sound_rule_passes() -> None:
    assert refusal(rule(
        'event.type == "x"', credit("100"), credit("event.amount", CASH, expires_at="24h", matures_at="1h"),
        {"type": "SET_TIER", "tier": "loyalty", "level": "gold"},
        budgets=(Budget(POINTS, Decimal(5), CronSchedule("0 0 1 * *")), Budget(CASH, Decimal("0.01"))),
    )) is None


@pytest.mark.parametrize(("action", "path", "code"), [
    (credit(asset_id=STRANGE), "asset_id", errors.AssetNotLinked),
    (credit(asset_id=OLD), "asset_id", errors.AssetArchived),
    (credit("1.5"), "amount", errors.InvalidAmount),
    (credit("-1"), "amount", errors.InvalidAmount),
    (credit("1" * 21), "amount", errors.InvalidAmount),
    (credit("0." + "1" * 19), "amount", errors.InvalidAmount),
    ({"type": "COUNTER", "key": "n", "value": "1" * 35}, "value", errors.ValidationError),
    ({"type": "TAG", "tag": "İ" * 128}, "tag", errors.ValidationError),
    ({"type": "SET_ATTRIBUTE", "key": "k", "value": "v" * 4097}, "value", errors.ValidationError),
    ({"type": "SET_ATTRIBUTE", "key": "k", "value": "é" * 2049}, "value", errors.ValidationError),
    (credit(reference_id="event.x"), "reference_id", errors.LotAssetRequired),
    (credit(expires_at="24h"), "expires_at", errors.LotAssetRequired),
    (credit(matures_at="24h"), "matures_at", errors.LotAssetRequired),
    ({"type": "VOID_HOLD", "asset_id": str(POINTS), "reference_id": "x"}, "reference_id",
     errors.LotAssetRequired),
    (credit("1", CASH, expires_at="2025-12-31T23:59:59Z"), "expires_at", errors.ValidationError),
    (credit("1", CASH, expires_at="1h", matures_at="1h"), "matures_at", errors.ValidationError),
    (credit("1", CASH, expires_at="2027-01-01T00:00:00Z", matures_at="2027-01-01T00:00:00Z"), "matures_at",
     errors.ValidationError),
    ({"type": "SET_TIER", "tier": "status", "level": "gold"}, "tier", errors.ValidationError),
    ({"type": "SET_TIER", "tier": "loyalty", "level": "lead"}, "level", errors.ValidationError),
])
def test_an_action_that_cannot_work_is_refused_by_its_code(
    action: dict[str, Any], path: str, code: type[DomainError]
) -> None:
    error = refusal(rule("true", action))
    assert type(error) is code
    assert list(error.details) == [f"actions[0].{path}"]


@pytest.mark.parametrize("action", [
    credit("1" * 20), credit("0"), credit("1.00"), credit("0." + "1" * 2, CASH),
    {"type": "COUNTER", "key": "n", "value": "-" + "1" * 34},
    {"type": "TAG", "tag": "İ" * 127}, {"type": "UNTAG", "tag": "T" * 255},
    {"type": "SET_ATTRIBUTE", "key": "k" * 255, "value": "é" * 2048},
    {"type": "SET_ATTRIBUTE", "key": "k", "value": "{{ event.a }}" + "v" * 5000},
])
def test_what_is_just_within_its_bounds_is_taken(action: dict[str, Any]) -> None:
    assert refusal(rule("true", action)) is None


def test_faults_of_several_kinds_are_one_validation_error_that_names_them_all() -> None:
    error = refusal(rule("event.type = 1", credit(asset_id=STRANGE), credit("1.5"), credit(expires_at="1h")))
    assert type(error) is errors.ValidationError
    assert error.details.keys() == {
        "condition", "actions[0].asset_id", "actions[1].amount", "actions[2].expires_at",
    }


@pytest.mark.parametrize(("budget", "path", "code"), [
    (Budget(STRANGE, Decimal(1)), "asset_id", errors.AssetNotLinked),
    (Budget(POINTS, Decimal("1.5")), "limit", errors.InvalidAmount),
    (Budget(POINTS, Decimal(1), CronSchedule("0 0 31 2 *")), "cron_expression", errors.ValidationError),
    (Budget(POINTS, Decimal(1), IntervalSchedule("30d")), "interval", errors.ValidationError),
])
def test_a_budget_that_cannot_work_is_refused(budget: Budget, path: str, code: type[DomainError]) -> None:
    error = refusal(rule("true", credit(), budgets=(budget,)))
    assert type(error) is code
    assert list(error.details) == [f"budgets[0].{path}"]


def test_an_asset_has_one_budget_in_a_rule() -> None:
    error = refusal(rule("true", credit(), budgets=(Budget(POINTS, Decimal(1)), Budget(POINTS, Decimal(2)))))
    assert error is not None
    assert error.details == {"budgets[1].asset_id": "must not appear twice"}


def test_a_window_ends_after_it_begins() -> None:
    error = refusal(rule("true", credit(), active_from=NOW, active_to=NOW))
    assert error is not None
    assert list(error.details) == ["active_to"]
    backwards = rule("true", credit(), active_from=NOW, active_to=NOW - timedelta(days=1))
    error = refusal(backwards, frozenset({"active_from"}))
    assert error is not None
    assert list(error.details) == ["active_from"]


def test_only_what_is_given_is_checked() -> None:
    stale = rule("event.type = 1", credit(asset_id=STRANGE), budgets=(Budget(STRANGE, Decimal(1)),))
    assert refusal(stale, frozenset({"name", "status"})) is None


@pytest.mark.parametrize("condition", [
    'event.`type` == "x"', "[1, 2,].size() > 0", r'event.type == "\?"',
])
def test_an_expression_that_the_reference_library_cannot_read_is_refused(condition: str) -> None:
    error = refusal(rule(condition, credit()))
    assert error is not None
    assert list(error.details) == ["condition"]
