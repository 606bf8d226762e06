"""What the records of an import mean: participants, opening balances, events; checked field by field."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from app.domain.amounts import AmountError, parse_amount
from app.domain.errors import ValidationError
from app.domain.events import (
    EVENT_DATA_BYTES_MAX,
    EVENT_DATA_DEPTH_MAX,
    IDEMPOTENCY_KEY_LENGTH_MAX,
    Submission,
    is_deeper,
)
from app.domain.ids import SYSTEM_KEY_PREFIX
from app.domain.instants import InstantError, parse_instant
from app.domain.json import dumps, loads
from app.domain.names import ParticipantStatus
from app.domain.texts import ATTRIBUTE_BYTES_MAX, KEY_LENGTH_MAX, has_control, is_email, problem_of, read_uuid
from app.flows.manage_participants import Upsert
from app.store.participants import PROFILE

PHONE_LENGTH_MAX = 50
DESCRIPTION_LENGTH_MAX = 500

COLUMNS: dict[str, frozenset[str]] = {
    "participants": frozenset({"external_id", "status", "tags", "attributes", *PROFILE}),
    "balances": frozenset({
        "external_id", "participant_id", "asset", "amount", "description", "created_at", "expires_at",
        "matures_at", "idempotency_key",
    }),
    "events": frozenset({
        "external_id", "participant_id", "recipient_id", "recipient_external_id", "idempotency_key",
        "event_timestamp", "event_data",
    }),
}


@dataclass(frozen=True, slots=True)
class OpeningBalance:
    """Value that a participant brings along; the lot keeps the dates that it had."""

    external_id: str | None
    participant_id: UUID | None
    asset: str
    amount: Decimal
    description: str
    created_at: datetime | None
    expires_at: datetime | None
    matures_at: datetime | None
    idempotency_key: str


def wrong(field: str, message: str) -> ValidationError:
    """Return the error of one field."""
    return ValidationError(f"{field} {message}", {field: message})


def refuse_unknown(fields: Mapping[str, Any], kind: str) -> None:
    """Refuse a record with a field that its kind does not have."""
    for name in fields:
        if name not in COLUMNS[kind]:
            raise wrong(name[:100], "is not a known field")


def participant_of(fields: Mapping[str, Any], program_id: UUID | None) -> Upsert:
    """Return what a record says of a participant. Raises ValidationError."""
    refuse_unknown(fields, "participants")
    profile = {name: _text(fields, name, PHONE_LENGTH_MAX if name == "phone" else 255) for name in PROFILE}
    given = {name: value for name, value in profile.items() if value is not None}
    if "email" in given and given["email"] and not is_email(given["email"]):
        raise wrong("email", "must be an e-mail address")
    status = _text(fields, "status", 20)
    if status is not None and status not in list(ParticipantStatus):
        raise wrong("status", "must be one of " + ", ".join(ParticipantStatus))
    return Upsert(
        _key(_required(fields, "external_id"), "external_id"), program_id,
        None if status is None else ParticipantStatus(status), given, _attributes(fields), _tags(fields),
    )


def balance_of(fields: Mapping[str, Any], default_key: str) -> OpeningBalance:
    """Return what a record says of an opening balance. Raises ValidationError."""
    refuse_unknown(fields, "balances")
    external_id, participant_id = _identity(fields)
    amount = _required(fields, "amount")
    if not isinstance(amount, str):
        raise wrong("amount", "must be a string that holds a decimal")
    try:
        value = parse_amount(amount)
    except AmountError as error:
        raise wrong("amount", str(error)) from None
    return OpeningBalance(
        external_id, participant_id, _key(_required(fields, "asset"), "asset"), value,
        _text(fields, "description", DESCRIPTION_LENGTH_MAX) or "Opening balance",
        _instant(fields, "created_at"), _instant(fields, "expires_at"), _instant(fields, "matures_at"),
        _idempotency_key(fields.get("idempotency_key", default_key)),
    )


def submission_of(fields: Mapping[str, Any], program_id: UUID) -> Submission:
    """Return what a record says of an event. Raises ValidationError."""
    refuse_unknown(fields, "events")
    external_id, participant_id = _identity(fields)
    data = _required(fields, "event_data")
    if isinstance(data, str):
        try:
            data = loads(data)
        except (ValueError, RecursionError):
            raise wrong("event_data", "must be JSON") from None
        # What a text hides within a field, the reader of the file has not seen.
        if (problem := problem_of(data)) is not None:
            raise wrong("event_data", problem)
    if not isinstance(data, dict):
        raise wrong("event_data", "must be an object")
    if len(dumps(data).encode()) > EVENT_DATA_BYTES_MAX:
        raise wrong("event_data", f"must not be larger than {EVENT_DATA_BYTES_MAX} bytes")
    if is_deeper(data, EVENT_DATA_DEPTH_MAX):
        raise wrong("event_data", f"must not be nested more than {EVENT_DATA_DEPTH_MAX} levels deep")
    at = _instant(fields, "event_timestamp")
    if at is None:
        raise wrong("event_timestamp", "is required")
    recipient_id = _uuid(fields, "recipient_id")
    recipient_external_id = fields.get("recipient_external_id")
    if recipient_id is not None and recipient_external_id is not None:
        raise wrong("recipient_id", "must not be given beside recipient_external_id")
    return Submission(
        program_id, _idempotency_key(_required(fields, "idempotency_key")), at, data, external_id,
        participant_id, recipient_id,
        None if recipient_external_id is None else _key(recipient_external_id, "recipient_external_id"),
    )


def _required(fields: Mapping[str, Any], name: str) -> Any:
    value = fields.get(name)
    if value is None or value == "":
        raise wrong(name, "is required")
    return value


def _text(fields: Mapping[str, Any], name: str, longest: int) -> str | None:
    value = fields.get(name)
    if value is None:
        return None
    if not isinstance(value, str):
        raise wrong(name, "must be a string")
    if len(value) > longest:
        raise wrong(name, f"must have at most {longest} characters")
    return value


def _key(value: Any, name: str) -> str:
    if not isinstance(value, str) or not 1 <= len(value) <= KEY_LENGTH_MAX or has_control(value):
        raise wrong(name, f"must be a string of 1 to {KEY_LENGTH_MAX} characters without control characters")
    return value


def _idempotency_key(value: Any) -> str:
    key = _key(value, "idempotency_key")
    if len(key) > IDEMPOTENCY_KEY_LENGTH_MAX or key.startswith(SYSTEM_KEY_PREFIX):
        raise wrong("idempotency_key", f"must not start with {SYSTEM_KEY_PREFIX}")
    return key


def _uuid(fields: Mapping[str, Any], name: str) -> UUID | None:
    value = fields.get(name)
    if value is None:
        return None
    found = read_uuid(value) if isinstance(value, str) else None
    if found is None:
        raise wrong(name, "must be a UUID")
    return found


def _instant(fields: Mapping[str, Any], name: str) -> datetime | None:
    value = fields.get(name)
    if value is None:
        return None
    if not isinstance(value, str):
        raise wrong(name, "must be a string")
    try:
        return parse_instant(value)
    except InstantError as error:
        raise wrong(name, str(error)) from None


def _identity(fields: Mapping[str, Any]) -> tuple[str | None, UUID | None]:
    external_id, participant_id = fields.get("external_id"), _uuid(fields, "participant_id")
    if (external_id is None) == (participant_id is None):
        raise wrong("external_id", "or participant_id is required, not both")
    return None if external_id is None else _key(external_id, "external_id"), participant_id


def _tags(fields: Mapping[str, Any]) -> list[str] | None:
    value = fields.get("tags")
    if value is None:
        return None
    tags = value.split("|") if isinstance(value, str) else value
    if not isinstance(tags, list):
        raise wrong("tags", "must be an array, or in CSV a text with | between tags")
    # Some letters become longer when they become small.
    return [_key(_key(tag, "tags").lower(), "tags") for tag in tags]


def _attributes(fields: Mapping[str, Any]) -> dict[str, str] | None:
    value = fields.get("attributes")
    if value is None:
        return None
    if not isinstance(value, dict):
        raise wrong("attributes", "must be an object, or in CSV columns such as attributes.city")
    for key, text in value.items():
        _key(key, "attributes")
        if not isinstance(text, str) or not 1 <= len(text.encode()) <= ATTRIBUTE_BYTES_MAX:
            raise wrong(f"attributes.{key}"[:100], f"must be a string of 1 to {ATTRIBUTE_BYTES_MAX} bytes")
    return value


