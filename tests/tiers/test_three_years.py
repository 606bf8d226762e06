"""Every combination of a lifecycle over three years, computed by hand.

One story for all: 620 points on 1 March 2126 make gold (500; silver is 100), 50 more come in the second
period, 130 in the third. What holds then stands in the tables; the kind of period says only when.
"""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from app.domain.tiers import Tier, tier_from_json
from app.engine import lifecycle as engine
from app.engine.lifecycle import Review, Standing
from app.engine.state import Counter
from app.engine.tiers import first_check, next_period_end

MOMENT = timedelta(microseconds=1)
LEVELS = [
    {"key": key, "rank": rank, "qualification": {"criteria": [
        {"counter": "points", "operator": ">=", "threshold": threshold}]}}
    for key, rank, threshold in (("silver", 1, 100), ("gold", 2, 500))
]


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


class Member:
    """One owner in one tier, through time."""

    def __init__(self, lifecycle: dict[str, Any]) -> None:
        self.tier: Tier = tier_from_json({
            "id": UUID(int=1), "key": "status", "archived": False, "levels": LEVELS, "lifecycle": lifecycle,
        })
        self.review = Review({self.tier.id: self.tier}, {self.tier.id: Standing()}, {}, None)

    def reach(self, instant: datetime) -> tuple[str | None, int]:
        """Let time pass; return the level and the points."""
        engine.run(self.review, instant)
        points = self.review.counters.get("points", Counter(Decimal(0)))
        return self.review.standings[self.tier.id].level, int(points.value)

    def earn(self, instant: datetime, points: int) -> tuple[str | None, int]:
        """Let an event count: whoever reaches a higher level rises, whoever begins to count is watched."""
        _, before = self.reach(instant)
        self.review.counters["points"] = Counter(Decimal(before + points))
        standing = self.review.standings[self.tier.id]
        held, best = self.tier.level(standing.level), self.tier.highest({"points": Decimal(before + points)})
        if best is not None and (held is None or best.rank > held.rank):
            standing = Standing(best.key, instant, None, first_check(self.tier.lifecycle, instant))
        elif standing.checks_at is None:
            standing = replace(standing, checks_at=next_period_end(self.tier.lifecycle, instant))
        self.review.standings[self.tier.id] = standing
        return self.reach(instant)


START, SECOND, THIRD, LAST = (at(day) for day in ("2126-03-01", "2127-08-01", "2128-08-01", "2129-09-01"))
# The period, its first two ends, and until when a level lost at the second is kept: by months, then days.
PERIODS: dict[str, tuple[dict[str, Any], str, str, dict[tuple[int, int], str]]] = {
    "calendar": ({"qualification_period": {"type": "CALENDAR_YEAR"}}, "2127-01-01", "2128-01-01", {
        (1, 0): "2128-02-01", (0, 30): "2128-01-31", (1, 30): "2128-03-02",
    }),
    "fixed": (
        {"qualification_period": {"type": "FIXED_YEAR", "start_month": 2, "start_day": 1}},
        "2127-02-01", "2128-02-01",
        {(1, 0): "2128-03-01", (0, 30): "2128-03-02", (1, 30): "2128-03-31"},
    ),
    # 365 days from 1 March 2126, twice: 2128 is a leap year.
    "anniversary": (
        {"duration": "8760h", "qualification_period": {"type": "NONE"}}, "2127-03-01", "2128-02-29",
        {(1, 0): "2128-03-29", (0, 30): "2128-03-30", (1, 30): "2128-04-28"},
    ),
}
State = tuple[str | None, int]
HELD = {"NONE": [("gold", 0), ("gold", 0), ("gold", 130), ("gold", 0)],
        "EXCESS": [("gold", 120), ("gold", 0), ("gold", 130), ("gold", 0)]}
