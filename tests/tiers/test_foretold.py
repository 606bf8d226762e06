"""The dry run of events that meet a period nobody has reviewed yet: it foretells the review as well."""

from typing import Any

import pytest

from app.domain.instants import format_instant
from tests.tiers.conftest import Club
from tests.tiers.test_lifecycle import YEARLY, with_policy
from tests.timeline import at

LIFECYCLES = {
    "yearly": YEARLY,
    "one level down, the excess stays": with_policy("DROP_ONE", rollover="EXCESS"),
    "with grace": with_policy("DROP_ONE", months=1, grace_days=10),
    "idle for thirty days": {
        "retention": {"mode": "ACTIVITY_REFRESH", "duration": "720h"},
        "downgrade_policy": {"mode": "DROP_ONE"},
    },
}
PURCHASES = (
    ("2126-01-20", 120), ("2126-02-10", 400), ("2126-12-31T23:59:59", 60), ("2127-01-01T00:00:01", 5),
    ("2127-02-05", 0), ("2127-06-01", 510), ("2128-01-01T00:00:01", 1), ("2131-03-02", 30),
)
SEEN = {
    "type": "SET_ATTRIBUTE", "key": "seen",
    "value": "{{ get(participant.counters, 'year_points', 0) }} at level "
             "{{ 'status' in participant.tiers ? participant.tiers.status.level : 'none' }}",
}


def foretold(club: Club, points: int, **more: Any) -> dict[str, Any]:
    answer = club.api.post(f"/v1/programs/{club.program}/simulate", {
        "event": {"type": "purchase", "points": points}, "external_id": "ann", **more,
    })
    assert answer.status_code == 200, answer.json
    return dict(answer.json)


def told(evaluations: list[dict[str, Any]]) -> list[Any]:
    return [(one["rule_id"], one["status"], one["actions"]) for one in evaluations]


@pytest.mark.parametrize("lifecycle", LIFECYCLES.values(), ids=LIFECYCLES)
def test_what_a_worker_reviews_first_is_foretold(club: Club, lifecycle: dict[str, Any]) -> None:
    """Ahead of time with `at`, and at the time; workers meet the event before they look at anybody."""
    club.rule('event.type == "purchase"', SEEN)
    club.tier(lifecycle)
    seen = []
    for instant, points in PURCHASES:
        known = seen != []
        ahead = foretold(club, points, at=format_instant(at(instant))) if known else None
        club.time.go(instant)
        now = foretold(club, points)
        event = club.api.get(f"/v1/events/{club.send('ann', 'purchase', points=points)}").json
        club.time.drain()
        real = club.api.get(f"/v1/events/{event['id']}").json["rule_evaluations"]
        assert told(now["rule_evaluations"]) == told(real)
        if ahead is not None:
            assert told(ahead["rule_evaluations"]) == told(real)
            assert ahead["state_changes"] == now["state_changes"]
        changes = {(one["state_type"], one["key"]): one.get("new_value") for one in now["state_changes"]}
        assert changes["counter", "year_points"] == club.counter("ann")
        assert changes.get(("tier", "status"), club.level("ann")) == club.level("ann")
        seen.append(real[-1]["actions"][0]["value"])
    assert len(set(seen)) > 4, seen
