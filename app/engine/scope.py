"""What one rule's actions work with: the event, its variables, the draft, and where to note what they did."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from app.domain import errors
from app.domain.assets import Asset
from app.domain.events import Event
from app.domain.ids import TimeOrdered
from app.domain.names import EventErrorCode
from app.domain.rules import Rule
from app.engine.ruleset import Ruleset
from app.engine.state import Draft

# Refusals of the ledger whose own code is not one of an event's.
_CODES: Mapping[str, EventErrorCode] = {
    "invalid_scale": EventErrorCode.INVALID_AMOUNT,
    "lot_asset_required": EventErrorCode.EXPRESSION_ERROR,
    "validation_error": EventErrorCode.EXPRESSION_ERROR,
    "invalid_request": EventErrorCode.EXPRESSION_ERROR,
}


class ActionFailed(Exception):
    """An action cannot be done; its event fails as a whole."""

    def __init__(self, code: EventErrorCode, message: str) -> None:
        """Carry the event's error code and what to tell."""
        super().__init__(message)
        self.code = code
        self.message = message


def refusal(error: errors.DomainError) -> ActionFailed:
    """Return the failure that a refusal of the ledger means for an event."""
    code = _CODES.get(error.code) or EventErrorCode(error.code)
    details = "; ".join(f"{name} {text}" for name, text in error.details.items())
    return ActionFailed(code, f"{error.message}: {details}" if details else error.message)


@dataclass(slots=True)
class Scope:
    """The surroundings of the actions of one rule on one event."""

    event: Event
    rule: Rule
    ruleset: Ruleset
    variables: Mapping[str, object]
    draft: Draft
    ids: TimeOrdered
    account_number: Callable[[], int]

    @property
    def now(self) -> datetime:
        """The instant at which the event is decided."""
        return self.draft.world.now

    def asset(self, asset_id: UUID) -> Asset:
        """Return a linked asset. Raises ActionFailed."""
        found = self.ruleset.assets.get(asset_id)
        if found is None:
            raise ActionFailed(EventErrorCode.ASSET_NOT_LINKED, "asset is not linked to the program")
        return found
