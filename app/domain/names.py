"""The closed lists of words that the API and the ledger share."""

from enum import StrEnum


class ProgramStatus(StrEnum):
    """Whether a program takes part in business."""

    ACTIVE = "ACTIVE"
    SUSPENDED = "SUSPENDED"
    ARCHIVED = "ARCHIVED"


class ParticipantStatus(StrEnum):
    """Whether value may move for a participant."""

    ACTIVE = "ACTIVE"
    SUSPENDED = "SUSPENDED"
    CLOSED = "CLOSED"


class EnrollmentStatus(StrEnum):
    """A participant's standing in one program; only ACTIVE takes part."""

    ACTIVE = "ACTIVE"
    FROZEN = "FROZEN"
    LOCKED = "LOCKED"
    CLOSED = "CLOSED"


class InventoryMode(StrEnum):
    """How an asset keeps value: one running balance, or parcels with dates."""

    SIMPLE = "SIMPLE"
    LOT = "LOT"


class IssuancePolicy(StrEnum):
    """Where credits come from: minted without bound, or drawn from the program's wallet."""

    UNLIMITED = "UNLIMITED"
    PREFUNDED = "PREFUNDED"


class AssetStatus(StrEnum):
    """An archived asset takes no new entries."""

    ACTIVE = "ACTIVE"
    ARCHIVED = "ARCHIVED"


class Bucket(StrEnum):
    """The part of a balance: spendable, reserved, or not yet mature."""

    AVAILABLE = "AVAILABLE"
    HELD = "HELD"
    DEFERRED = "DEFERRED"


class OwnerType(StrEnum):
    """Who an account belongs to (decision E1)."""

    PARTICIPANT = "PARTICIPANT"
    GROUP = "GROUP"
    PROGRAM = "PROGRAM"
    LEDGER_ENTITY = "LEDGER_ENTITY"
    SYSTEM_ISSUANCE = "SYSTEM_ISSUANCE"
    SYSTEM_BREAKAGE = "SYSTEM_BREAKAGE"
    SYSTEM_REDEMPTION = "SYSTEM_REDEMPTION"


class EntryType(StrEnum):
    """What a journal entry records (decision E1)."""

    CREDIT = "CREDIT"
    DEBIT = "DEBIT"
    ADJUST_CREDIT = "ADJUST_CREDIT"
    ADJUST_DEBIT = "ADJUST_DEBIT"
    HOLD = "HOLD"
    RELEASE = "RELEASE"
    FORFEIT = "FORFEIT"
    SETTLE = "SETTLE"
    VOID_HOLD = "VOID_HOLD"
    MATURITY = "MATURITY"
    EXPIRATION = "EXPIRATION"
    REDEMPTION = "REDEMPTION"
    REDEMPTION_REVERSAL = "REDEMPTION_REVERSAL"
    TRANSFER = "TRANSFER"
    FUND = "FUND"
    BURN = "BURN"
    EVENT_REVERSAL = "EVENT_REVERSAL"


class EventType(StrEnum):
    """Whether a client sent the event or the system made it."""

    EXTERNAL = "EXTERNAL"
    SYSTEM = "SYSTEM"


class EventStatus(StrEnum):
    """Where an event stands (decision C3)."""

    RECEIVED = "RECEIVED"
    PENDING = "PENDING"
    PROCESSING = "PROCESSING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"


class EvaluationStatus(StrEnum):
    """What became of one rule in one event (decision C7)."""

    SUCCESS = "SUCCESS"
    SKIPPED = "SKIPPED"
    SKIPPED_ERROR = "SKIPPED_ERROR"
    SKIPPED_TIMEOUT = "SKIPPED_TIMEOUT"
    FAILED = "FAILED"


class SkipReason(StrEnum):
    """Why a rule was SKIPPED (decision C7)."""

    OUTSIDE_TIME_WINDOW = "OUTSIDE_TIME_WINDOW"
    BUDGET_EXCEEDED = "BUDGET_EXCEEDED"
    STOPPED_BY_RULE = "STOPPED_BY_RULE"


class EventErrorCode(StrEnum):
    """Why an event FAILED (decision C15); a closed list."""

    INSUFFICIENT_FUNDS = "insufficient_funds"
    PARTICIPANT_INACTIVE = "participant_inactive"
    INVALID_AMOUNT = "invalid_amount"
    ASSET_NOT_LINKED = "asset_not_linked"
    ASSET_ARCHIVED = "asset_archived"
    RECIPIENT_NOT_FOUND = "recipient_not_found"
    NO_PARTICIPANT = "no_participant"
    TRANSACTION_LIMIT_EXCEEDED = "transaction_limit_exceeded"
    LIMIT_EXCEEDED = "limit_exceeded"
    PROGRAM_INACTIVE = "program_inactive"
    CHAIN_TOO_DEEP = "chain_too_deep"
    EXPRESSION_ERROR = "expression_error"
    ATTEMPTS_EXHAUSTED = "attempts_exhausted"
    POISON_EVENT = "poison_event"


class StateType(StrEnum):
    """The kinds of state that history records."""

    TAG = "tag"
    COUNTER = "counter"
    ATTRIBUTE = "attribute"
    TIER = "tier"


class StateOperation(StrEnum):
    """What happened to a piece of state."""

    SET = "set"
    DELETE = "delete"
    ADD = "add"
    REMOVE = "remove"
    AUTO_RESET = "auto_reset"


class WebhookType(StrEnum):
    """The fourteen kinds of message that endpoints subscribe to."""

    BALANCE_CREDITED = "balance.credited"
    BALANCE_DEBITED = "balance.debited"
    BALANCE_EXPIRED = "balance.expired"
    BALANCE_HELD = "balance.held"
    BALANCE_RELEASED = "balance.released"
    REDEMPTION_COMPLETED = "redemption.completed"
    REDEMPTION_REVERSED = "redemption.reversed"
    TRANSFER_COMPLETED = "transfer.completed"
    EVENT_COMPLETED = "event.completed"
    EVENT_FAILED = "event.failed"
    PARTICIPANT_CREATED = "participant.created"
    PARTICIPANT_TIER_CHANGED = "participant.tier_changed"
    PROGRAM_FUNDED = "program.funded"
    PROGRAM_BURNED = "program.burned"
