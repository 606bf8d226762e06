"""SCHEDULE_EVENT and BROADCAST: events that a rule causes."""

from typing import Any

from app.domain.events import EVENT_DATA_BYTES_MAX, EVENT_DATA_DEPTH_MAX, is_deeper
from app.domain.json import dumps
from app.domain.names import EventErrorCode, OwnerType
from app.engine.compiled import CompiledBroadcast, CompiledSchedule
from app.engine.resolving import PayloadError, name_of, payload_of
from app.engine.scope import ActionFailed, Scope
from app.engine.state import Emission, Owner

Recorded = dict[str, Any]


def schedule(scope: Scope, action: CompiledSchedule, owner: Owner) -> Recorded:
    """Have one event happen for the owner after the delay, counted from the decision."""
    due = scope.now + action.delay
    name = name_of(action.event_name, scope.variables, "event_name")
    scope.draft.emissions.append(Emission(
        name, _payload(scope, action), due, scope.rule.id,
        participant_id=owner.id if owner.kind is OwnerType.PARTICIPANT else None,
        group_id=owner.id if owner.kind is OwnerType.GROUP else None,
    ))
    return {"event_name": name, "scheduled_for": due.isoformat().replace("+00:00", "Z")}


def broadcast(scope: Scope, action: CompiledBroadcast) -> Recorded:
    """Have one event happen for each participant with an ACTIVE enrollment, at once."""
    name = name_of(action.event_name, scope.variables, "event_name")
    scope.draft.emissions.append(Emission(
        name, _payload(scope, action), scope.now, scope.rule.id, fan_out=True
    ))
    return {"event_name": name}


def _payload(scope: Scope, action: CompiledSchedule | CompiledBroadcast) -> dict[str, Any]:
    """Return the payload, within the bounds of the event that it becomes. Raises ActionFailed, CelError."""
    if action.payload is action.action.payload:
        return dict(action.payload)  # Without templates it was checked when the rule was saved.
    try:
        payload = payload_of(action.payload, scope.variables)
    except PayloadError as error:
        raise ActionFailed(EventErrorCode.LIMIT_EXCEEDED, str(error)) from None
    if len(dumps(payload).encode()) > EVENT_DATA_BYTES_MAX:
        raise ActionFailed(
            EventErrorCode.LIMIT_EXCEEDED, f"the payload comes to more than {EVENT_DATA_BYTES_MAX} bytes"
        )
    if is_deeper(payload, EVENT_DATA_DEPTH_MAX):
        raise ActionFailed(
            EventErrorCode.LIMIT_EXCEEDED, f"the payload is nested deeper than {EVENT_DATA_DEPTH_MAX} levels"
        )
    return payload
