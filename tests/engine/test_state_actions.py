"""Tags, counters, attributes and tiers as rules change them, with their history and limits."""

from decimal import Decimal

import pytest

from app.domain.names import EventErrorCode, EventStatus, StateOperation, StateType
from app.engine.state import Counter, Draft
from tests.engine.scenes import Scene, credit, named


@pytest.fixture
def scene() -> Scene:
    """A program with Alice."""
    made = Scene()
    made.person("alice")
    return made


def history(draft: Draft | None, name: str = "alice") -> list[tuple[str, str, str, str | None, str | None]]:
    """Return the history of an owner as plain text."""
    assert draft is not None
    return [
        (c.type.value, c.key, c.operation.value, c.old, c.new) for c in draft.history.get(named(name), [])
    ]


def test_counters_add_up_exactly(scene: Scene) -> None:
    scene.rule("true", {"type": "COUNTER", "key": "n", "value": "1"},
               {"type": "COUNTER", "key": "spend", "value": "event.amount"})
    scene.person("bob", counters={"n": Counter(Decimal(7)), "spend": Counter(Decimal("340.00"))})
    decision = scene.happens({"type": "purchase", "amount": Decimal("49.99")}, "bob")
    assert (scene.counter("bob", "n"), scene.counter("bob", "spend")) == ("8", "389.99")
    assert history(decision.draft, "bob") == [
        ("counter", "n", "set", "7", "8"), ("counter", "spend", "set", "340", "389.99"),
    ]


def test_a_counter_resets_itself_when_its_time_is_over_and_increments_do_not_restart_it(
    scene: Scene,
) -> None:
    scene.rule("true", {"type": "COUNTER", "key": "n", "value": "1", "reset_after": "24h"})
    scene.happens({})
    scene.passes(hours=20)
    scene.happens({})
    assert scene.counter("alice", "n") == "2"
    scene.passes(hours=4)
    assert scene.counter("alice", "n") == "2"  # Exactly 24 hours: not yet exceeded.
    scene.passes(microseconds=1)
    assert scene.counter("alice", "n") == "0"
    decision = scene.happens({})
    assert scene.counter("alice", "n") == "1"
    assert history(decision.draft) == [
        ("counter", "n", "auto_reset", "2", "0"), ("counter", "n", "set", "0", "1"),
    ]


def test_an_empty_reset_removes_it_and_none_leaves_it(scene: Scene) -> None:
    scene.rule('event.type == "a"', {"type": "COUNTER", "key": "n", "value": "1", "reset_after": "24h"})
    scene.rule('event.type == "b"', {"type": "COUNTER", "key": "n", "value": "1"})
    scene.rule('event.type == "c"', {"type": "COUNTER", "key": "n", "value": "1", "reset_after": ""})
    for kind, reset in (("a", "24h"), ("b", "24h"), ("c", None)):
        scene.happens({"type": kind})
        assert scene.world.owners[named("alice")].counters["n"].reset_after == reset


@pytest.mark.parametrize("step", ["1E-30", "1E-70", "-1E-34"])
def test_a_step_too_small_for_the_counter_is_refused_and_never_lost(scene: Scene, step: str) -> None:
    """Far beyond 34 digits a sum used to be rounded back to where it began."""
    scene.person("bob", counters={"n": Counter(Decimal("1E33"))})
    scene.rule("true", {"type": "COUNTER", "key": "n", "value": "event.step"})
    decision = scene.happens({"step": Decimal(step)}, "bob")
    assert decision.error_code is EventErrorCode.LIMIT_EXCEEDED


@pytest.mark.parametrize(("digits", "ok"), [(34, True), (35, False)])
def test_a_counter_keeps_34_digits(scene: Scene, digits: int, ok: bool) -> None:
    scene.rule("true", {"type": "COUNTER", "key": "n", "value": "0.1"})
    scene.person("bob", counters={"n": Counter(Decimal("9" * (digits - 2) + ".1"))})
    scene.person("bob", counters={"n": Counter(Decimal("9" * (digits - 1)))})
    decision = scene.happens({}, "bob")
    assert (decision.status is EventStatus.COMPLETED) is ok
    if not ok:
        assert decision.error_code is EventErrorCode.LIMIT_EXCEEDED


