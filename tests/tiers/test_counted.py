"""Counters that calls and other programs change: levels are reached by them, and periods begin and end."""

from typing import Any

import pytest

from app import db
from tests.tiers.conftest import SILVER_AND_GOLD, Club
from tests.tiers.test_lifecycle import YEARLY


def put(club: Club, owner: str, value: str, noun: str = "participant") -> None:
    answer = club.api.put(f"/v1/{noun}s/{owner}/state/counters/year_points", {"value": value})
    assert answer.status_code == 200, answer.json


def test_a_counter_set_through_the_api_reaches_a_level(club: Club) -> None:
    club.tier(YEARLY)
    club.buy("ann", 1)
    put(club, club.id_of("ann"), "120")
    assert club.level("ann") == "silver"
    put(club, club.id_of("ann"), "700")
    put(club, club.id_of("ann"), "0")  # Nobody falls by counters.
    assert club.level("ann") == "gold"
    assert club.history("ann") == [(None, "silver", "QUALIFIED"), ("silver", "gold", "QUALIFIED")]
    rows = club.api.get(f"/v1/participants/{club.id_of('ann')}/activity/tier-history",
                        program_id=club.program).json["data"]
    assert all("changed_by_api_key_id" in row and "event_id" not in row for row in rows)
    club.time.until("2127-01-01")
    assert club.level("ann") is None  # The lifecycle goes on from there.


def test_a_level_reached_by_a_call_is_told_to_webhooks(club: Club) -> None:
    with db.connection() as c:
        c.execute(
            "INSERT INTO webhook_endpoints (organization_id, id, url, enabled_events, secret, created_at,"
            " updated_at) VALUES (%s, gen_random_uuid(), 'https://example.com',"
            " '{participant.tier_changed}', 'x', read_clock(), read_clock())", (club.api.organization_id,),
        )
    club.tier()
    club.buy("ann", 1)
    put(club, club.id_of("ann"), "120")
    club.buy("ann", 500)
    with db.connection() as c:
        told = [row["data"] for row in c.execute("SELECT data FROM outbox ORDER BY id")]
    assert [(one["to"], one["reason"], one["sequence"]) for one in told] == [
        ("silver", "QUALIFIED", 1), ("gold", "QUALIFIED", 2),
    ]


@pytest.mark.parametrize("closed", ["enrollment", "program", "tier"])
def test_nobody_rises_by_a_call_where_business_is_closed(club: Club, closed: str) -> None:
    club.tier()
    club.buy("ann", 1)
    program = f"/v1/programs/{club.program}"
    answers = {
        "enrollment": lambda: club.api.patch(f"{program}/participants/{club.id_of('ann')}",
                                             {"status": "FROZEN"}),
        "program": lambda: club.api.patch(program, {"status": "SUSPENDED"}),
        "tier": lambda: club.api.post(f"{program}/tiers/status/archive"),
    }
    assert answers[closed]().status_code == 200
    put(club, club.id_of("ann"), "700")
    assert club.level("ann") is None


def group_state(club: Club, group: str) -> Any:
    answer = club.api.get(f"/v1/groups/{group}/state/tiers/status", program_id=club.program)
    return answer.json["level"] if answer.status_code == 200 else None


def test_a_group_reaches_a_level_in_its_members_programs(club: Club) -> None:
    club.tier(YEARLY)
    club.buy("ann", 1)
    group = club.api.group(club.id_of("ann"))
    elsewhere = club.api.program(name="Elsewhere")
    answer = club.api.post(f"/v1/programs/{elsewhere}/tiers", {"key": "status", "levels": SILVER_AND_GOLD})
    assert answer.status_code == 201
    put(club, group, "60", "group")
    assert group_state(club, group) is None
    club.time.until("2127-01-01")  # It had begun to count: its year ends too.
    assert club.api.get(f"/v1/groups/{group}/state/counters/year_points").json["value"] == "0"
    put(club, group, "500", "group")
    assert group_state(club, group) == "gold"
    assert club.api.get(f"/v1/groups/{group}/state/tiers", program_id=elsewhere).json["data"] == []
    club.time.until("2129-01-01")
    assert group_state(club, group) is None


def test_a_call_in_the_new_year_does_not_count_for_the_old_one(club: Club) -> None:
    club.tier(YEARLY)
    club.buy("ann", 60)
    club.time.go("2127-01-01T00:00:01")  # Nobody has looked yet.
    put(club, club.id_of("ann"), "70")
    club.time.work()
    assert (club.level("ann"), club.counter("ann")) == (None, "70")


def test_another_programs_event_in_the_new_year_does_not_count_for_the_old_one(club: Club) -> None:
    club.tier(YEARLY)
    other = Club(club.api, club.api.program(name="No tiers"), club.time, club._keys)
    other.rule('event.type == "purchase"', {"type": "COUNTER", "key": "year_points", "value": "event.points"})
    club.buy("ann", 60)
    club.time.go("2127-01-01T00:00:01")
    other.send("ann", "purchase", points=70)
    club.time.drain()  # The event comes before the review.
    club.time.work()
    assert (club.level("ann"), club.counter("ann")) == (None, "70")


def test_a_groups_event_in_the_new_year_does_not_count_for_the_old_one(club: Club) -> None:
    club.tier(YEARLY)
    club.buy("ann", 1)
    group = club.api.group(club.id_of("ann"))
    club.rule('event.type == "together"', {
        "type": "COUNTER", "key": "year_points", "value": "event.points",
        "target": {"type": "GROUP", "id": group},
    })
    club.send("ann", "together", points=60)
    club.time.work()
    club.time.go("2127-01-01T00:00:01")
    club.send("ann", "together", points=70)
    club.time.drain()
    club.time.work()
    assert club.api.get(f"/v1/groups/{group}/state/counters/year_points").json["value"] == "70"
    assert group_state(club, group) is None
