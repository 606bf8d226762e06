"""Where participants and groups stand: by counters, by rules, through the API; and who is told of it."""

from typing import Any

import pytest

from app import db
from tests.api.client import ABSENT, error_of
from tests.tiers.conftest import Club


def put(club: Club, person: str, level: str, **fields: Any) -> Any:
    path = f"/v1/participants/{club.id_of(person)}/state/tiers/status?program_id={club.program}"
    return club.api.put(path, {"level": level, **fields})


def test_counters_raise_and_never_lower(club: Club) -> None:
    club.tier()
    for points, level in ((99, None), (1, "silver"), (400, "gold"), (-450, "gold"), (60, "gold")):
        club.buy("ann", points)
        assert club.level("ann") == level
    assert club.history("ann") == [(None, "silver", "QUALIFIED"), ("silver", "gold", "QUALIFIED")]
    state = club.state("ann")
    assert state is not None
    assert set(state) == {"level", "rank", "benefits", "acquired_at", "expires_at"}
    assert (state["rank"], state["benefits"], state["expires_at"]) == (2, {"lounge": True}, None)
    listed = club.api.get(f"/v1/participants/{club.id_of('ann')}/state/tiers", program_id=club.program).json
    assert listed == {"data": [{"key": "status", **state}]}


def test_any_and_all_criteria(club: Club) -> None:
    def criteria(mode: str) -> dict[str, Any]:
        return {"mode": mode, "criteria": [
            {"counter": "year_points", "operator": ">=", "threshold": 10},
            {"counter": "visits", "operator": ">", "threshold": 0},
        ]}

    club.tier(key="any", levels=[{"key": "on", "rank": 1, "qualification": criteria("ANY")}])
    club.tier(key="all", levels=[{"key": "on", "rank": 1, "qualification": criteria("ALL")}])
    club.rule('event.type == "visit"', {"type": "COUNTER", "key": "visits", "value": "1"})
    club.buy("ann", 10)
    assert (club.level("ann", "any"), club.level("ann", "all")) == ("on", None)
    club.send("ann", "visit")
    club.time.work()
    assert club.level("ann", "all") == "on"


def test_a_rule_sets_the_tier_and_keeps_the_counters_out_of_it(club: Club) -> None:
    club.tier()
    club.rule('event.type == "purchase" && event.points == 500', {
        "type": "SET_TIER", "tier": "status", "level": "silver",
    })
    club.buy("ann", 500)
    assert club.level("ann") == "silver"
    club.buy("ann", 1)
    assert club.level("ann") == "gold"
    assert club.history("ann") == [(None, "silver", "RULE"), ("silver", "gold", "QUALIFIED")]


def test_a_rule_sets_nothing_in_an_archived_tier(club: Club) -> None:
    club.tier()
    club.rule('event.type == "invite"', {"type": "SET_TIER", "tier": "status", "level": "gold"})
    assert club.api.post(f"/v1/programs/{club.program}/tiers/status/archive").status_code == 200
    event = club.send("ann", "invite")
    club.time.work()
    assert club.api.get(f"/v1/events/{event}").json["status"] == "COMPLETED"
    assert club.level("ann") is None


def test_conditions_see_the_level_from_before_the_event(club: Club) -> None:
    club.tier()
    club.rule('event.type == "purchase" && get(participant.tiers, "status", {"level": ""}).level == "gold"', {
        "type": "TAG", "tag": "was-gold",
    })
    club.buy("ann", 500)
    tags = f"/v1/participants/{club.id_of('ann')}/state/tags"
    assert club.api.get(tags).json["data"] == []
    club.buy("ann", 1)
    assert club.api.get(tags).json["data"] == [{"tag": "was-gold"}]


def test_a_changed_threshold_concerns_future_events_alone(club: Club) -> None:
    club.tier()
    club.buy("ann", 60)
    level = {"key": "silver", "qualification": {"criteria": [
        {"counter": "year_points", "operator": ">=", "threshold": 50}]}}
    path = f"/v1/programs/{club.program}/tiers/status"
    assert club.api.patch(path, {"levels": [level]}).status_code == 200
    club.time.work()
    assert club.level("ann") is None
    club.buy("ann", 1)
    assert club.level("ann") == "silver"


def test_assigning_and_removing_through_the_api(club: Club) -> None:
    club.tier()
    club.buy("ann", 1)
    answer = put(club, "ann", "gold")
    assert (answer.status_code, answer.json["level"], answer.json["expires_at"]) == (200, "gold", None)
    path = f"/v1/participants/{club.id_of('ann')}/state/tiers/status?program_id={club.program}"
    assert club.api.delete(path).status_code == 204
    assert club.api.delete(path).status_code == 204
    error_of(club.api.get(path), 404, "not_found")
    assert club.history("ann") == [(None, "gold", "API"), ("gold", None, "REMOVED")]
    rows = club.api.get(f"/v1/participants/{club.id_of('ann')}/activity/state-history", state_type="tier")
    assert [(row["operation"], row.get("new_value")) for row in rows.json["data"]] == [
        ("delete", None), ("set", "gold"),
    ]


def test_a_new_assignment_replaces_a_pending_expiry(club: Club) -> None:
    club.tier()
    club.buy("ann", 1)
    assert put(club, "ann", "gold", expires_at="2126-02-01T00:00:00Z").status_code == 200
    assert put(club, "ann", "gold", expires_at="2126-03-01T00:00:00Z").status_code == 200
    club.time.until("2126-02-15")
    assert club.level("ann") == "gold"
    assert put(club, "ann", "gold", expires_at=None).status_code == 200
    club.time.until("2127-02-15")
    assert club.level("ann") == "gold"


