"""Every way in which a request or an action can be refused: one class each, with its code.

The HTTP status of each code stands in the error table of app/api; the codes of failed events are
names.EventErrorCode.
"""

from collections.abc import Mapping
from typing import ClassVar


class DomainError(Exception):
    """A refusal that the caller can understand: `code`, `message`, the fields at fault (path → message)."""

    code: ClassVar[str]
    default_message: ClassVar[str]

    def __init__(self, message: str | None = None, details: Mapping[str, str] | None = None) -> None:
        """Carry the message (the class's own by default) and the fields at fault."""
        self.message = message or self.default_message
        self.details = dict(details or {})
        super().__init__(self.message)


class ValidationError(DomainError):
    """One or more fields are invalid."""

    code = "validation_error"
    default_message = "Invalid request: see details"


class InvalidRequest(DomainError):
    """The request's structure is wrong."""

    code = "invalid_request"
    default_message = "Invalid request"


class InvalidAmount(DomainError):
    """The amount is malformed, not positive, too large, or has too many decimals."""

    code = "invalid_amount"
    default_message = "Amount must be a positive decimal that fits the asset's scale"


class InvalidScale(DomainError):
    """The amount has more decimal places than the asset's scale (adjust only)."""

    code = "invalid_scale"
    default_message = "Amount has more decimal places than the asset's scale"


class InvalidQuantity(DomainError):
    """The quantity is not a positive integer."""

    code = "invalid_quantity"
    default_message = "Quantity must be a positive integer"


class AssetNotLinked(DomainError):
    """The asset is not linked to the program."""

    code = "asset_not_linked"
    default_message = "Asset is not linked to this program"


class RewardProgramMismatch(DomainError):
    """The reward belongs to another program."""

    code = "reward_program_mismatch"
    default_message = "Reward does not belong to this program"


class SelfTransfer(DomainError):
    """Source and recipient of a transfer are the same."""

    code = "self_transfer"
    default_message = "Source and recipient must differ"


class LotAssetRequired(DomainError):
    """A field or endpoint for LOT assets was used with a SIMPLE one."""

    code = "lot_asset_required"
    default_message = "This needs an asset with inventory_mode LOT"


class Unauthorized(DomainError):
    """The credentials are missing, invalid or revoked."""

    code = "unauthorized"
    default_message = "Missing, invalid or revoked API key"


class Forbidden(DomainError):
    """The credentials are valid but not allowed here."""

    code = "forbidden"
    default_message = "Not allowed"


class NotFound(DomainError):
    """There is no such resource, or it is another organization's."""

    code = "not_found"
    default_message = "Not found"


class MethodNotAllowed(DomainError):
    """The path exists, the method does not."""

    code = "method_not_allowed"
    default_message = "Method not allowed"


class PayloadTooLarge(DomainError):
    """The request body is larger than its limit."""

    code = "payload_too_large"
    default_message = "Request body is too large"


class TooManyRequests(DomainError):
    """The rate limit or the queue limit is reached; `retry_after` is in seconds."""

    code = "too_many_requests"
    default_message = "Too many requests"
    retry_after: int = 1


class ParticipantInactive(DomainError):
    """The participant is SUSPENDED or CLOSED, or its enrollment is not ACTIVE."""

    code = "participant_inactive"
    default_message = "Participant is not active"


class IdempotencyConflict(DomainError):
    """The idempotency key was used before with another payload."""

    code = "idempotency_conflict"
    default_message = "Idempotency key was already used with a different payload"


class AlreadyReversed(DomainError):
    """Nothing of the redemption is left to reverse."""

    code = "already_reversed"
    default_message = "Redemption is already fully reversed"


class QuantityExceedsRemaining(DomainError):
    """More units than are left to reverse."""

    code = "quantity_exceeds_remaining"
    default_message = "Quantity exceeds what is left to reverse"


class AmountExceedsRemaining(DomainError):
    """More value than is left to reverse."""

    code = "amount_exceeds_remaining"
    default_message = "Amount exceeds what is left to reverse"


class MaxTotalExceeded(DomainError):
    """The reward's global limit is reached."""

    code = "max_total_exceeded"
    default_message = "Reward is out of stock"