# (mode, rollover, min_level): after the first end, after the second, with the 130 points, at the last look.
AT_ONCE: dict[tuple[str, str, str | None], list[State]] = {
    ("DROP_TO_QUALIFYING", "NONE", None): [("gold", 0), (None, 0), ("silver", 130), ("silver", 0)],
    # 120 + 50 = 170: silver, and 70 above its 100. 70 + 130 = 200: silver again, and 100 above.
    ("DROP_TO_QUALIFYING", "EXCESS", None): [("gold", 120), ("silver", 70), ("silver", 200), ("silver", 100)],
    ("DROP_TO_QUALIFYING", "NONE", "silver"): [("gold", 0), ("silver", 0), ("silver", 130), ("silver", 0)],
    ("DROP_TO_QUALIFYING", "EXCESS", "silver"): [
        ("gold", 120), ("silver", 70), ("silver", 200), ("silver", 100)],
    ("DROP_ONE", "NONE", None): [("gold", 0), ("silver", 0), ("silver", 130), ("silver", 0)],
    ("DROP_ONE", "EXCESS", None): [("gold", 120), ("silver", 70), ("silver", 200), ("silver", 100)],
    ("DROP_ONE", "NONE", "silver"): [("gold", 0), ("silver", 0), ("silver", 130), ("silver", 0)],
    ("DROP_ONE", "EXCESS", "silver"): [("gold", 120), ("silver", 70), ("silver", 200), ("silver", 100)],
    # What the floor keeps is kept like what is held: nothing is above gold's 500.
    **{(mode, rollover, "gold"): HELD[rollover]
       for mode in ("DROP_TO_QUALIFYING", "DROP_ONE") for rollover in HELD},
    **{("HOLD", rollover, floor): HELD[rollover] for rollover in HELD for floor in (None, "silver", "gold")},
}
# The same where a lost level is kept for a while: after the second end it is still gold, and what is above
# its 500 rolls over: nothing. Then what holds when the time is over, with the 130 points, at the last look.
KEPT: dict[tuple[str, str, str | None], list[State]] = {
    ("DROP_TO_QUALIFYING", "NONE", None): [(None, 0), ("silver", 130), ("silver", 0)],
    ("DROP_TO_QUALIFYING", "EXCESS", None): [("silver", 0), ("silver", 130), ("silver", 30)],
    ("DROP_TO_QUALIFYING", "NONE", "silver"): [("silver", 0), ("silver", 130), ("silver", 0)],
    ("DROP_TO_QUALIFYING", "EXCESS", "silver"): [("silver", 0), ("silver", 130), ("silver", 30)],
    ("DROP_ONE", "NONE", None): [("silver", 0), ("silver", 130), ("silver", 0)],
    ("DROP_ONE", "EXCESS", None): [("silver", 0), ("silver", 130), ("silver", 30)],
    ("DROP_ONE", "NONE", "silver"): [("silver", 0), ("silver", 130), ("silver", 0)],
    ("DROP_ONE", "EXCESS", "silver"): [("silver", 0), ("silver", 130), ("silver", 30)],
    **{key: states[1:] for key, states in AT_ONCE.items() if key[0] == "HOLD" or key[2] == "gold"},
}


def member(period: str, key: tuple[str, str, str | None], months: int, days: int) -> Member:
    mode, rollover, floor = key
    given = dict(PERIODS[period][0])
    retention = {"mode": "PERIOD_BASED", "duration": given.pop("duration", None)}
    return Member({
        "retention": retention, **given, "status_validity": {"extend_months": months},
        "downgrade_policy": {"mode": mode, "grace_days": days, "min_level": floor},
        "counters": {"qualifying": ["points"], "rollover": rollover},
    })


def test_the_tables_have_every_combination() -> None:
    assert AT_ONCE.keys() == KEPT.keys() == {
        (mode, rollover, floor) for mode in ("DROP_TO_QUALIFYING", "DROP_ONE", "HOLD")
        for rollover in ("NONE", "EXCESS") for floor in (None, "silver", "gold")
    }


