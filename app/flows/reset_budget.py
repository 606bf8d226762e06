"""Start a rule's budget anew by hand, as its schedule would."""

from datetime import datetime
from uuid import UUID

from app.db import Connection, read_clock, transaction
from app.domain import errors
from app.engine.schedules import next_reset
from app.flows.locks import lock_budgets
from app.store import budgets, rules
from app.store.budgets import BudgetState


def reset_budget(organization_id: UUID, rule_id: UUID, asset_id: UUID) -> BudgetState:
    """Set what a rule has issued of an asset to zero; its schedule starts from now.

    Raises NotFound for an unknown rule, or where the rule has no budget for the asset.
    """
    with transaction() as c:
        if rules.get(c, organization_id, rule_id) is None:
            raise errors.NotFound("Rule not found")
        lock_budgets(c, organization_id, [rule_id])
        reset_at(c, organization_id, rule_id, asset_id, read_clock(c))
        states = budgets.of_rules(c, organization_id, [rule_id])[rule_id]
        return next(each for each in states if each.budget.asset_id == asset_id)


def reset_at(c: Connection, organization_id: UUID, rule_id: UUID, asset_id: UUID, at: datetime) -> None:
    """Do so at an instant, in the caller's transaction, which holds the budget's lock."""
    states = budgets.of_rules(c, organization_id, [rule_id]).get(rule_id, [])
    state = next((each for each in states if each.budget.asset_id == asset_id), None)
    if state is None:
        raise errors.NotFound("The rule has no budget for this asset")
    schedule = state.budget.schedule
    due = None if schedule is None else next_reset(schedule, at)
    budgets.reset(c, organization_id, rule_id, asset_id, at, due)
