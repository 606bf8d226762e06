"""A quote foretells a redemption: of any set of obstacles it names each, and the first is the answer."""

import itertools
from typing import Any

import pytest

from tests.api.client import error_of
from tests.value.conftest import Store

FUTURE, PAST = "2999-01-01T00:00:00Z", "2026-01-01T00:00:00Z"
# In the order in which a redemption looks at them.
OBSTACLES: dict[str, dict[str, Any]] = {
    "max_total_exceeded": {"max_total": 0},
    "max_per_participant_exceeded": {"max_per_participant": 0},
    "reward_unavailable": {"available_from": FUTURE},
    "not_eligible": {"eligibility": '"vip" in participant.tags'},
    "insufficient_funds": {"unit_cost": "100.01"},
}
STATUS = {"reward_unavailable": 422, "not_eligible": 422, "insufficient_funds": 422}


@pytest.mark.parametrize("suspended", [False, True])
def test_a_quote_names_every_obstacle_and_the_redemption_the_first(store: Store, suspended: bool) -> None:
    sets = [
        each for size in range(len(OBSTACLES) + 1) for each in itertools.combinations(OBSTACLES, size)
    ]
    if suspended:
        path = f"/v1/participants/{store.person}/status"
        assert store.api.patch(path, {"status": "SUSPENDED"}).status_code == 200
        sets = sets[::5]
    for number, obstacles in enumerate(sets):
        fields: dict[str, Any] = {"unit_cost": "0.01"}
        for each in obstacles:
            fields |= OBSTACLES[each]
        if number % 2 and "reward_unavailable" in obstacles:
            fields |= {"available_from": None, "available_until": PAST}
        reward = store.reward(f"r{number}", **fields)
        asked = store.api.post(
            f"/v1/programs/{store.program}/rewards/{reward}/quote", {"participant_id": store.person}
        ).json
        expected = [*(["participant_inactive"] if suspended else []), *obstacles]
        assert [reason["code"] for reason in asked["reasons"]] == expected
        assert asked["redeemable"] is (not expected)
        answer = store.take(reward)
        if expected:
            error_of(answer, STATUS.get(expected[0], 409), expected[0])
        else:
            assert answer.status_code == 201
