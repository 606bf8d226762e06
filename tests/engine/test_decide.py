"""What the rules of a program make of events: conditions, snapshot state, stops, failures, atomicity."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from app.domain.instants import format_instant
from app.domain.names import Bucket, EvaluationStatus, EventErrorCode, EventStatus, SkipReason
from app.engine.state import Counter, NeedsMore
from tests.engine.scenes import Scene, credit, named

PURCHASE = {"type": "purchase", "amount": Decimal("100.00")}


@pytest.fixture
def scene() -> Scene:
    """A program with points, cash and Alice."""
    made = Scene()
    made.asset("PTS")
    made.asset("USD", 2)
    made.person("alice")
    return made


def outcomes(decision: Any) -> list[tuple[int, str, str | None]]:
    """Return number, status and reason of each evaluation."""
    return [(e.number, e.status.value, e.reason.value if e.reason else None) for e in decision.evaluations]


@pytest.mark.parametrize(
    ("mcc", "paid", "recorded"),
    [
        ("5812", "5", [(1, "SUCCESS", None), (2, "SKIPPED", "STOPPED_BY_RULE"),
                       (3, "SKIPPED", "STOPPED_BY_RULE")]),
        ("5411", "3", [(2, "SUCCESS", None), (3, "SKIPPED", "STOPPED_BY_RULE")]),
        ("9999", "1", [(3, "SUCCESS", None)]),
    ],
)
def test_the_first_matching_category_stops_the_ones_behind_it(
    scene: Scene, mcc: str, paid: str, recorded: list[Any]
) -> None:
    usd = str(named("USD"))
    scene.rule(
        'event.type == "purchase" && event.mcc in ["5812","5813","5814"]',
        credit(usd, "round(event.amount * 0.05, 2)"), stop_after_match=True,
    )
    scene.rule(
        'event.type == "purchase" && event.mcc in ["5411","5422"]',
        credit(usd, "round(event.amount * 0.03, 2)"), stop_after_match=True,
    )
    scene.rule('event.type == "purchase"', credit(usd, "round(event.amount * 0.01, 2)"))
    decision = scene.happens({**PURCHASE, "mcc": mcc})
    assert decision.status is EventStatus.COMPLETED
    assert scene.balance("alice", "USD") == paid
    assert outcomes(decision) == recorded
    stopped = [e.stopped_by for e in decision.evaluations if e.reason is SkipReason.STOPPED_BY_RULE]
    assert set(stopped) <= {decision.evaluations[0].number}


def test_an_event_that_no_rule_admits_completes_without_a_trace(scene: Scene) -> None:
    scene.rule('event.type == "purchase"', credit(str(named("PTS")), "10"))
    decision = scene.happens({"type": "refund"})
    assert (decision.status, decision.evaluations) == (EventStatus.COMPLETED, ())


def test_conditions_and_amounts_see_the_state_from_before_the_event(scene: Scene) -> None:
    scene.rule("true", {"type": "COUNTER", "key": "spend", "value": "event.amount"})
    scene.rule(
        'get(participant.counters, "spend", 0.0) < 250'
        ' && get(participant.counters, "spend", 0.0) + event.amount >= 250',
        credit(str(named("PTS")), 'get(participant.counters, "spend", 0.0) + 1'),
    )
    for _ in range(4):
        scene.happens(PURCHASE)
    assert scene.counter("alice", "spend") == "400"
    assert scene.balance("alice", "PTS") == "201"


def test_value_moves_on_the_running_state_within_one_event(scene: Scene) -> None:
    points = str(named("PTS"))
    scene.rule(
        "true", credit(points, "10"), {"type": "HOLD", "asset_id": points, "amount": "4"},
        {"type": "DEBIT", "asset_id": points, "amount": "6"},
    )
    assert scene.happens(PURCHASE).status is EventStatus.COMPLETED
    assert scene.balance("alice", "PTS") == "0"


def test_a_failing_action_undoes_the_whole_event_and_keeps_the_evaluations(scene: Scene) -> None:
    points = str(named("PTS"))
    scene.rule("true", credit(points, "10"), {"type": "TAG", "tag": "seen"})
    scene.rule("true", credit(points, "event.amount * 0.995"))
    scene.rule("true", credit(points, "1"))
    decision = scene.happens({**PURCHASE, "amount": Decimal("99.55")})
    assert decision.status is EventStatus.FAILED
    assert decision.error_code is EventErrorCode.INVALID_AMOUNT
    assert decision.error_message is not None
    assert decision.error_message.startswith("action CREDIT failed: amount exceeds asset scale")
    assert outcomes(decision) == [(1, "SUCCESS", None), (2, "FAILED", None)]
    assert scene.balance("alice", "PTS") == "0"
    assert scene.world.owners[named("alice")].tags == ()


@pytest.mark.parametrize(
    ("condition", "status"),
    [("event.missing > 1", "SKIPPED_ERROR"), ("1 / 0 > event.amount", "SKIPPED_ERROR"),
     ("event.amount / 0 > 1.0", "SKIPPED_ERROR")],
)
def test_a_condition_that_errs_skips_its_rule_and_no_other(
    scene: Scene, condition: str, status: str
) -> None:
    scene.rule(condition, credit(str(named("PTS")), "5"))
    scene.rule("true", credit(str(named("PTS")), "1"))
    decision = scene.happens(PURCHASE)
    assert outcomes(decision) == [(1, status, None), (2, "SUCCESS", None)]
    assert scene.balance("alice", "PTS") == "1"


def test_a_condition_over_its_step_budget_is_a_timeout(scene: Scene) -> None:
    loops = "event.l.all(a, event.l.all(b, event.l.all(c, event.l.all(d, a + b + c + d >= 0))))"
    scene.rule(loops, credit(str(named("PTS")), "5"))
    decision = scene.happens({"type": "x", "l": list(range(100))})
    assert decision.evaluations[0].status is EvaluationStatus.SKIPPED_TIMEOUT


def test_an_amount_that_misses_a_field_fails_the_event(scene: Scene) -> None:
    scene.rule("true", credit(str(named("PTS")), "event.bonus"))
    decision = scene.happens(PURCHASE)
    assert (decision.status, decision.error_code) == (EventStatus.FAILED, EventErrorCode.EXPRESSION_ERROR)


@pytest.mark.parametrize(("amount", "ok"), [("0", True), ("0 - event.amount", False)])
def test_nothing_is_no_movement_and_less_than_nothing_fails(scene: Scene, amount: str, ok: bool) -> None:
    scene.rule("true", credit(str(named("PTS")), amount))
    decision = scene.happens(PURCHASE)
    if ok:
        assert decision.evaluations[0].actions == [{"amount": "0", "skipped": "zero_amount"}]
        assert decision.draft is not None
        assert decision.draft.moved == []
    else:
        assert decision.error_code is EventErrorCode.INVALID_AMOUNT


@pytest.mark.parametrize("kind", ["CREDIT", "DEBIT", "HOLD", "RELEASE", "FORFEIT"])
@pytest.mark.parametrize("amount", ["1E20", "1E50", "1E99", "123456789012345678901234567890123.4"])
def test_no_number_is_too_large_to_be_refused(kind: str, amount: str) -> None:
    """Data goes up to 1e100, amounts up to 20 digits before the point; the event fails at once."""
    scene = Scene()
    scene.person("alice")
    scene.rule("true", {"type": kind, "asset_id": scene.asset("USD", 2), "amount": "event.amount"})
    decision = scene.happens({"amount": Decimal(amount)})
    assert (decision.status, decision.error_code) == (EventStatus.FAILED, EventErrorCode.INVALID_AMOUNT)
    assert "20 digits" in str(decision.error_message)


def test_the_largest_amount_is_issued_once_and_the_balance_holds_no_more() -> None:
    scene = Scene()
    scene.person("alice")
    scene.rule("true", credit(scene.asset("USD", 2), "event.amount"))
    most = "99999999999999999999.99"
    assert scene.happens({"amount": Decimal(most)}).status is EventStatus.COMPLETED
    assert scene.balance("alice", "USD") == most
    assert scene.happens({"amount": Decimal("0.01")}).error_code is EventErrorCode.INVALID_AMOUNT
    assert scene.balance("alice", "USD") == most


def test_all_of_a_reference_under_which_nothing_is_held_is_no_movement() -> None:
    scene = Scene()
    miles = scene.asset("MILES", lots=True)
    scene.person("alice")
    scene.rule('event.type == "prepare"', credit(miles, "5"),
               {"type": "HOLD", "asset_id": miles, "reference_id": "trip-1"})
    scene.rule('event.type == "undo"', *(
        {"type": type_, "asset_id": miles, "reference_id": "trip-2"} for type_ in ("RELEASE", "VOID_HOLD")
    ))
    scene.happens({"type": "prepare"})
    decision = scene.happens({"type": "undo"})
    assert decision.status is EventStatus.COMPLETED
    assert [each["skipped"] for each in decision.evaluations[0].actions] == ["zero_amount", "zero_amount"]
    assert scene.balance("alice", "MILES", Bucket.HELD) == "5"


def test_all_of_a_balance_whose_lots_are_due_is_no_movement() -> None:
    scene = Scene()
    miles = scene.asset("MILES", lots=True)
    scene.person("alice")
    scene.rule('event.type == "prepare"', credit(miles, "5", expires_at="1h"))
    scene.rule('event.type == "use"', {"type": "HOLD", "asset_id": miles},
               {"type": "FORFEIT", "asset_id": miles, "bucket": "AVAILABLE"})
    scene.happens({"type": "prepare"})
    scene.passes(hours=1)
    decision = scene.happens({"type": "use"})
    assert decision.status is EventStatus.COMPLETED
    assert [each["skipped"] for each in decision.evaluations[0].actions] == ["zero_amount", "zero_amount"]


def test_a_rule_outside_its_window_is_recorded_and_does_nothing(scene: Scene) -> None:
    past = format_instant(scene.now - timedelta(days=1))
    scene.rule("true", credit(str(named("PTS")), "10"), active_to=past)
    inside = scene.now - timedelta(days=2)
    decision = scene.happens(PURCHASE, at=inside)
    assert outcomes(decision) == [(1, "SKIPPED", "OUTSIDE_TIME_WINDOW")]
    assert scene.balance("alice", "PTS") == "0"


@pytest.mark.parametrize("microseconds", [-1, 0, 1])
def test_a_window_includes_its_very_ends(scene: Scene, microseconds: int) -> None:
    end = scene.now
    scene.rule("true", credit(str(named("PTS")), "1"), active_to=format_instant(end))
    scene.passes(microseconds=microseconds)
    scene.happens(PURCHASE)
    assert scene.balance("alice", "PTS") == ("0" if microseconds > 0 else "1")


@pytest.mark.parametrize(
    ("action", "allowed"),
    [
        (credit(str(named("PTS")), "1"), False),
        ({"type": "COUNTER", "key": "k", "value": "1"}, False),
        ({"type": "TAG", "tag": "t"}, True),
        ({"type": "SET_ATTRIBUTE", "key": "k", "value": "v"}, True),
        ({"type": "SCHEDULE_EVENT", "event_name": "later", "delay": "1h"}, True),
        ({"type": "BROADCAST", "event_name": "all"}, True),
    ],
)
@pytest.mark.parametrize("status", ["SUSPENDED", "CLOSED"])
def test_inactive_participants_block_what_moves_value_and_counters(
    scene: Scene, status: str, action: dict[str, Any], allowed: bool
) -> None:
    scene.person("bob", status)
    scene.rule("true", action)
    decision = scene.happens(PURCHASE, "bob")
    assert decision.status is (EventStatus.COMPLETED if allowed else EventStatus.FAILED)
    if not allowed:
        assert decision.error_code is EventErrorCode.PARTICIPANT_INACTIVE


def test_value_goes_to_the_recipient_and_state_to_the_participant(scene: Scene) -> None:
    scene.person("bob")
    scene.rule("true", credit(str(named("PTS")), "10"), {"type": "TAG", "tag": "Giver"})
    scene.happens(PURCHASE, recipient="bob")
    assert (scene.balance("bob", "PTS"), scene.balance("alice", "PTS")) == ("10", "0")
    assert scene.world.owners[named("alice")].tags == ("giver",)
    assert scene.world.owners[named("bob")].tags == ()


def test_a_referrer_named_by_an_expression_is_credited_with_the_participant(scene: Scene) -> None:
    scene.person("bob")
    scene.rule(
        'has(event.referrer_id) && event.referrer_id != ""', credit(str(named("PTS")), "5"),
        credit(str(named("PTS")), "7", target={"type": "PARTICIPANT", "external_id": "event.referrer_id"}),
    )
    scene.happens({"type": "signup", "referrer_id": "bob"})
    assert (scene.balance("alice", "PTS"), scene.balance("bob", "PTS")) == ("5", "7")
    scene.world.external_ids["nobody"] = None
    decision = scene.happens({"type": "signup", "referrer_id": "nobody"})
    assert decision.error_code is EventErrorCode.RECIPIENT_NOT_FOUND
    assert (scene.balance("alice", "PTS"), scene.balance("bob", "PTS")) == ("5", "7")


def test_what_is_not_loaded_is_asked_for_by_name(scene: Scene) -> None:
    scene.rule(
        "true",
        credit(str(named("PTS")), "1", target={"type": "PARTICIPANT", "external_id": "event.friend"}),
    )
    with pytest.raises(NeedsMore) as asked:
        scene.happens({"type": "x", "friend": "carol"})
    assert asked.value.external_ids == {"carol"}


def test_an_event_of_nobody_cannot_credit_anybody(scene: Scene) -> None:
    scene.rule("true", credit(str(named("PTS")), "1"))
    decision = scene.happens({"type": "tick"}, None)
    assert decision.error_code is EventErrorCode.NO_PARTICIPANT


def test_program_state_is_read_and_written_by_rules(scene: Scene) -> None:
    program = {"type": "PROGRAM"}
    scene.rule(
        '!("milestone" in program.tags) && get(program.counters, "sold", 0) >= 2',
        {"type": "TAG", "tag": "milestone", "target": program},
    )
    scene.rule("true", {"type": "COUNTER", "key": "sold", "value": "1", "target": program})
    for _ in range(3):
        scene.happens(PURCHASE)
    owner = scene.world.owners[named("program")]
    assert (owner.tags, owner.counters["sold"].value) == (("milestone",), Decimal(3))
    assert scene.world.owners[named("alice")].tags == ()
    assert scene.ruleset().candidates(PURCHASE).shared


def test_a_group_keeps_its_own_balance(scene: Scene) -> None:
    family = scene.group("family")
    scene.rule("true", credit(str(named("PTS")), "10", target={"type": "GROUP", "id": str(family)}))
    scene.happens(PURCHASE)
    assert (scene.balance("family", "PTS"), scene.balance("alice", "PTS")) == ("10", "0")


@pytest.mark.parametrize("action", [
    {"type": "TAG", "tag": "late"}, {"type": "SET_ATTRIBUTE", "key": "k", "value": "v"},
    {"type": "COUNTER", "key": "k", "value": "1"}, credit(str(named("PTS")), "10"),
])
def test_an_archived_group_stays_as_it_is(scene: Scene, action: dict[str, Any]) -> None:
    before = scene.world.owners[scene.group("family", "ARCHIVED")]
    scene.rule("true", {**action, "target": {"type": "GROUP", "id": str(before.id)}})
    decision = scene.happens(PURCHASE)
    assert (decision.status, decision.error_code) == (
        EventStatus.FAILED, EventErrorCode.PARTICIPANT_INACTIVE
    )
    assert scene.world.owners[before.id] == before


@pytest.mark.parametrize(("depth", "status"), [(10, EventStatus.COMPLETED), (11, EventStatus.FAILED)])
def test_a_chain_of_events_goes_ten_deep(scene: Scene, depth: int, status: EventStatus) -> None:
    scene.rule("true", {"type": "TAG", "tag": "deep"})
    decision = scene.happens(PURCHASE, depth=depth)
    assert decision.status is status
    if status is EventStatus.FAILED:
        assert decision.error_code is EventErrorCode.CHAIN_TOO_DEEP


def test_only_what_the_candidates_read_is_stored_with_the_decision(scene: Scene) -> None:
    scene.person("bob", counters={"a": Counter(Decimal("1.50")), "b": Counter(Decimal(2))}, tags=("x",))
    scene.rule('event.type == "purchase" && participant.counters.a > 1', {"type": "TAG", "tag": "t"})
    scene.rule('event.type == "other" && "x" in participant.tags', {"type": "TAG", "tag": "u"})
    decision = scene.happens(PURCHASE, "bob")
    assert decision.inputs == {"participant": {"counters": {"a": Decimal("1.50")}}}


def test_without_a_type_every_rule_is_a_candidate(scene: Scene) -> None:
    scene.rule('event.type == "purchase"', credit(str(named("PTS")), "1"))
    assert outcomes(scene.happens({"amount": 1})) == [(1, "SKIPPED_ERROR", None)]
    assert scene.happens({"type": "unheard_of"}).evaluations == ()


def test_the_program_s_name_is_a_variable(scene: Scene) -> None:
    scene.rule('program.name == "Program" && program.id != ""', {"type": "TAG", "tag": "t"})
    assert outcomes(scene.happens(PURCHASE)) == [(1, "SUCCESS", None)]
