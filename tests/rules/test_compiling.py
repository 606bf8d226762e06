"""What becomes of each text of a rule, on the data of an event (decision C13)."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from app.engine import resolving
from app.engine.cel import CelError, Program
from app.engine.compiled import (
    CompiledAsset,
    CompiledAttribute,
    CompiledCounter,
    CompiledRule,
    CompiledSchedule,
    CompiledTag,
    RuleFault,
    compile_rule,
)
from tests.rules.samples import CASH, NOW, credit, rule

EVENT: dict[str, Any] = {
    "type": "purchase", "amount": Decimal("99.50"), "authorization_id": "auth:7", "number": 4711,
    "shop": "Rome", "nothing": None, "items": [1, 2], "group": "8f14e45f-ceea-467f-9a36-dedd4bea2543",
}
DATA: dict[str, Any] = {
    "event": EVENT, "participant": {"id": "p", "counters": {}}, "recipient": None, "group": None,
    "program": None, "now": NOW,
}


def compiled(*actions: dict[str, Any], condition: str = "true") -> CompiledRule:
    return compile_rule(rule(condition, *actions))


def asset_action(**fields: Any) -> CompiledAsset:
    (action,) = compiled(credit(asset_id=CASH, **fields)).actions
    assert isinstance(action, CompiledAsset)
    return action


def faults(*actions: dict[str, Any], condition: str = "true") -> dict[str, str]:
    with pytest.raises(RuleFault) as refused:
        compiled(*actions, condition=condition)
    return refused.value.details


@pytest.mark.parametrize(("text", "value"), [
    ("100", "100"), ("0", "0"), (" 12.50 ", "12.50"), ("event.amount * 10", "995.00"),
    ("round(event.amount * 0.05, 2)", "4.98"), ("event.number", "4711"),
])
def test_an_amount_is_a_number_or_an_expression(text: str, value: str) -> None:
    amount = asset_action(amount=text).amount
    assert amount is not None
    assert resolving.amount_of(amount, DATA) == Decimal(value)


def test_a_number_alone_is_a_constant_and_needs_no_evaluation() -> None:
    assert asset_action(amount="100").amount == Decimal(100)


@pytest.mark.parametrize(("text", "message"), [
    ("-1", "must not be negative"),
    ("1" * 21, "digits before the decimal point"),
    ("event.amount *", "line 1, column"),
    ('"ten"', "an amount must be a number"),
    ("amount", "unknown variable `amount`"),
    ("events.amount", "did you mean `event`"),
])
def test_a_wrong_amount_is_refused_with_the_place(text: str, message: str) -> None:
    assert message in faults(credit(text))["actions[0].amount"]


def test_a_counter_may_count_down() -> None:
    (action,) = compiled({"type": "COUNTER", "key": "n", "value": "-9"}).actions
    assert isinstance(action, CompiledCounter)
    assert action.value == Decimal(-9)


def test_a_counter_takes_34_significant_digits() -> None:
    fits = {"type": "COUNTER", "key": "n", "value": "1" * 34 + "000"}
    compiled(fits)
    assert list(faults({**fits, "value": "1" * 35})) == ["actions[0].value"]


@pytest.mark.parametrize(("text", "reference"), [
    ("event.authorization_id", "auth:7"),
    ("event.number", "4711"),
    ("order-1", "order-1"),
    ("AUTH_1", "AUTH_1"),
    ("123", "123"),
    ('"quoted"', "quoted"),
    ("order:{{ event.number }}", "order:4711"),
])
def test_a_reference_is_an_expression_over_known_names_or_else_a_literal(text: str, reference: str) -> None:
    found = asset_action(reference_id=text).reference_id
    assert found is not None
    assert resolving.reference_of(found, DATA) == reference


@pytest.mark.parametrize("text", ["event.number +", "order 1", "lower(event.shop)", "event.number == 1"])
def test_a_reference_that_is_neither_is_refused(text: str) -> None:
    assert list(faults(credit(asset_id=CASH, reference_id=text))) == ["actions[0].reference_id"]


@pytest.mark.parametrize("text", ["event.nothing", "event.items", "event.missing", "event.type + ' '"])
def test_a_reference_without_a_sensible_value_fails_the_action(text: str) -> None:
    found = asset_action(reference_id=text).reference_id
    assert found is not None
    with pytest.raises(CelError):
        resolving.reference_of(found, DATA)


@pytest.mark.parametrize(("text", "moment"), [
    ("8760h", NOW + timedelta(days=365)),
    ("2030-06-01T00:00:00Z", datetime(2030, 6, 1, tzinfo=UTC)),
    ("{{ event.number }}s", NOW + timedelta(seconds=4711)),
    ("{{ now + duration('1h') }}", NOW + timedelta(hours=1)),
])
def test_a_moment_is_a_duration_an_instant_or_computed(text: str, moment: datetime) -> None:
    found = asset_action(expires_at=text).expires_at
    assert found is not None
    assert resolving.moment_of(found, DATA, NOW) == moment


@pytest.mark.parametrize("text", ["1d", "tomorrow", "2026-02-30T00:00:00Z", "event.expiry"])
def test_what_is_no_moment_is_refused(text: str) -> None:
    assert list(faults(credit(asset_id=CASH, expires_at=text))) == ["actions[0].expires_at"]


def test_texts_are_literals_with_parts_filled_in() -> None:
    (tag, attribute) = compiled(
        {"type": "TAG", "tag": "Shop-{{ event.shop }}"},
        {"type": "SET_ATTRIBUTE", "key": "last", "value": "event.shop is {{ event.shop }}"},
    ).actions
    assert isinstance(tag, CompiledTag)
    assert isinstance(attribute, CompiledAttribute)
    assert resolving.name_of(tag.tag, DATA, "tag") == "Shop-Rome"
    assert resolving.text_of(attribute.value, DATA) == "event.shop is Rome"


def test_a_literal_tag_is_in_lower_case_already() -> None:
    (tag,) = compiled({"type": "TAG", "tag": "VIP"}).actions
    assert isinstance(tag, CompiledTag)
    assert tag.tag == "vip"


def test_a_name_that_comes_out_empty_or_unprintable_fails_the_action() -> None:
    for shop in ("", "a\nb", "x" * 256):
        (tag,) = compiled({"type": "TAG", "tag": "{{ event.shop }}"}).actions
        assert isinstance(tag, CompiledTag)
        with pytest.raises(CelError):
            resolving.name_of(tag.tag, {**DATA, "event": {"shop": shop}}, "tag")


def test_a_lone_part_of_a_payload_keeps_the_type_of_its_value() -> None:
    payload = {
        "amount": "{{ event.amount }}", "text": "{{ event.amount }} spent", "list": ["{{ event.items }}"],
        "plain": Decimal("1.50"), "when": "{{ now }}",
    }
    (action,) = compiled(
        {"type": "SCHEDULE_EVENT", "event_name": "later", "delay": "24h", "payload": payload}
    ).actions
    assert isinstance(action, CompiledSchedule)
    assert resolving.payload_of(action.payload, DATA) == {
        "amount": Decimal("99.50"), "text": "99.5 spent", "list": [[1, 2]], "plain": Decimal("1.50"),
        "when": "2026-01-01T00:00:00Z",
    }


@pytest.mark.parametrize(("delay", "fits"), [
    ("999ms", False), ("1s", True), ("43920h", True), ("43920h1s", False), ("1 day", False),
])
def test_a_delay_is_between_a_second_and_five_years(delay: str, fits: bool) -> None:
    action = {"type": "SCHEDULE_EVENT", "event_name": "later", "delay": delay}
    if fits:
        compiled(action)
    else:
        assert list(faults(action)) == ["actions[0].delay"]


def test_a_targets_literal_id_must_be_a_uuid_and_its_expressions_yield_one() -> None:
    assert list(faults({"type": "TAG", "tag": "x", "target": {"type": "GROUP", "id": "family"}})) == [
        "actions[0].target.id"
    ]
    computed = {"type": "GROUP", "group_id": "event.group"}
    (tag,) = compiled({"type": "TAG", "tag": "x", "target": computed}).actions
    assert isinstance(tag, CompiledTag)
    assert isinstance(tag.target.group_id, Program)
    assert resolving.uuid_of(tag.target.group_id, DATA) == UUID(EVENT["group"])
    with pytest.raises(CelError):
        resolving.uuid_of(tag.target.group_id, {**DATA, "event": {"group": "none"}})


def test_all_texts_at_fault_are_named_at_once() -> None:
    assert faults(
        credit("amount"),
        {"type": "COUNTER", "key": "{{ key }}", "value": "one", "reset_after": "1d"},
        {"type": "BROADCAST", "event_name": "x", "payload": {"a": [{"b": "{{ oops"}]}},
        condition="event.type = 1",
    ).keys() == {
        "condition", "actions[0].amount", "actions[1].key", "actions[1].value", "actions[1].reset_after",
        "actions[2].payload.a[0].b",
    }


def test_a_rule_knows_its_event_types_and_all_that_it_reads() -> None:
    made = compiled(
        credit("event.amount * program.counters.rate", description="{{ recipient.external_id }}"),
        condition='event.type in ["a", "b"] && "vip" in participant.tags',
    )
    assert made.event_types == {"a", "b"}
    assert made.reads.paths == {
        ("event", "type"), ("event", "amount"), ("program", "counters", "rate"),
        ("recipient", "external_id"), ("participant", "tags"),
    }