class MaxPerParticipantExceeded(DomainError):
    """The reward's limit for one participant is reached."""

    code = "max_per_participant_exceeded"
    default_message = "Participant has redeemed this reward as often as allowed"


class ProgramArchived(DomainError):
    """The program is archived and cannot be modified."""

    code = "program_archived"
    default_message = "Program is archived"


class ProgramSuspended(DomainError):
    """The program is suspended and moves no value."""

    code = "program_suspended"
    default_message = "Program is suspended"


class KeyExists(DomainError):
    """A name, key, symbol or rank is already taken."""

    code = "key_exists"
    default_message = "Already exists"


class OrderConflict(DomainError):
    """Another active rule of the program has this order."""

    code = "order_conflict"
    default_message = "Another active rule already has this order"


class AlreadyLinked(DomainError):
    """The asset is already linked to the program."""

    code = "already_linked"
    default_message = "Asset is already linked to this program"


class AssetInUse(DomainError):
    """The asset has ledger entries in the program."""

    code = "asset_in_use"
    default_message = "Asset has ledger entries in this program and cannot be unlinked"


class LastAdmin(DomainError):
    """A group keeps at least one ADMIN."""

    code = "last_admin"
    default_message = "A group must keep at least one ADMIN"


class AlreadyMember(DomainError):
    """The participant is already an active member."""

    code = "already_member"
    default_message = "Participant is already a member of this group"


class GroupArchived(DomainError):
    """The group is archived."""

    code = "group_archived"
    default_message = "Group is archived"


class RuleArchived(DomainError):
    """The rule is archived."""

    code = "rule_archived"
    default_message = "Rule is archived"


class AutomationArchived(DomainError):
    """The automation is archived."""

    code = "automation_archived"
    default_message = "Automation is archived"


class AutomationCompleted(DomainError):
    """The automation fired once, as it should, and is over."""

    code = "automation_completed"
    default_message = "Automation is completed"


class TierArchived(DomainError):
    """The tier is archived."""

    code = "tier_archived"
    default_message = "Tier is archived"


class EventNotFailed(DomainError):
    """Only a FAILED event can be retried."""

    code = "event_not_failed"
    default_message = "Only failed events can be retried"


class NotResendable(DomainError):
    """Only a DELIVERED or FAILED delivery can be sent again."""

    code = "not_resendable"
    default_message = "Delivery is still under way"


class EndpointNotActive(DomainError):
    """The webhook endpoint is disabled or archived."""

    code = "endpoint_not_active"
    default_message = "Webhook endpoint is not active"


class InsufficientFunds(DomainError):
    """The balance, the lots or the wallet do not suffice."""

    code = "insufficient_funds"
    default_message = "Insufficient funds"


class AssetArchived(DomainError):
    """The asset is archived."""

    code = "asset_archived"
    default_message = "Asset is archived"


class AssetNotPrefunded(DomainError):
    """Only PREFUNDED assets have a wallet."""

    code = "asset_not_prefunded"
    default_message = "Only PREFUNDED assets can be funded or burned"


class ProgramInactive(DomainError):
    """The program is not active and accepts no events."""

    code = "program_inactive"
    default_message = "Program is not active"


class ParticipantNotFound(DomainError):
    """The participant is unknown and the program rejects unknown ones."""

    code = "participant_not_found"
    default_message = "Participant not found"


class RecipientNotFound(DomainError):
    """The recipient is unknown or not enrolled."""

    code = "recipient_not_found"
    default_message = "Recipient not found"


class RewardUnavailable(DomainError):
    """The reward is a draft, archived, or outside its window."""

    code = "reward_unavailable"
    default_message = "Reward is not available"


class NotEligible(DomainError):
    """The reward's eligibility condition is not met."""

    code = "not_eligible"
    default_message = "Participant is not eligible for this reward"


class TransactionLimitExceeded(DomainError):
    """The amount is above the asset's max_transaction_amount."""

    code = "transaction_limit_exceeded"
    default_message = "Amount exceeds the asset's max_transaction_amount"


class LimitExceeded(DomainError):
    """A count limit is reached."""

    code = "limit_exceeded"
    default_message = "Limit reached"
