"""What messages hold: the envelope and, for each of the fourteen types, its `data` (decision F5)."""

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, create_model

from app.api.fields import AmountText, Answer, InstantText, UuidText
from app.api.models.participants import Participant
from app.api.models.rewards import Redemption, Reversal, TransferDone
from app.domain.names import Bucket, EntryType, EventErrorCode, WebhookType
from app.domain.tiers import TierReason
from app.domain.webhooks import API_VERSION

Sequence = Annotated[int | None, Field(
    ge=1, description=(
        "Counts the messages about one participant, also across types: a hint to their order. Types that "
        "nobody subscribes to are not counted."
    ),
)]


_ID = "6f1c2f3e-0f57-4f3c-9a2e-0d8f3b7f2a11"
_CREDITED = {
    "participant_id": _ID, "external_id": "customer-42", "sequence": 17, "program_id": _ID, "asset_id": _ID,
    "asset_symbol": "PTS", "bucket": "AVAILABLE", "amount": "25.00",
    "balance": {"available": "125.00", "held": "0.00", "deferred": "0.00"}, "action_type": "CREDIT",
    "journal_entry_id": _ID, "event_id": _ID, "rule_id": _ID, "description": "Points for a purchase",
}
_EXPIRED = {
    **{name: value for name, value in _CREDITED.items() if name not in ("event_id", "rule_id")},
    "action_type": "EXPIRATION", "description": "Expired", "lots": [{"id": _ID, "amount": "25.00"}],
}
_PROMOTED = {
    "participant_id": _ID, "sequence": 18, "program_id": _ID, "tier": "status", "from": "silver",
    "to": "gold", "reason": "QUALIFIED",
}


def _one_owner(example: dict[str, Any]) -> ConfigDict:
    """Return the configuration of a model that concerns a participant or a group, never both."""
    return ConfigDict(extra="forbid", frozen=True, json_schema_extra={
        "oneOf": [{"required": ["participant_id"]}, {"required": ["group_id"]}], "examples": [example],
    })


class _ParticipantOrGroup(Answer):
    """Exactly one of the two."""

    participant_id: UuidText | None = None
    group_id: UuidText | None = None
    sequence: Sequence = None


class MessageBalance(Answer):
    """The balance after the entry."""

    available: AmountText
    held: AmountText
    deferred: AmountText


class MessageSettle(Answer):
    """How a provisional hold was settled."""

    held_amount: Annotated[AmountText, Field(description="What was held under the reference before.")]
    delta: Annotated[AmountText, Field(description="The settled amount minus the held one.")]


class MessageLot(Answer):
    """What expired of one lot."""

    id: UuidText
    amount: AmountText


class BalanceMessage(_ParticipantOrGroup):
    """A balance changed; which of the fields are there depends on what changed it."""

    model_config = _one_owner(_CREDITED)

    external_id: str | None = None
    program_id: UuidText | None
    asset_id: UuidText
    asset_symbol: str
    bucket: Annotated[Bucket, Field(description="Where the value arrived, or where it was taken from.")]
    amount: AmountText
    balance: MessageBalance
    action_type: EntryType
    journal_entry_id: UuidText
    event_id: UuidText | None = None
    rule_id: UuidText | None = None
    reference_id: Annotated[str | None, Field(description="Where it belongs to a hold.")] = None
    description: str
    settle: MessageSettle | None = None


class BalanceExpiredMessage(BalanceMessage):
    """Value expired."""

    model_config = _one_owner(_EXPIRED)

    lots: list[MessageLot]


class RedemptionMessage(Redemption):
    """A redemption."""

    sequence: Sequence = None


class RedemptionReversedMessage(RedemptionMessage):
    """A redemption after a reversal of all or a part of it."""

    reversal: Reversal


class TransferMessageRecipient(Answer):
    """Who received how much: exactly one of the two ids."""

    participant_id: UuidText | None = None
    group_id: UuidText | None = None
    amount: AmountText


class TransferMessage(TransferDone):
    """A transfer."""

    program_id: UuidText
    recipients: list[TransferMessageRecipient]
    sequence: Sequence = None


