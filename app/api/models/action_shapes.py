"""What each type of action and of target needs, as JSON Schema: one flat object, its shape chosen by `type`.

The checks themselves are in app/domain/action_reading; a test holds the two together.
"""

from typing import Any

from app.api.fields import NAME_PATTERN, TEXT_PATTERN
from app.domain.actions import DESCRIPTION_LENGTH_MAX, TEXT_LENGTH_MAX
from app.domain.texts import KEY_LENGTH_MAX

_NULL = {"type": "null"}


def _text(longest: int = TEXT_LENGTH_MAX, shortest: int = 1, pattern: str = TEXT_PATTERN) -> dict[str, Any]:
    return {"type": "string", "minLength": shortest, "maxLength": longest, "pattern": pattern}


def _or_null(schema: dict[str, Any]) -> dict[str, Any]:
    return {**schema, "type": [schema["type"], "null"]}


_NAME = _text(KEY_LENGTH_MAX, pattern=NAME_PATTERN)
_ASSET_ID = {"asset_id": {"type": "string", "format": "uuid"}}
_TOLD = {"description": _or_null(_text(DESCRIPTION_LENGTH_MAX))}
_OPTIONAL = _or_null(_text())
_PAYLOAD = {"payload": {"type": ["object", "null"]}}
_WITH_TIERS = {"anyOf": [_NULL, {
    "type": "object", "properties": {"type": {"enum": ["PARTICIPANT", "RECIPIENT", "GROUP"]}}
}]}


def _shape(types: tuple[str, ...], required: dict[str, Any], optional: dict[str, Any]) -> dict[str, Any]:
    return {
        "properties": {"type": {"enum": list(types)}, **required, **optional},
        "required": ["type", *required],
    }
_MUCH = {**_ASSET_ID, "amount": _text()}

# By type: the fields that must be there, and the bounds of those that may.
ACTIONS: list[Any] = [
    _shape(("CREDIT",), _MUCH, {
        **_TOLD, "reference_id": _OPTIONAL, "expires_at": _OPTIONAL, "matures_at": _OPTIONAL,
    }),
    # What is held cannot be overdrawn.
    _shape(("DEBIT",), _MUCH, {**_TOLD, "allow_negative": {"enum": [False, None]}}),
    _shape(("DEBIT",), _MUCH, {**_TOLD, "bucket": {"enum": ["AVAILABLE", None]}}),
    _shape(("HOLD", "RELEASE"), _ASSET_ID, {**_TOLD, "amount": _OPTIONAL, "reference_id": _OPTIONAL}),
    _shape(("FORFEIT",), _ASSET_ID, {**_TOLD, "amount": _OPTIONAL}),
    _shape(("VOID_HOLD",), {**_ASSET_ID, "reference_id": _text()}, _TOLD),
    _shape(("TAG", "UNTAG"), {"tag": _NAME}, {}),
    _shape(("COUNTER",), {"key": _NAME, "value": _text()}, {"reset_after": _or_null(_text(shortest=0))}),
    _shape(("SET_ATTRIBUTE",), {"key": _NAME, "value": _text(shortest=0)}, {}),
    _shape(("SET_TIER",), {"tier": _NAME, "level": _NAME}, {"target": _WITH_TIERS}),
    _shape(("SCHEDULE_EVENT",), {"event_name": _NAME, "delay": _text()}, _PAYLOAD),
    _shape(("BROADCAST",), {"event_name": _NAME}, _PAYLOAD),
]


def _target(kind: str, ids: tuple[str, ...]) -> list[dict[str, Any]]:
    """One shape for each id that may stand alone; absent is null."""
    return [
        {"properties": {
            "type": {"const": kind}, **{name: _OPTIONAL if name == given else _NULL for name in ids},
        }}
        for given in ids
    ]


TARGETS: list[Any] = [
    {"properties": {"type": {"enum": ["RECIPIENT", "PROGRAM"]}}},
    *_target("PARTICIPANT", ("id", "external_id", "participant_id")),
    *_target("GROUP", ("id", "group_id")),
]

# A budget's schedule is whole or absent.
BUDGETS: list[Any] = [
    {"properties": {"schedule_type": _NULL, "cron_expression": _NULL, "interval": _NULL}},
    {"properties": {
        "schedule_type": {"const": "CRON"}, "cron_expression": {"type": "string"}, "interval": _NULL,
    }, "required": ["schedule_type", "cron_expression"]},
    {"properties": {
        "schedule_type": {"const": "INTERVAL"}, "interval": {"type": "string"}, "cron_expression": _NULL,
    }, "required": ["schedule_type", "interval"]},
]


def not_both(first: str, second: str) -> dict[str, Any]:
    return {"anyOf": [{"properties": {first: _NULL}}, {"properties": {second: _NULL}}]}


# Who an event is of: one of the two; and at most one of the recipient's.
IDENTITIES: list[Any] = [
    {"anyOf": [
        {"required": [given], "properties": {given: {"type": "string"}, other: _NULL}}
        for given, other in (("external_id", "participant_id"), ("participant_id", "external_id"))
    ]},
    not_both("recipient_id", "recipient_external_id"),
]
