"""Actions read from JSON: what is accepted, what is refused, and that every fault is named."""

from uuid import UUID

import pytest

from app.domain import actions as a
from app.domain.action_reading import actions_from_json
from app.domain.errors import ValidationError
from app.domain.names import Bucket

ASSET = "8f14e45f-ceea-467f-9a36-dedd4bea2543"

# The least that each type needs.
LEAST = {
    "CREDIT": {"asset_id": ASSET, "amount": "1"},
    "DEBIT": {"asset_id": ASSET, "amount": "1"},
    "HOLD": {"asset_id": ASSET},
    "RELEASE": {"asset_id": ASSET},
    "FORFEIT": {"asset_id": ASSET},
    "VOID_HOLD": {"asset_id": ASSET, "reference_id": "event.id"},
    "TAG": {"tag": "vip"},
    "UNTAG": {"tag": "vip"},
    "COUNTER": {"key": "n", "value": "1"},
    "SET_ATTRIBUTE": {"key": "n", "value": "x"},
    "SET_TIER": {"tier": "loyalty", "level": "gold"},
    "SCHEDULE_EVENT": {"event_name": "later", "delay": "24h"},
    "BROADCAST": {"event_name": "all"},
}


def faults(*items: object) -> dict[str, str]:
    with pytest.raises(ValidationError) as refused:
        actions_from_json(list(items))
    return refused.value.details


@pytest.mark.parametrize("kind", list(a.ActionType))
def test_each_type_is_read_from_its_required_fields(kind: a.ActionType) -> None:
    (action,) = actions_from_json([{"type": kind.value, **LEAST[kind.value]}])
    assert a.action_type(action) is kind


@pytest.mark.parametrize(("kind", "field"), [(kind, field) for kind in LEAST for field in LEAST[kind]])
def test_a_missing_required_field_is_named(kind: str, field: str) -> None:
    fields = {name: value for name, value in LEAST[kind].items() if name != field}
    assert faults({"type": kind, **fields}) == {f"actions[0].{field}": "is required"}


def test_every_fault_of_every_action_is_named_at_once() -> None:
    assert faults(
        {"type": "CREDIT", "asset_id": "x", "amount": ""},
        {"type": "NOTHING"},
        "TAG",
        {"type": "TAG", "tag": "x" * 256, "colour": "red"},
    ).keys() == {
        "actions[0].asset_id", "actions[0].amount", "actions[1].type", "actions[2]", "actions[3].tag",
        "actions[3].colour",
    }


def test_null_is_the_same_as_absent() -> None:
    credit = {"type": "CREDIT", **LEAST["CREDIT"], "bucket": None, "target": None, "reference_id": None}
    assert actions_from_json([credit]) == (a.Credit(UUID(ASSET), "1"),)


def test_fields_of_other_types_are_accepted_and_ignored() -> None:
    tag = {"type": "TAG", "tag": "vip", "amount": "1", "asset_id": "not looked at", "delay": "1h"}
    assert actions_from_json([tag]) == (a.Tag("vip"),)


def test_an_explicit_participant_is_not_the_default_target() -> None:
    (action,) = actions_from_json([{"type": "TAG", "tag": "x", "target": {"type": "PARTICIPANT"}}])
    assert isinstance(action, a.Tag)
    assert action.target == a.Target(a.TargetType.PARTICIPANT)
    assert action.target != a.DEFAULT_TARGET


@pytest.mark.parametrize(("target", "path"), [
    ({}, "type"),
    ({"type": "DEFAULT"}, "type"),
    ({"type": "PARTICIPANT", "id": ASSET, "external_id": "event.x"}, "external_id"),
    ({"type": "GROUP", "id": ASSET, "group_id": "event.x"}, "group_id"),
    ({"type": "GROUP", "member": "x"}, "member"),
])
def test_a_wrong_target_is_named_by_its_field(target: object, path: str) -> None:
    assert list(faults({"type": "TAG", "tag": "x", "target": target})) == [f"actions[0].target.{path}"]


def test_value_cannot_be_debited_below_zero_out_of_held() -> None:
    debit = {"type": "DEBIT", **LEAST["DEBIT"], "bucket": "HELD", "allow_negative": True}
    assert list(faults(debit)) == ["actions[0].allow_negative"]
    (action,) = actions_from_json([{**debit, "bucket": "AVAILABLE"}])
    assert action == a.Debit(UUID(ASSET), "1", Bucket.AVAILABLE, allow_negative=True)


def test_a_program_has_no_tiers() -> None:
    tier = {"type": "SET_TIER", **LEAST["SET_TIER"], "target": {"type": "PROGRAM"}}
    assert list(faults(tier)) == ["actions[0].target.type"]


@pytest.mark.parametrize("items", [[], "TAG", {}, None, [{"type": "TAG", "tag": "x"}] * 101])
def test_a_rule_has_one_to_a_hundred_actions(items: object) -> None:
    with pytest.raises(ValidationError) as refused:
        actions_from_json(items)
    assert list(refused.value.details) == ["actions"]


def test_a_payload_is_bounded_in_depth_and_size() -> None:
    deep: object = 1
    for _ in range(32):
        deep = {"x": deep}
    assert actions_from_json([{"type": "BROADCAST", "event_name": "x", "payload": deep}])
    assert faults({"type": "BROADCAST", "event_name": "x", "payload": {"x": deep}})
    assert faults({"type": "BROADCAST", "event_name": "x", "payload": {"x": "y" * 65536}})


def test_names_hold_no_control_characters() -> None:
    tag = {"type": "TAG", "tag": "a\nb"}
    assert list(faults(tag, {"type": "COUNTER", "key": "\x7f", "value": "1"}, {**tag, "tag": "\x85"})) == [
        "actions[0].tag", "actions[1].key", "actions[2].tag",
    ]
    assert actions_from_json([{**tag, "tag": "\xa0"}])


@pytest.mark.parametrize("kind", list(a.ActionType))
def test_value_and_counters_stand_still_for_the_inactive_and_nothing_else_does(kind: a.ActionType) -> None:
    (action,) = actions_from_json([{"type": kind.value, **LEAST[kind.value]}])
    free = {"TAG", "UNTAG", "SET_ATTRIBUTE", "SET_TIER", "BROADCAST", "SCHEDULE_EVENT"}
    assert a.blocked_while_inactive(action) is (kind.value not in free)