@pytest.mark.parametrize(("there", "ok"), [(499, True), (500, False)])
@pytest.mark.parametrize("kind", ["tags", "counters", "attributes"])
def test_an_owner_has_500_of_each_kind_of_state(scene: Scene, kind: str, there: int, ok: bool) -> None:
    keys = [f"k{i}" for i in range(there)]
    state = {
        "tags": tuple(keys), "counters": {k: Counter(Decimal(1)) for k in keys},
        "attributes": dict.fromkeys(keys, "v"),
    }[kind]
    action = {
        "tags": {"type": "TAG", "tag": "new"}, "counters": {"type": "COUNTER", "key": "new", "value": "1"},
        "attributes": {"type": "SET_ATTRIBUTE", "key": "new", "value": "v"},
    }[kind]
    scene.person("bob", **{kind: state})
    scene.rule("true", action)
    decision = scene.happens({}, "bob")
    assert (decision.error_code is None) is ok


def test_tags_are_lower_case_and_repeating_changes_nothing(scene: Scene) -> None:
    scene.rule('event.type == "in"', {"type": "TAG", "tag": "VIP"})
    scene.rule('event.type == "out"', {"type": "UNTAG", "tag": "vip"})
    assert history(scene.happens({"type": "in"}).draft) == [("tag", "vip", "add", None, "vip")]
    assert history(scene.happens({"type": "in"}).draft) == []
    assert history(scene.happens({"type": "out"}).draft) == [("tag", "vip", "remove", "vip", None)]
    assert history(scene.happens({"type": "out"}).draft) == []


@pytest.mark.parametrize(("tag", "ok"), [
    ("İ" * 127, True), ("İ" * 128, False), ("T" * 255, True), ("", False), ("a\x85b", False),
])
def test_a_computed_tag_is_one_that_could_be_saved(scene: Scene, tag: str, ok: bool) -> None:
    """In lower case, where some letters become two."""
    scene.rule("true", {"type": "TAG", "tag": "{{ event.tag }}"})
    decision = scene.happens({"tag": tag})
    assert decision.error_code is (None if ok else EventErrorCode.EXPRESSION_ERROR)


def test_attributes_take_templates(scene: Scene) -> None:
    scene.rule("true", {"type": "SET_ATTRIBUTE", "key": "last", "value": "{{ event.store }} #{{ event.n }}"})
    scene.happens({"store": "Main", "n": Decimal("7.0")})
    assert scene.world.owners[named("alice")].attributes == {"last": "Main #7"}


LEVELS = [
    {"key": "silver", "rank": 1, "qualification": {"mode": "ALL", "criteria": [
        {"counter": "spend", "operator": ">=", "threshold": 500}]}},
    {"key": "gold", "rank": 2, "benefits": {"multiplier": 2}, "qualification": {"mode": "ALL", "criteria": [
        {"counter": "spend", "operator": ">=", "threshold": 2000},
        {"counter": "nights", "operator": ">=", "threshold": 10}]}},
    {"key": "honour", "rank": 3},
]


def test_counters_raise_a_tier_after_the_rules_and_never_lower_it(scene: Scene) -> None:
    scene.tier("loyalty", LEVELS)
    scene.rule("has(event.spend)", {"type": "COUNTER", "key": "spend", "value": "event.spend"})
    scene.rule("has(event.nights)", {"type": "COUNTER", "key": "nights", "value": "event.nights"})
    level = []
    for data in ({"spend": 499}, {"spend": 1}, {"spend": 1500, "nights": 9}, {"nights": 1}, {"spend": -1999}):
        scene.happens(data)
        state = scene.world.owners[named("alice")].tiers.get("loyalty")
        level.append(state.level if state else None)
    assert level == [None, "silver", "silver", "gold", "gold"]


def test_a_level_set_by_a_rule_stands_in_its_event(scene: Scene) -> None:
    points = scene.asset("PTS")
    scene.tier("loyalty", LEVELS)
    scene.rule("true", {"type": "COUNTER", "key": "spend", "value": "600"},
               {"type": "SET_TIER", "tier": "loyalty", "level": "honour"})
    scene.rule('has(participant.tiers.loyalty) && participant.tiers.loyalty.rank >= 3', credit(points, "1"))
    first = scene.happens({})
    assert scene.world.owners[named("alice")].tiers["loyalty"].level == "honour"
    assert history(first.draft)[-1] == ("tier", "loyalty", "set", None, "honour")
    scene.happens({})
    assert scene.balance("alice", "PTS") == "1"


def test_every_change_of_a_rule_names_the_rule(scene: Scene) -> None:
    scene.rule("true", {"type": "TAG", "tag": "a"})
    draft = scene.happens({}).draft
    assert draft is not None
    change = draft.history[named("alice")][0]
    assert (change.rule_id, change.type, change.operation) == (
        named("rule 1"), StateType.TAG, StateOperation.ADD,
    )
