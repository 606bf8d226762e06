"""The lifecycle as a function: when somebody looks makes no difference, and nobody ever rises by it."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from app.domain.tiers import Tier, tier_from_json
from app.engine import lifecycle as engine
from app.engine.lifecycle import Review, Standing
from app.engine.state import Counter
from app.engine.tiers import add_months, first_check, next_period_end

START = datetime(2126, 1, 15, 12, tzinfo=UTC)
RANKS = {"bronze": 1, "silver": 2, "gold": 3}
YEAR = timedelta(days=365)


def tier_of(number: int, lifecycle: dict[str, object]) -> Tier:
    levels = [
        {"key": key, "rank": rank, "qualification": {"criteria": [
            {"counter": "points", "operator": ">=", "threshold": rank * 100}]}}
        for key, rank in RANKS.items()
    ]
    return tier_from_json({
        "id": UUID(int=number), "key": f"tier{number}", "archived": False, "levels": levels,
        "lifecycle": lifecycle,
    })


periods = st.one_of(
    st.fixed_dictionaries({"retention": st.just({"mode": "PERIOD_BASED"}), "qualification_period": st.one_of(
        st.just({"type": "CALENDAR_YEAR"}),
        st.builds(lambda month, day: {"type": "FIXED_YEAR", "start_month": month, "start_day": day},
                  st.integers(1, 12), st.integers(1, 28)),
    )}),
    st.builds(
        lambda hours: {"retention": {"mode": "PERIOD_BASED", "duration": f"{hours}h"},
                       "qualification_period": {"type": "NONE"}}, st.integers(24, 9000),
    ),
    st.builds(lambda hours: {"retention": {"mode": "ACTIVITY_REFRESH", "duration": f"{hours}h"}},
              st.integers(24, 9000)),
)
lifecycles = st.builds(
    lambda period, policy, validity, counters: {
        **period, "downgrade_policy": policy, "status_validity": validity, "counters": counters,
    },
    periods,
    st.fixed_dictionaries({
        "mode": st.sampled_from(["DROP_TO_QUALIFYING", "DROP_ONE", "HOLD"]),
        "grace_days": st.integers(0, 400), "min_level": st.sampled_from([None, "bronze", "silver"]),
    }),
    st.fixed_dictionaries({"extend_months": st.integers(0, 14)}),
    st.fixed_dictionaries({
        "qualifying": st.sampled_from([["points"], []]), "rollover": st.sampled_from(["NONE", "EXCESS"]),
    }),
)


def review_of(
    tiers: list[Tier], level: str | None, points: int, expires_after: int | None, active_after: int | None
) -> Review:
    standings = {}
    for tier in tiers:
        expires = START + timedelta(days=expires_after) if level and expires_after is not None else None
        standings[tier.id] = Standing(
            level, START if level else None, expires, first_check(tier.lifecycle, START)
        )
    active = None if active_after is None else START + timedelta(days=active_after)
    return Review(
        {tier.id: tier for tier in tiers}, standings, {"points": Counter(Decimal(points))}, active
    )


def run(review: Review, until: datetime) -> None:
    """Review until nothing is due; one review takes a bounded number of moments."""
    while any(one.review_at is not None and one.review_at <= until for one in review.standings.values()):
        engine.run(review, until)


situations = {
    "chosen": st.lists(lifecycles, min_size=1, max_size=2), "level": st.sampled_from([None, *RANKS]),
    "points": st.integers(0, 700), "expires": st.one_of(st.none(), st.integers(0, 1500)),
    "active": st.one_of(st.none(), st.integers(0, 1)),
}


@given(**situations, looks=st.lists(st.integers(0, 2000), max_size=6))
@settings(max_examples=300, deadline=None)
def test_looking_often_and_looking_once_give_the_same(
    chosen: list[dict[str, object]], level: str | None, points: int, expires: int | None,
    active: int | None, looks: list[int],
) -> None:
    tiers = [tier_of(number, lifecycle) for number, lifecycle in enumerate(chosen, start=1)]
    often, once = (review_of(tiers, level, points, expires, active) for _ in range(2))
    for days in sorted(looks):
        run(often, START + timedelta(days=days))
    end = START + timedelta(days=2001)
    run(often, end)
    run(once, end)
    assert (often.standings, often.counters, often.steps, often.changes) == (
        once.standings, once.counters, once.steps, once.changes
    )


@given(**situations)
@settings(max_examples=300, deadline=None)
def test_time_never_raises_anybody_and_respects_the_floor(
    chosen: list[dict[str, object]], level: str | None, points: int, expires: int | None, active: int | None,
) -> None:
    tiers = [tier_of(number, lifecycle) for number, lifecycle in enumerate(chosen, start=1)]
    review = review_of(tiers, level, points, expires, active)
    run(review, START + 5 * YEAR)
    for step in review.steps:
        before, after = RANKS.get(step.before or "", 0), RANKS.get(step.after or "", 0)
        assert after <= before
        floor = RANKS.get(step.tier.lifecycle.min_level or "", 0)
        if step.reason != "EXPIRED":
            assert after >= min(before, floor)
    for tier_id, standing in review.standings.items():
        due = standing.review_at
        assert due is None or due > START + 5 * YEAR, tier_id
    assert review.counters["points"].value >= 0


def test_periods_end_in_utc() -> None:
    yearly = tier_of(1, {
        "retention": {"mode": "PERIOD_BASED"}, "qualification_period": {"type": "CALENDAR_YEAR"},
    }).lifecycle
    assert next_period_end(yearly, START) == datetime(2127, 1, 1, tzinfo=UTC)
    assert next_period_end(yearly, datetime(2127, 1, 1, tzinfo=UTC)) == datetime(2128, 1, 1, tzinfo=UTC)
    before = datetime(2127, 1, 1, tzinfo=UTC) - timedelta(microseconds=1)
    assert next_period_end(yearly, before) == datetime(2127, 1, 1, tzinfo=UTC)


def test_months_end_where_they_end() -> None:
    assert add_months(datetime(2127, 1, 31, tzinfo=UTC), 1) == datetime(2127, 2, 28, tzinfo=UTC)
    assert add_months(datetime(2128, 1, 31, tzinfo=UTC), 1) == datetime(2128, 2, 29, tzinfo=UTC)
    assert add_months(datetime(2127, 11, 30, tzinfo=UTC), 3) == datetime(2128, 2, 29, tzinfo=UTC)
    assert add_months(START, 12) == START.replace(year=2127)
