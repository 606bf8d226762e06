"""Firings that ended long ago go; what is still told, or still to come, stays."""

from datetime import timedelta

from app import db
from app.flows.trim_firings import BATCH_MAX, trim_some
from scheduler import trim_firings
from tests.automations.conftest import Stage

DAILY = {"type": "cron", "cron_expression": "0 9 * * *"}


def kept() -> list[tuple[str, str, str]]:
    with db.connection() as c:
        rows = c.execute("SELECT event_name, kind, scheduled_for FROM firings ORDER BY 1, 3")
        return [(row["event_name"], row["kind"], f"{row['scheduled_for']:%m-%d}") for row in rows]


def test_old_firings_go_and_none_comes_again(stage: Stage) -> None:
    stage.people("ann")
    stage.rule(
        'event.type == "go"', {"type": "SCHEDULE_EVENT", "event_name": "soon", "delay": "24h"},
        {"type": "SCHEDULE_EVENT", "event_name": "much later", "delay": "8000h"},
    )
    stage.send("ann", "go")
    stage.automate(name="one", event_name="one", scope="program", trigger=DAILY)
    many = stage.automate(name="many", event_name="many", trigger=DAILY)
    stage.time.work()
    for day in ("15", "16"):
        stage.time.until(f"2126-01-{day}T19:00")
    before = kept()
    stage.time.go("2126-02-14T18:59")  # Thirty days after the first evening, but for a minute.
    assert (trim_some(), kept()) == (0, before)
    stage.time.go("2126-02-14T19:01")
    assert trim_some() == 3
    stage.time.go("2126-02-20T08:00")
    assert stage.api.patch(stage.path(many), {"status": "paused"}).status_code == 200
    assert trim_firings.DUTY.run_once() == 1
    assert trim_some() == 0
    assert [row[:2] for row in kept()] == [("many", "FAN_OUT"), ("much later", "ONE")]
    shown = stage.shown(many)
    assert (shown["execution_status"], shown["participants_processed"]) == ("completed", 1)
    stage.time.until("2126-01-16T19:00")  # A clock that steps back makes nothing anew.
    assert stage.pings("one") == {"": 2}
    assert stage.pings("soon") == {"ann": 1}
    stage.time.until("2127-01-01")
    assert stage.pings("much later") == {"ann": 1}


def test_a_batch_is_bounded(stage: Stage) -> None:
    with db.connection() as c:
        c.execute(
            "INSERT INTO firings (organization_id, id, program_id, source, kind, event_name, scheduled_for,"
            " status, completed_at, created_at) SELECT %s, gen_random_uuid(), %s, 'rule_action', 'ONE', 'x',"
            " %s, 'completed', %s, %s FROM generate_series(1, %s)",
            (stage.api.organization_id, stage.program, *[stage.time.now - timedelta(days=31)] * 3,
             BATCH_MAX + 7),
        )
    assert [trim_some(), trim_some(), trim_some()] == [BATCH_MAX, 7, 0]
