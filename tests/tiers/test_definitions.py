"""Tiers over HTTP: creating, changing, archiving, and what is refused."""

from typing import Any

import pytest

from tests.api.client import ABSENT, Caller, error_of, walk

LEVELS = [{"key": "silver", "rank": 1}, {"key": "gold", "rank": 2}]


def path(program: str, key: str = "") -> str:
    return f"/v1/programs/{program}/tiers" + (f"/{key}" if key else "")


def create(api: Caller, program: str, **fields: Any) -> dict[str, Any]:
    answer = api.post(path(program), {"key": "status", "levels": LEVELS, **fields})
    assert answer.status_code == 201, answer.json
    return dict(answer.json)


def test_a_tier_is_answered_as_it_was_given(api: Caller) -> None:
    program = api.program()
    level = {
        "key": "gold", "rank": 2, "display_name": "Gold", "benefits": {"multiplier": "1.5", "lounges": [1]},
        "color": "#FFD700", "icon_url": "https://example.com/gold.png",
        "qualification": {"mode": "ANY", "criteria": [
            {"counter": "spend", "operator": ">=", "threshold": 1000},
            {"counter": "visits", "operator": ">", "threshold": 12.5},
        ]},
    }
    lifecycle = {
        "retention": {"mode": "PERIOD_BASED", "duration": "8760h"},
        "qualification_period": {"type": "FIXED_YEAR", "start_month": 4, "start_day": 1},
        "status_validity": {"extend_months": 1},
        "downgrade_policy": {"mode": "DROP_ONE", "grace_days": 30, "min_level": "gold"},
        "counters": {"qualifying": ["spend"], "rollover": "EXCESS"},
    }
    made = create(api, program, display_name="Status", levels=[level], lifecycle=lifecycle)
    assert made["lifecycle"] == lifecycle
    shown = made["levels"][0]
    assert {name: shown[name] for name in level} == level
    assert set(shown) == {*level, "id", "created_at", "updated_at"}
    assert (made["status"], "archived_at" in made, made["program_id"]) == ("ACTIVE", False, program)
    assert api.get(path(program, "status")).json == made
    assert walk(api, path(program)) == [made]


def test_patch_puts_levels_by_key(api: Caller) -> None:
    program = api.program()
    made = create(api, program, levels=[
        {"key": "silver", "rank": 1, "benefits": {"a": 1},
         "qualification": {"criteria": [{"counter": "n", "operator": ">=", "threshold": 1}]}},
        {"key": "gold", "rank": 2},
    ])
    ids = {level["key"]: level["id"] for level in made["levels"]}
    changed = api.patch(path(program, "status"), {"display_name": "New", "levels": [
        {"key": "silver", "rank": 3, "qualification": None}, {"key": "bronze", "rank": 1},
    ]}).json
    levels = {level["key"]: level for level in changed["levels"]}
    assert [level["key"] for level in changed["levels"]] == ["bronze", "gold", "silver"]
    assert (levels["silver"]["id"], levels["gold"]["id"]) == (ids["silver"], ids["gold"])
    assert levels["silver"]["benefits"] == {"a": 1}
    assert levels["silver"]["qualification"]["criteria"][0]["counter"] == "n"  # Null leaves it.
    cleared = api.patch(path(program, "status"), {"levels": [{"key": "silver", "qualification": {}}]}).json
    assert "qualification" not in {level["key"]: level for level in cleared["levels"]}["silver"]
    assert changed["display_name"] == "New"


def test_two_levels_change_places(api: Caller) -> None:
    program = api.program()
    create(api, program)
    answer = api.patch(path(program, "status"), {
        "levels": [{"key": "silver", "rank": 2}, {"key": "gold", "rank": 1}]
    })
    assert [level["key"] for level in answer.json["levels"]] == ["gold", "silver"]


def test_a_lifecycle_stays_unless_it_is_given_and_goes_with_braces(api: Caller) -> None:
    program, lifecycle = api.program(), {"retention": {"mode": "ACTIVITY_REFRESH", "duration": "2160h"}}
    create(api, program, lifecycle=lifecycle)
    for body in ({"display_name": "x"}, {"lifecycle": None, "display_name": "y"}):
        assert api.patch(path(program, "status"), body).json["lifecycle"] == lifecycle
    assert "lifecycle" not in api.patch(path(program, "status"), {"lifecycle": {}}).json


