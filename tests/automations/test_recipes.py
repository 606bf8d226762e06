"""The recipes of the guides that time drives, from the automation to its effect on people."""

from datetime import timedelta

from tests.automations.conftest import Stage


def test_a_weekly_digest_reaches_those_who_asked_for_it(stage: Stage) -> None:
    stage.people("ann", tags=["digest"])
    stage.people("ben")
    stage.automate(
        event_name="weekly_digest", participant_filter="'digest' in participant.tags",
        filter_hints=[{"has_tag": "Digest"}],
        trigger={"type": "cron", "cron_expression": "0 9 * * 1", "timezone": "Europe/Berlin"},
    )
    stage.time.step("2126-02-12", timedelta(days=1))
    assert stage.pings("weekly_digest") == {"ann": 4}
    assert stage.times("weekly_digest") == [
        "2126-01-21T08:00", "2126-01-28T08:00", "2126-02-04T08:00", "2126-02-11T08:00",
    ]


def test_counters_start_each_month_at_zero(stage: Stage) -> None:
    stage.rule('event.type == "purchase"', {
        "type": "COUNTER", "key": "month_points", "value": "event.points",
    })
    stage.rule('event.type == "month_start"', {
        "type": "COUNTER", "key": "month_points", "value": "0 - participant.counters.month_points",
    })
    stage.automate(
        event_name="month_start", guard_condition="get(participant.counters, 'month_points', 0) != 0",
        trigger={"type": "cron", "cron_expression": "0 0 1 * *"},
    )
    stage.people("ben")
    stage.buy("ann", 40)
    stage.time.until("2126-02-01")
    assert stage.counter("ann", "month_points") == "0"
    stage.buy("ann", 7)
    stage.time.until("2126-02-28")
    assert stage.counter("ann", "month_points") == "7"
    stage.time.until("2126-03-01")
    assert stage.counter("ann", "month_points") == "0"
    assert stage.pings("month_start") == {"ann": 2}


def test_a_birthday_gift_is_given_once_a_year(stage: Stage) -> None:
    asset = stage.api.asset(stage.program)
    stage.rule('event.type == "birthday"', {"type": "CREDIT", "asset_id": asset, "amount": "100"})
    stage.people("ann", attributes={"birthday": "01-20"})
    stage.automate(event_name="birthday", trigger={
        "type": "participant_state", "schedule_type": "ATTRIBUTE_DATE",
        "schedule_config": {"attribute": "birthday"},
    })
    stage.time.work()
    stage.time.step("2128-06-01", timedelta(days=30))
    rows = stage.api.get(f"/v1/participants/{stage.id_of('ann')}/balances").json["data"]
    assert [row["available"] for row in rows] == ["300"]
