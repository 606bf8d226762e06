"""Levels through the years, computed by hand: each row is a date, what happens, and what holds then."""

import pytest

from tests.harness import Servers
from tests.sabotage import sabotage
from tests.tiers.conftest import Club

YEARLY = {
    "retention": {"mode": "PERIOD_BASED"}, "qualification_period": {"type": "CALENDAR_YEAR"},
    "counters": {"qualifying": ["year_points"], "rollover": "NONE"},
}


def with_policy(mode: str, rollover: str = "NONE", months: int = 0, **policy: object) -> dict[str, object]:
    """Return a yearly lifecycle with a way down."""
    return {
        **YEARLY, "downgrade_policy": {"mode": mode, **policy},
        "counters": {"qualifying": ["year_points"], "rollover": rollover},
        "status_validity": {"extend_months": months},
    }


Row = tuple[str, int, str | None, str]  # When, points bought then, the level and the counter afterwards.

# Thresholds: silver 100, gold 500.
THREE_YEARS: dict[str, tuple[dict[str, object], list[Row]]] = {
    "drop to qualifying": (with_policy("DROP_TO_QUALIFYING"), [
        ("2126-03-01", 99, None, "99"),
        ("2126-03-02", 401, "gold", "500"),
        ("2126-12-31T23:59", 0, "gold", "500"),
        ("2127-01-01", 0, "gold", "0"),  # 500 in 2126: kept for 2127.
        ("2127-07-01", 100, "gold", "100"),
        ("2128-01-01", 0, "silver", "0"),  # 100 in 2127: silver.
        ("2129-01-01", 0, None, "0"),  # Nothing in 2128.
    ]),
    "drop one": (with_policy("DROP_ONE"), [
        ("2126-03-01", 500, "gold", "500"),
        ("2127-01-01", 0, "gold", "0"),
        ("2128-01-01", 0, "silver", "0"),  # One down, though nothing qualifies.
        ("2129-01-01", 0, None, "0"),
    ]),
    "hold": (with_policy("HOLD"), [
        ("2126-03-01", 500, "gold", "500"),
        ("2127-01-01", 0, "gold", "0"),
        ("2128-01-01", 7, "gold", "7"),
        ("2129-01-01", 0, "gold", "0"),
    ]),
    "a floor": (with_policy("DROP_TO_QUALIFYING", min_level="silver"), [
        ("2126-03-01", 500, "gold", "500"),
        ("2128-01-01", 0, "silver", "0"),
        ("2129-01-01", 0, "silver", "0"),
    ]),
    "excess rolls over": (with_policy("DROP_TO_QUALIFYING", "EXCESS"), [
        ("2126-03-01", 620, "gold", "620"),
        ("2127-01-01", 0, "gold", "120"),  # 620 less gold's 500.
        ("2127-02-01", 30, "gold", "150"),
        ("2128-01-01", 0, "silver", "50"),  # Falls to silver; 150 less silver's 100.
        ("2129-01-01", 0, None, "0"),  # 50 do not reach silver; the base asks for nothing and keeps nothing.
    ]),
    "grace after validity": (with_policy("DROP_TO_QUALIFYING", months=1, grace_days=30), [
        ("2126-03-01", 500, "gold", "500"),
        ("2127-01-01", 0, "gold", "0"),
        ("2128-01-01", 0, "gold", "0"),  # Lost, but valid until 1 February, then 30 days of grace.
        ("2128-03-01", 0, "gold", "0"),
        ("2128-03-02", 0, None, "0"),  # 1 February + 30 days in a leap year.
    ]),
    "earned again in grace": (with_policy("DROP_TO_QUALIFYING", grace_days=90), [
        ("2126-03-01", 500, "gold", "500"),
        ("2128-01-01", 0, "gold", "0"),
        ("2128-02-01", 500, "gold", "500"),
        ("2128-04-01", 0, "gold", "500"),  # The end of grace finds it earned.
        ("2129-01-01", 0, "gold", "0"),
    ]),
    "a fixed year from 29 February": ({
        **with_policy("DROP_ONE"),
        "qualification_period": {"type": "FIXED_YEAR", "start_month": 2, "start_day": 29},
    }, [
        ("2126-03-01", 500, "gold", "500"),
        ("2127-02-27T23:59", 0, "gold", "500"),
        ("2127-02-28", 0, "gold", "0"),
        ("2128-02-28T23:59", 0, "gold", "0"),
        ("2128-02-29", 0, "silver", "0"),
    ]),
    "rolling periods": ({
        **with_policy("DROP_ONE"), "retention": {"mode": "PERIOD_BASED", "duration": "2400h"},
        "qualification_period": {"type": "NONE"},
    }, [
        ("2126-03-01", 500, "gold", "500"),
        ("2126-06-08", 0, "gold", "500"),
        ("2126-06-10", 0, "gold", "0"),  # 100 days after 1 March.
        ("2126-09-18", 0, "silver", "0"),
    ]),
}


@pytest.mark.parametrize("name", THREE_YEARS)
@pytest.mark.parametrize("late", [False, True], ids=["looked at in time", "looked at late"])
def test_levels_over_three_years(club: Club, name: str, late: bool) -> None:
    lifecycle, rows = THREE_YEARS[name]
    club.tier(lifecycle)
    for when, points, level, counter in rows:
        if late:
            # Nobody works between the rows: the event itself meets what is due.
            club.time.go(when)
        else:
            club.time.until(when)
        if points:
            club.buy("ann", points)
        club.time.work()
        if club.api.get("/v1/participants", external_id="ann").json["data"]:
            assert (when, club.level("ann"), club.counter("ann")) == (when, level, counter)


