"""Whom an action concerns: the owner that its target resolves to, on the data of one event (decision C10)."""

from uuid import UUID

from app.domain.actions import TargetType
from app.domain.names import EventErrorCode, OwnerType
from app.engine.resolving import identifier_of, uuid_of
from app.engine.scope import ActionFailed, Scope
from app.engine.state import Owner
from app.engine.texts import CompiledTarget


def resolve(scope: Scope, target: CompiledTarget, *, moves_value: bool) -> Owner:
    """Return the owner with what this event changed so far.

    Without a target, value goes to the recipient where the event has one, all else to the participant, or
    to the group or program whose event it is. Raises ActionFailed where nobody is found, NeedsMore where
    somebody is not loaded, and what the target's expressions raise.
    """
    event = scope.event
    match target.type:
        case TargetType.DEFAULT:
            own = event.participant_id or event.group_id
            owner_id = event.recipient_id or own if moves_value else own
            if owner_id is None:
                raise ActionFailed(EventErrorCode.NO_PARTICIPANT, "the event has no participant")
            return scope.draft.owner(owner_id)
        case TargetType.RECIPIENT:
            if event.recipient_id is None:
                raise ActionFailed(EventErrorCode.RECIPIENT_NOT_FOUND, "the event has no recipient")
            return scope.draft.owner(event.recipient_id)
        case TargetType.PROGRAM:
            return scope.draft.owner(event.program_id)
        case TargetType.PARTICIPANT:
            return _participant(scope, target)
        case TargetType.GROUP:
            return _group(scope, target)


def _participant(scope: Scope, target: CompiledTarget) -> Owner:
    if target.external_id is not None:
        named = scope.draft.world.participant_named(identifier_of(target.external_id, scope.variables))
        if named is None:
            raise ActionFailed(EventErrorCode.RECIPIENT_NOT_FOUND, "the target participant does not exist")
        return scope.draft.owner(named.id)
    given = target.id if target.id is not None else target.participant_id
    if given is None:
        if scope.event.participant_id is None:
            raise ActionFailed(EventErrorCode.NO_PARTICIPANT, "the event has no participant")
        return scope.draft.owner(scope.event.participant_id)
    return _existing(scope, uuid_of(given, scope.variables), OwnerType.PARTICIPANT)


def _group(scope: Scope, target: CompiledTarget) -> Owner:
    given = target.id if target.id is not None else target.group_id
    if given is not None:
        return _existing(scope, uuid_of(given, scope.variables), OwnerType.GROUP)
    if scope.event.group_id is None:
        raise ActionFailed(EventErrorCode.RECIPIENT_NOT_FOUND, "the target names no group")
    return scope.draft.owner(scope.event.group_id)


def _existing(scope: Scope, owner_id: UUID, kind: OwnerType) -> Owner:
    found = scope.draft.world.find(owner_id)
    if found is None or found.kind is not kind:
        raise ActionFailed(
            EventErrorCode.RECIPIENT_NOT_FOUND, f"the target {kind.value.lower()} does not exist"
        )
    return scope.draft.owner(owner_id)