def test_what_an_assignment_refuses(club: Club) -> None:
    club.tier()
    club.buy("ann", 1)
    assert "level" in error_of(put(club, "ann", "none"), 400, "validation_error")
    past = put(club, "ann", "gold", expires_at="2100-01-01T00:00:00Z")
    assert "expires_at" in error_of(past, 400, "validation_error")
    person = f"/v1/participants/{club.id_of('ann')}"
    one = f"{person}/state/tiers/status"
    assert "program_id" in error_of(club.api.get(one), 400, "validation_error")
    error_of(club.api.put(f"{one}?program_id={ABSENT}", {"level": "gold"}), 404, "not_found")
    stranger = club.api.program(name="Other")
    error_of(club.api.put(f"{one}?program_id={stranger}", {"level": "gold"}), 404, "not_found")
    error_of(club.api.get(f"{one}?program_id={stranger}"), 404, "not_found")
    query = f"?program_id={club.program}"
    error_of(club.api.put(f"{person}/state/tiers/none{query}", {"level": "gold"}), 404, "not_found")
    assert club.api.patch(f"{person}/status", {"status": "SUSPENDED"}).status_code == 200
    error_of(put(club, "ann", "gold"), 409, "participant_inactive")
    error_of(club.api.delete(one + query), 409, "participant_inactive")
    assert club.api.patch(f"{person}/status", {"status": "ACTIVE"}).status_code == 200
    program = f"/v1/programs/{club.program}"
    enrollment = f"{program}/participants/{club.id_of('ann')}"
    assert club.api.patch(enrollment, {"status": "FROZEN"}).status_code == 200
    error_of(put(club, "ann", "gold"), 409, "participant_inactive")
    assert club.api.patch(enrollment, {"status": "ACTIVE"}).status_code == 200
    assert club.api.patch(program, {"status": "SUSPENDED"}).status_code == 200
    error_of(put(club, "ann", "gold"), 409, "program_suspended")
    assert club.api.patch(program, {"status": "ACTIVE"}).status_code == 200
    assert club.api.post(f"{program}/tiers/status/archive").status_code == 200
    error_of(put(club, "ann", "gold"), 409, "tier_archived")


def test_groups_stand_by_the_same_routes(club: Club) -> None:
    club.tier()
    club.buy("ann", 1)
    group = club.api.group(club.id_of("ann"))
    path = f"/v1/groups/{group}/state/tiers/status?program_id={club.program}"
    answer = club.api.put(path, {"level": "gold", "expires_at": "2126-02-01T00:00:00Z"})
    assert (answer.status_code, answer.json["level"]) == (200, "gold")
    assert club.api.get(path).json["level"] == "gold"
    club.time.until("2126-02-02")
    error_of(club.api.get(path), 404, "not_found")
    rows = club.api.get(f"/v1/groups/{group}/activity/tier-history", program_id=club.program).json["data"]
    assert [row["reason"] for row in rows] == ["EXPIRED", "API"]
    assert club.system_events("tier_review")[0]["event_data"]["outcome"] == "REMOVED"


@pytest.mark.parametrize("subscribed", [True, False])
def test_webhooks_tell_of_every_change(club: Club, subscribed: bool) -> None:
    if subscribed:
        with db.connection() as c:
            c.execute(
                "INSERT INTO webhook_endpoints (organization_id, id, url, enabled_events, secret, created_at,"
                " updated_at) VALUES (%s, gen_random_uuid(), 'https://example.com',"
                " '{participant.tier_changed}', 'x', read_clock(), read_clock())",
                (club.api.organization_id,),
            )
    club.tier({
        "retention": {"mode": "PERIOD_BASED"}, "qualification_period": {"type": "CALENDAR_YEAR"},
        "counters": {"qualifying": ["year_points"]},
    })
    club.buy("ann", 500)
    club.time.until("2128-01-01")
    assert put(club, "ann", "silver").status_code == 200
    with db.connection() as c:
        rows = c.execute("SELECT data FROM outbox ORDER BY id").fetchall()
    told = [(row["data"]["from"], row["data"]["to"], row["data"]["reason"], row["data"]["sequence"])
            for row in rows]
    assert told == ([
        (None, "gold", "QUALIFIED", 1), ("gold", None, "PERIOD_END", 2), (None, "silver", "API", 3),
    ] if subscribed else [])
    if subscribed:
        data = rows[0]["data"]
        assert (data["participant_id"], data["program_id"], data["tier"]) == (
            club.id_of("ann"), club.program, "status"
        )


def test_tiers_of_two_programs_do_not_mix_in_one_batch(club: Club) -> None:
    club.tier()
    other = Club(club.api, club.api.program(name="Other"), club.time, club._keys)
    other.tier()
    other.rule('event.type == "purchase"', {"type": "COUNTER", "key": "other_points", "value": "1"})
    # Both wait when the worker comes: one participant, two programs with a tier of the same name.
    club.send("ann", "purchase", points=500)
    other.send("ann", "purchase")
    club.time.work()
    assert (club.level("ann"), other.level("ann")) == ("gold", "gold")
    assert other.history("ann") == [(None, "gold", "QUALIFIED")]