def test_a_member_at_the_base_starts_each_year_at_zero(club: Club) -> None:
    club.tier(YEARLY)
    club.buy("ann", 60)
    club.time.until("2127-01-01")
    assert club.counter("ann") == "0"
    club.buy("ann", 60)
    assert club.level("ann") is None


def test_one_who_cannot_be_reviewed_holds_up_nobody_else(club: Club, servers: Servers) -> None:
    club.tier(with_policy("DROP_TO_QUALIFYING"))
    for name in ("ann", "bob", "cyd"):
        club.buy(name, 500)
    with sabotage(servers, f"NEW.owner_id = '{club.id_of('bob')}'", on="INSERT ON tier_states"):
        club.time.go("2128-01-01T00:00:01")
        club.time.work()
        assert [club.history(name)[-1][1] for name in ("ann", "bob", "cyd")] == [None, "gold", None]
    club.time.work()
    assert club.history("bob") == club.history("ann")


def test_an_event_of_the_new_year_does_not_count_for_the_old_one(club: Club) -> None:
    club.tier(YEARLY)
    club.buy("ann", 60)
    club.time.go("2127-01-01T00:00:01")
    club.buy("ann", 60)
    assert (club.level("ann"), club.counter("ann")) == (None, "60")


def test_inactivity_costs_the_level_and_activity_renews_it(club: Club) -> None:
    club.tier({
        "retention": {"mode": "ACTIVITY_REFRESH", "duration": "720h"},
        "downgrade_policy": {"mode": "DROP_ONE"},
    })
    club.buy("ann", 500)
    club.time.until("2126-02-10")
    club.send("ann", "visit")
    club.time.work()
    club.time.until("2126-03-12")  # The 30 days count from the visit on 10 February.
    assert club.level("ann") == "gold"
    club.time.until("2126-03-13")
    assert club.level("ann") == "silver"
    club.time.until("2126-04-20")
    assert club.level("ann") is None
    assert club.history("ann") == [
        (None, "gold", "QUALIFIED"), ("gold", "silver", "INACTIVITY"), ("silver", None, "INACTIVITY"),
    ]


def test_grace_is_for_coming_back(club: Club) -> None:
    club.tier({
        "retention": {"mode": "ACTIVITY_REFRESH", "duration": "240h"},
        "downgrade_policy": {"mode": "DROP_TO_QUALIFYING", "grace_days": 5},
    })
    club.buy("ann", 500)  # 15 January: lapses on the 25th, falls on the 30th.
    club.buy("ben", 500)
    club.time.until("2126-01-27")
    assert club.level("ann") == "gold"
    club.send("ann", "visit")
    club.time.work()
    club.time.until("2126-01-31")
    assert (club.level("ann"), club.level("ben")) == ("gold", "silver")


def test_system_events_do_not_keep_a_level(club: Club) -> None:
    club.tier({"retention": {"mode": "ACTIVITY_REFRESH", "duration": "720h"}})
    club.rule('event.type == "purchase"', {"type": "SCHEDULE_EVENT", "event_name": "ping", "delay": "480h"})
    club.buy("ann", 100)
    club.time.until("2126-02-15")
    assert club.level("ann") is None


def test_an_expiry_takes_the_level_away(club: Club) -> None:
    club.tier()
    club.buy("ann", 1)
    path = f"/v1/participants/{club.id_of('ann')}/state/tiers/status?program_id={club.program}"
    answer = club.api.put(path, {"level": "gold", "expires_at": "2126-02-01T00:00:00Z"})
    assert answer.status_code == 200, answer.json
    assert answer.json["expires_at"] == "2126-02-01T00:00:00Z"
    club.time.until("2126-01-31T23:59")
    assert club.level("ann") == "gold"
    club.time.until("2126-02-01")
    assert club.level("ann") is None
    assert club.history("ann") == [(None, "gold", "API"), ("gold", None, "EXPIRED")]


def test_reviews_are_announced_to_rules(club: Club) -> None:
    club.tier(with_policy("DROP_ONE"))
    missed = 'event.type == "tier_review" && event.outcome == "DOWNGRADED"'
    club.rule(missed, {"type": "TAG", "tag": "missed"})
    club.buy("ann", 500)
    club.time.until("2128-01-02")
    tags = club.api.get(f"/v1/participants/{club.id_of('ann')}/state/tags").json["data"]
    assert tags == [{"tag": "missed"}]
    reviews = club.system_events("tier_review")
    assert [
        (one["event_timestamp"], one["event_data"]["outcome"], one["event_data"]["to"]) for one in reviews
    ] == [("2127-01-01T00:00:00Z", "RETAINED", "gold"), ("2128-01-01T00:00:00Z", "DOWNGRADED", "silver")]


def test_a_lifecycle_that_comes_later_concerns_everybody(club: Club) -> None:
    club.tier()
    club.buy("ann", 500)
    club.buy("ben", 60)
    path = f"/v1/programs/{club.program}/tiers/status"
    assert club.api.patch(path, {"lifecycle": with_policy("DROP_ONE")}).status_code == 200
    club.time.work()
    club.time.until("2128-01-01")
    assert (club.level("ann"), club.counter("ben")) == ("silver", "0")
    assert club.api.patch(path, {"lifecycle": {}}).status_code == 200
    club.time.work()
    club.time.until("2130-01-01")
    assert club.level("ann") == "silver"


def test_an_archived_tier_is_left_alone(club: Club) -> None:
    club.tier(YEARLY)
    club.buy("ann", 500)
    assert club.api.post(f"/v1/programs/{club.program}/tiers/status/archive").status_code == 200
    club.time.until("2128-02-01")
    assert (club.level("ann"), club.counter("ann")) == ("gold", "500")
