"""What rules have issued against their budgets, written once a batch under the budgets' locks."""

from uuid import UUID

from app.db import Connection
from app.domain.json import dumps
from app.engine.state import BudgetKey, BudgetState

# A batch moves the next reset only where the last one was due, and counts what it issues from then.
_UPDATE = """
UPDATE rule_budgets b SET consumed = r.c, next_reset_at = r.n,
    counted_from = CASE WHEN b.next_reset_at <> r.n THEN b.next_reset_at ELSE b.counted_from END
FROM jsonb_to_recordset(%(rows)s::jsonb) AS r(r uuid, a uuid, c numeric, n timestamptz)
WHERE b.organization_id = %(organization_id)s AND b.rule_id = r.r AND b.asset_id = r.a
"""


def write(c: Connection, organization_id: UUID, states: dict[BudgetKey, BudgetState]) -> None:
    """Write the states of budgets as they are after the batch."""
    rows = [
        {"r": str(rule_id), "a": str(asset_id), "c": str(state.consumed),
         "n": state.next_reset_at.isoformat() if state.next_reset_at else None}
        for (rule_id, asset_id), state in states.items()
    ]
    c.execute(_UPDATE, {"organization_id": organization_id, "rows": dumps(rows)})
