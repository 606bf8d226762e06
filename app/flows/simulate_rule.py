"""Try one stored rule on an imagined event and state. Reads what the rule refers to, writes nothing."""

from typing import Any
from uuid import UUID

from app.db import connection, read_clock
from app.domain import errors
from app.domain.action_reading import actions_from_json
from app.domain.rules import Rule
from app.engine.compiled import compile_rule
from app.engine.rule_simulation import ImaginedState, simulate
from app.store import programs, rule_surroundings, rules


def simulate_rule(
    organization_id: UUID, rule_id: UUID, event: dict[str, Any], state: ImaginedState
) -> dict[str, Any]:
    """Return the rule in short and its evaluation. Raises NotFound."""
    with connection() as c:
        row = rules.get(c, organization_id, rule_id)
        if row is None:
            raise errors.NotFound("Rule not found")
        program = programs.get(c, organization_id, row.program_id)
        assert program is not None, "a rule's program exists, the database says so"
        assets = rule_surroundings.linked_assets(c, organization_id, row.program_id)
        now = read_clock(c)
    compiled = compile_rule(Rule(
        id=row.id, program_id=row.program_id, history_id=row.history_id, name=row.name,
        condition=row.condition, actions=actions_from_json(row.actions), order=row.order,
    ))
    imagined_program = {
        "id": str(row.program_id), "name": program["name"], "tags": [], "counters": {}, "attributes": {},
    }
    evaluation = simulate(compiled, event, state, imagined_program, assets, now)
    if "results" in evaluation:
        pairs = zip(row.actions, evaluation["results"], strict=True)
        evaluation["results"] = [{"action": action, "result": result} for action, result in pairs]
    return {
        "rule": {
            "id": row.id, "name": row.name, "condition": row.condition, "order": row.order,
            "stop_after_match": row.stop_after_match,
        },
        "evaluation": evaluation,
    }