class _EventMessage(Answer):
    """An event, without its `event_data`."""

    id: UuidText
    program_id: UuidText
    event_type: Literal["EXTERNAL", "SYSTEM"]
    external_id: str | None = None
    participant_id: UuidText | None = None
    group_id: UuidText | None = None
    recipient_id: UuidText | None = None
    idempotency_key: str
    event_timestamp: InstantText
    received_at: InstantText
    created_at: InstantText
    processed_at: InstantText
    updated_at: InstantText
    depth: Annotated[int | None, Field(description="How many events caused one another before this.")] = None
    sequence: Sequence = None


class EventCompletedMessage(_EventMessage):
    """An event whose rules were all evaluated."""

    status: Literal["COMPLETED"]


class EventFailedMessage(_EventMessage):
    """An event that changed nothing because something in it failed."""

    status: Literal["FAILED"]
    error_code: EventErrorCode
    error_message: str | None = None


class ParticipantMessage(Participant):
    """A new participant."""

    sequence: Sequence = None


class TierChangedMessage(_ParticipantOrGroup):
    """A participant or group has another level in a tier; null is the base, below all levels."""

    model_config = _one_owner(_PROMOTED)

    program_id: UuidText
    tier: Annotated[str, Field(description="The tier's key.")]
    from_: Annotated[str | None, Field(alias="from")]
    to: str | None
    reason: TierReason


class WalletMessage(Answer):
    """A program's wallet changed; `available` is the balance after it."""

    program_id: UuidText
    asset_id: UuidText
    amount: AmountText
    available: AmountText
    journal_entry_id: UuidText


DATA: dict[WebhookType, tuple[type[Answer], str]] = {
    WebhookType.BALANCE_CREDITED: (BalanceMessage, "Value was credited, settled, refunded or received."),
    WebhookType.BALANCE_DEBITED: (BalanceMessage, "Value was debited, forfeited, redeemed or given away."),
    WebhookType.BALANCE_EXPIRED: (BalanceExpiredMessage, "Lots passed their date."),
    WebhookType.BALANCE_HELD: (BalanceMessage, "AVAILABLE value was put on hold."),
    WebhookType.BALANCE_RELEASED: (BalanceMessage, "Held value was released, or deferred value matured."),
    WebhookType.REDEMPTION_COMPLETED: (RedemptionMessage, "Value was redeemed."),
    WebhookType.REDEMPTION_REVERSED: (RedemptionReversedMessage, "A redemption, or a part, was reversed."),
    WebhookType.TRANSFER_COMPLETED: (TransferMessage, "Value went from one owner to others."),
    WebhookType.EVENT_COMPLETED: (EventCompletedMessage, "An event was processed."),
    WebhookType.EVENT_FAILED: (EventFailedMessage, "An event failed."),
    WebhookType.PARTICIPANT_CREATED: (ParticipantMessage, "A participant was created."),
    WebhookType.PARTICIPANT_TIER_CHANGED: (TierChangedMessage, "A tier level was reached, lost or removed."),
    WebhookType.PROGRAM_FUNDED: (WalletMessage, "A program's wallet was filled."),
    WebhookType.PROGRAM_BURNED: (WalletMessage, "Value of a program's wallet was destroyed."),
}


def _envelope(kind: WebhookType) -> type[Answer]:
    data, about = DATA[kind]
    name = "".join(part.capitalize() for part in kind.replace("_", ".").split("."))
    fields: dict[str, Any] = {
        "id": (Annotated[UuidText, Field(
            description="The message's id: the same for every endpoint and every attempt."
        )], ...),
        "type": (Literal[str(kind)], ...),
        "api_version": (Literal[API_VERSION], ...),
        "created_at": (InstantText, ...), "organization_id": (UuidText, ...), "data": (data, ...),
    }
    return create_model(f"{name}Webhook", __base__=Answer, __doc__=about, **fields)


ENVELOPES: dict[WebhookType, type[Answer]] = {kind: _envelope(kind) for kind in WebhookType}
