"""SCHEDULE_EVENT and BROADCAST: events that a rule causes."""

from typing import Any

from app.domain.names import OwnerType
from app.engine.compiled import CompiledBroadcast, CompiledSchedule
from app.engine.resolving import name_of, payload_of
from app.engine.scope import Scope
from app.engine.state import Emission, Owner

Recorded = dict[str, Any]


def schedule(scope: Scope, action: CompiledSchedule, owner: Owner) -> Recorded:
    """Have one event happen for the owner after the delay, counted from the decision."""
    due = scope.now + action.delay
    name = name_of(action.event_name, scope.variables, "event_name")
    scope.draft.emissions.append(Emission(
        name, payload_of(action.payload, scope.variables), due, scope.rule.id,
        participant_id=owner.id if owner.kind is OwnerType.PARTICIPANT else None,
        group_id=owner.id if owner.kind is OwnerType.GROUP else None,
    ))
    return {"event_name": name, "scheduled_for": due.isoformat().replace("+00:00", "Z")}


def broadcast(scope: Scope, action: CompiledBroadcast) -> Recorded:
    """Have one event happen for each participant with an ACTIVE enrollment, at once."""
    name = name_of(action.event_name, scope.variables, "event_name")
    scope.draft.emissions.append(Emission(
        name, payload_of(action.payload, scope.variables), scope.now, scope.rule.id, fan_out=True
    ))
    return {"event_name": name}
