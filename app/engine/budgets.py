"""Budgets: how much of an asset a rule may still issue (decision C9)."""

from app.domain.amounts import EXACT, ZERO
from app.domain.assets import Asset
from app.engine.schedules import roll
from app.engine.scope import Scope
from app.engine.state import BudgetState
from app.ledger.entries import Plan


def charge(scope: Scope, asset: Asset, plan: Plan) -> bool:
    """Charge a planned credit to the rule's budget; False where it does not fit whole, and nothing happens.

    A settle charges what it issues beyond the held value. A reset that is due is applied first.
    """
    budget = next((one for one in scope.rule.budgets if one.asset_id == asset.id), None)
    if budget is None:
        return True
    key = (scope.rule.id, asset.id)
    state = scope.draft.budget(key)
    if state is None:
        return True
    consumed, next_reset_at = state.consumed, state.next_reset_at
    if next_reset_at is not None and budget.schedule is not None and next_reset_at <= scope.now:
        consumed, next_reset_at = ZERO, roll(budget.schedule, next_reset_at, scope.now)
    issued = plan.amount if plan.settle is None else max(plan.settle.delta, ZERO)
    after = EXACT.add(consumed, issued)
    if after > budget.limit:
        return False
    scope.draft.budgets[key] = BudgetState(after, next_reset_at)
    return True