@pytest.mark.parametrize(("fields", "field"), [
    ({"key": "Status"}, "key"),
    ({"key": "1st"}, "key"),
    ({"levels": []}, "levels"),
    ({"levels": [{"key": "silver"}]}, "levels[0].rank"),
    ({"levels": [{"key": "silver", "rank": True}]}, "levels[0].rank"),
    ({"levels": [{"key": "silver", "rank": 1, "color": "gold"}]}, "levels[0].color"),
    ({"levels": [{"key": "s", "rank": 1, "qualification": {"criteria": [
        {"counter": "n", "operator": "=>", "threshold": 1}]}}]},
     "levels[0].qualification.criteria[0].operator"),
    ({"levels": [{"key": "s", "rank": 1, "qualification": {"criteria": [
        {"counter": "n", "operator": ">=", "threshold": "1"}]}}]},
     "levels[0].qualification.criteria[0].threshold"),
    ({"levels": [{"key": "s", "rank": 1, "qualification": {"criteria": [
        {"counter": "n", "operator": ">=", "threshold": 10**34 + 1}]}}]},
     "levels[0].qualification.criteria[0].threshold"),
    ({"lifecycle": {"retention": {"mode": "ACTIVITY_REFRESH"}}}, "lifecycle.retention.duration"),
    ({"lifecycle": {"retention": {"mode": "PERIOD_BASED", "duration": "90d"}}},
     "lifecycle.retention.duration"),
    ({"lifecycle": {"qualification_period": {"type": "FIXED_YEAR"}}},
     "lifecycle.qualification_period.start_month"),
    ({"lifecycle": {"qualification_period": {"type": "FIXED_YEAR", "start_month": 2, "start_day": 30}}},
     "lifecycle.qualification_period.start_day"),
    ({"lifecycle": {"downgrade_policy": {"mode": "DROP_ONE", "min_level": "none"}}},
     "lifecycle.downgrade_policy.min_level"),
    ({"lifecycle": {"downgrade_policy": {"grace_days": -1}}}, "lifecycle.downgrade_policy.grace_days"),
    ({"lifecycle": {"typo": {}}}, "lifecycle.typo"),
])
def test_a_malformed_tier_names_its_field(api: Caller, fields: dict[str, Any], field: str) -> None:
    answer = api.post(path(api.program()), {"key": "status", "levels": LEVELS, **fields})
    assert field in error_of(answer, 400, "validation_error")


def test_keys_and_ranks_are_unique(api: Caller) -> None:
    program = api.program()
    create(api, program)
    error_of(api.post(path(program), {"key": "status", "levels": LEVELS}), 409, "key_exists")
    same_rank = [{"key": "a", "rank": 1}, {"key": "b", "rank": 1}]
    same_key = [{"key": "a", "rank": 1}, {"key": "a", "rank": 2}]
    for levels in (same_rank, same_key):
        error_of(api.post(path(program), {"key": "other", "levels": levels}), 409, "key_exists")
    error_of(api.patch(path(program, "status"), {"levels": [{"key": "x", "rank": 2}]}), 409, "key_exists")
    error_of(api.patch(path(program, "status"), {"levels": [{"key": "x"}]}), 400, "validation_error")
    assert create(api, api.program())["key"] == "status"


def test_a_tier_has_at_most_fifty_levels(api: Caller) -> None:
    levels = [{"key": f"l{rank}", "rank": rank} for rank in range(51)]
    program = api.program()
    error_of(api.post(path(program), {"key": "status", "levels": levels}), 422, "limit_exceeded")
    create(api, program, levels=levels[:50])
    error_of(api.patch(path(program, "status"), {"levels": levels[50:]}), 422, "limit_exceeded")


def test_archiving_is_for_good(api: Caller) -> None:
    program = api.program()
    create(api, program)
    archived = api.post(path(program, "status/archive")).json
    assert (archived["status"], "archived_at" in archived) == ("ARCHIVED", True)
    assert api.get(path(program, "status")).json == archived
    error_of(api.post(path(program, "status/archive")), 409, "tier_archived")
    error_of(api.patch(path(program, "status"), {"display_name": "x"}), 409, "tier_archived")
    error_of(api.post(path(program, "none/archive")), 404, "not_found")


def test_tiers_of_archived_and_absent_programs(api: Caller) -> None:
    program = api.program()
    create(api, program)
    assert api.patch(f"/v1/programs/{program}", {"status": "ARCHIVED"}).status_code == 200
    body = {"key": "other", "levels": LEVELS}
    error_of(api.post(path(program), body), 409, "program_archived")
    error_of(api.patch(path(program, "status"), {"display_name": "x"}), 409, "program_archived")
    assert api.get(path(program, "status")).status_code == 200
    for answer in (api.post(path(ABSENT), body), api.get(path(ABSENT)), api.get(path(program, "none"))):
        error_of(answer, 404, "not_found")