@pytest.mark.parametrize("key", AT_ONCE, ids=str)
@pytest.mark.parametrize("period", PERIODS)
def test_a_lost_level_falls_at_once(period: str, key: tuple[str, str, str | None]) -> None:
    _, first, second, _ = PERIODS[period]
    one = member(period, key, 0, 0)
    assert one.earn(START, 620) == ("gold", 620)
    assert one.reach(at(first) - MOMENT) == ("gold", 620)
    seen = [one.reach(at(first))]
    before = one.earn(SECOND, 50)
    assert one.reach(at(second) - MOMENT) == before == ("gold", seen[0][1] + 50)
    seen += [one.reach(at(second)), one.earn(THIRD, 130), one.reach(LAST)]
    assert seen == AT_ONCE[key]


@pytest.mark.parametrize("key", KEPT, ids=str)
@pytest.mark.parametrize(("months", "days"), [(1, 0), (0, 30), (1, 30)])
@pytest.mark.parametrize("period", PERIODS)
def test_a_lost_level_is_kept_for_its_validity_and_grace(
    period: str, months: int, days: int, key: tuple[str, str, str | None]
) -> None:
    _, first, second, until = PERIODS[period]
    one = member(period, key, months, days)
    one.earn(START, 620)
    assert one.reach(at(first)) == AT_ONCE[key][0]
    one.earn(SECOND, 50)
    assert one.reach(at(second)) == ("gold", 0)
    over = at(until[months, days])
    assert one.reach(over - MOMENT) == ("gold", 0)
    assert [one.reach(over), one.earn(THIRD, 130), one.reach(LAST)] == KEPT[key]


# Gold by a call, with points that reach nothing; active last on 1 June 2126; 180 days of inactivity.
# When the level falls first and second, without and with 30 days of grace.
FALLS = {0: ("2126-11-28", "2127-05-27"), 30: ("2126-12-28", "2127-07-26")}
LAPSED: dict[tuple[str, str | None, int], tuple[str | None, str | None]] = {
    ("DROP_TO_QUALIFYING", None, 50): (None, None),
    ("DROP_TO_QUALIFYING", "silver", 50): ("silver", "silver"),
    ("DROP_TO_QUALIFYING", "gold", 50): ("gold", "gold"),
    ("DROP_TO_QUALIFYING", None, 150): ("silver", None),  # Silver's points were earned, but long ago.
    ("DROP_ONE", None, 50): ("silver", None),
    ("DROP_ONE", "silver", 50): ("silver", "silver"),
    ("DROP_ONE", "gold", 50): ("gold", "gold"),
    ("HOLD", None, 50): ("gold", "gold"),
    ("HOLD", "silver", 50): ("gold", "gold"),
}


@pytest.mark.parametrize("key", LAPSED, ids=str)
@pytest.mark.parametrize("days", FALLS)
def test_inactivity_costs_a_level_after_another(days: int, key: tuple[str, str | None, int]) -> None:
    mode, floor, points = key
    one = Member({
        "retention": {"mode": "ACTIVITY_REFRESH", "duration": "4320h"},
        "downgrade_policy": {"mode": mode, "grace_days": days, "min_level": floor},
    })
    one.review.counters["points"] = Counter(Decimal(points))
    one.review.standings[one.tier.id] = Standing("gold", START, None, first_check(one.tier.lifecycle, START))
    assert one.reach(at("2126-06-01")) == ("gold", points)
    one.review.last_activity_at = at("2126-06-01")
    first, second = (at(day) for day in FALLS[days])
    assert one.reach(first - MOMENT) == ("gold", points)
    assert one.reach(first) == (LAPSED[key][0], points)
    assert one.reach(second - MOMENT) == (LAPSED[key][0], points)
    assert one.reach(second) == (LAPSED[key][1], points)
    assert one.reach(LAST) == (LAPSED[key][1], points)
