"""Rules over HTTP: the life of a rule, its orders, budgets and versions, and what is refused."""

from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from app import db
from app.domain.errors import OrderConflict
from app.flows import rules as rule_flows
from app.flows.rules import RuleDraft
from tests.api.client import ABSENT, Caller, error_of, new_caller, walk

CONDITION = 'event.type == "purchase"'


@pytest.fixture
def program(api: Caller) -> str:
    return api.program()


@pytest.fixture
def points(api: Caller, program: str) -> str:
    return api.asset(program)


def body(program: str, asset: str, **fields: Any) -> dict[str, Any]:
    return {
        "program_id": program, "name": "a rule", "condition": CONDITION,
        "actions": [{"type": "CREDIT", "asset_id": asset, "amount": "event.amount * 10"}], **fields,
    }


def create(api: Caller, program: str, asset: str, **fields: Any) -> dict[str, Any]:
    answer = api.post("/v1/rules", body(program, asset, **fields))
    assert answer.status_code == 201, answer.json
    return dict(answer.json)


def spend(api: Caller, rule_id: str, amount: str) -> None:
    """Let the rule have issued something, as a worker would note it."""
    with db.transaction() as c:
        c.execute(
            "UPDATE rule_budgets SET consumed = %s WHERE organization_id = %s AND rule_id = %s",
            (Decimal(amount), api.organization_id, rule_id),
        )


def ruleset_of(api: Caller, program: str) -> list[UUID]:
    """Return the rule versions in force for the program."""
    with db.connection() as c:
        row = c.execute(
            "SELECT s.history_ids FROM programs p JOIN rulesets s ON s.organization_id = p.organization_id"
            " AND s.program_id = p.id AND s.version = p.ruleset_version"
            " WHERE p.organization_id = %s AND p.id = %s", (api.organization_id, program),
        ).fetchone()
    assert row is not None
    return list(row["history_ids"])


def history(api: Caller, rule_id: str) -> list[dict[str, Any]]:
    return walk(api, f"/v1/rules/{rule_id}/history", limit=2)


def test_a_rule_is_answered_as_the_contract_has_it(api: Caller, program: str, points: str) -> None:
    made = create(api, program, points, budgets=[{"asset_id": points, "limit": "1000"}])
    assert made.keys() == {
        "id", "program_id", "name", "condition", "actions", "order", "stop_after_match", "active_from",
        "active_to", "budgets", "status", "created_at", "updated_at",
    }
    assert (made["order"], made["status"], made["stop_after_match"]) == (10, "ACTIVE", False)
    assert made["actions"] == body(program, points)["actions"]
    assert made["budgets"] == [
        {"asset_id": points, "limit": "1000", "consumed": "0", "next_reset_at": None}
    ]
    assert api.get(f"/v1/rules/{made['id']}").json == made


def test_a_rule_without_order_goes_ten_behind_the_last(api: Caller, program: str, points: str) -> None:
    create(api, program, points, order=505)
    assert create(api, program, points)["order"] == 515


def test_two_active_rules_never_share_an_order(api: Caller, program: str, points: str) -> None:
    first = create(api, program, points, order=100)
    assert "order" in error_of(api.post("/v1/rules", body(program, points, order=100)), 409, "order_conflict")
    waiting = create(api, program, points, order=100, status="SUSPENDED")
    error_of(api.patch(f"/v1/rules/{waiting['id']}", {"status": "ACTIVE"}), 409, "order_conflict")
    api.patch(f"/v1/rules/{first['id']}", {"status": "SUSPENDED"})
    assert api.patch(f"/v1/rules/{waiting['id']}", {"status": "ACTIVE"}).status_code == 200
    error_of(api.patch(f"/v1/rules/{first['id']}", {"status": "ACTIVE"}), 409, "order_conflict")
    assert api.patch(f"/v1/rules/{first['id']}", {"status": "ACTIVE", "order": 101}).json["order"] == 101


def test_an_order_asked_for_by_eight_at_once_goes_to_one(api: Caller, program: str, points: str) -> None:
    draft = RuleDraft(
        UUID(program), "race", CONDITION, [{"type": "CREDIT", "asset_id": points, "amount": "1"}], order=7
    )

    def attempt(_: int) -> bool:
        try:
            rule_flows.create(api.organization_id, None, draft)
        except OrderConflict:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(attempt, range(8))) == 1
    assert len(ruleset_of(api, program)) == 1


def test_only_the_given_fields_change(api: Caller, program: str, points: str) -> None:
    made = create(api, program, points, description="old", active_from="2026-01-01T00:00:00Z")
    path = f"/v1/rules/{made['id']}"
    changed = api.patch(path, {"name": "new", "active_from": None, "description": None}).json
    assert changed["updated_at"] > made["updated_at"]
    expected = {**made, "name": "new", "active_from": None, "updated_at": changed["updated_at"]}
    del expected["description"]
    assert changed == expected
    for refused in ({}, {"actions": []}, {"name": None}, {"program_id": program}, {"order": 0}):
        error_of(api.patch(path, refused), 400, "validation_error")


def test_a_rule_is_suspended_activated_and_archived_for_good(api: Caller, program: str, points: str) -> None:
    path = f"/v1/rules/{create(api, program, points)['id']}"
    assert api.patch(path, {"status": "SUSPENDED"}).json["status"] == "SUSPENDED"
    assert api.patch(path, {"status": "ACTIVE"}).json["status"] == "ACTIVE"
    archived = api.patch(path, {"status": "ARCHIVED"}).json
    assert archived["deleted_at"] == archived["updated_at"]
    error_of(api.patch(path, {"status": "ACTIVE"}), 409, "rule_archived")
    assert api.get(path).json == archived


def test_every_change_leaves_a_version_and_a_change_of_nothing_leaves_none(
    api: Caller, program: str, points: str
) -> None:
    rule_id = create(api, program, points)["id"]
    path = f"/v1/rules/{rule_id}"
    for change in (
        {"name": "b"}, {"name": "b"}, {"status": "SUSPENDED"}, {"status": "ACTIVE", "order": 3},
        {"status": "ARCHIVED"},
    ):
        assert api.patch(path, change).status_code == 200
    versions = history(api, rule_id)
    assert [each["change_type"] for each in versions] == [
        "archived", "activated", "suspended", "updated", "created",
    ]
    assert versions[1]["changes"] == {
        "status": {"from": "SUSPENDED", "to": "ACTIVE"}, "order": {"from": 10, "to": 3},
    }
    assert versions[3]["snapshot"]["name"] == "b"
    assert versions[4]["snapshot"]["name"] == "a rule"
    assert all(each["changed_by_api_key_id"] for each in versions)
    (only,) = walk(api, f"{path}/history", change_type="suspended")
    assert only == versions[2]
    assert walk(api, f"{path}/history", from_=versions[1]["changed_at"]) == versions[:2]


def test_the_rule_set_holds_the_versions_of_active_rules_in_order(
    api: Caller, program: str, points: str
) -> None:
    last = create(api, program, points, order=300)["id"]
    first = create(api, program, points, order=100)["id"]
    create(api, program, points, order=200, status="SUSPENDED")
    newest = {rule: UUID(history(api, rule)[0]["id"]) for rule in (first, last)}
    assert ruleset_of(api, program) == [newest[first], newest[last]]
    api.patch(f"/v1/rules/{first}", {"condition": "true"})
    assert ruleset_of(api, program) == [UUID(history(api, first)[0]["id"]), newest[last]]
    api.patch(f"/v1/rules/{first}", {"status": "ARCHIVED"})
    assert ruleset_of(api, program) == [newest[last]]


def test_replaced_budgets_keep_what_an_asset_that_stays_has_consumed(
    api: Caller, program: str, points: str
) -> None:
    other = api.asset(program, "CASH", scale=2)
    rule_id = create(api, program, points, budgets=[{"asset_id": points, "limit": "1000"}])["id"]
    path = f"/v1/rules/{rule_id}"
    spend(api, rule_id, "40")
    monthly = {"schedule_type": "CRON", "cron_expression": "0 0 1 * *"}
    budgets = api.patch(path, {"budgets": [
        {"asset_id": points, "limit": "50", **monthly}, {"asset_id": other, "limit": "1.50"},
    ]}).json["budgets"]
    by_asset = {each["asset_id"]: each for each in budgets}
    assert by_asset[points]["consumed"] == "40"
    assert by_asset[points]["next_reset_at"].endswith("-01T00:00:00Z")
    assert by_asset[other] == {
        "asset_id": other, "limit": "1.50", "consumed": "0.00", "next_reset_at": None
    }
    assert api.patch(path, {"name": "budgets stay"}).json["budgets"] == budgets
    assert api.patch(path, {"budgets": []}).json["budgets"] == []


def test_a_budget_is_reset_by_hand(api: Caller, program: str, points: str) -> None:
    rule_id = create(api, program, points, budgets=[
        {"asset_id": points, "limit": "1000", "schedule_type": "INTERVAL", "interval": "720h"}
    ])["id"]
    before = api.get(f"/v1/rules/{rule_id}").json["budgets"][0]
    spend(api, rule_id, "999")
    path = f"/v1/rules/{rule_id}/reset-budget"
    after = api.post(f"{path}?asset_id={points}").json
    assert after["next_reset_at"] > before["next_reset_at"]
    assert after == {**before, "next_reset_at": after["next_reset_at"]}
    error_of(api.post(f"{path}?asset_id={ABSENT}"), 404, "not_found")
    error_of(api.post(f"/v1/rules/{ABSENT}/reset-budget?asset_id={points}"), 404, "not_found")
    assert error_of(api.post(path), 400, "validation_error") == {"asset_id": "is required"}


def test_a_budget_whose_reset_is_due_is_shown_at_zero(api: Caller, program: str, points: str) -> None:
    rule_id = create(api, program, points, budgets=[
        {"asset_id": points, "limit": "10", "schedule_type": "CRON", "cron_expression": "0 0 1 * *"}
    ])["id"]
    upcoming = api.get(f"/v1/rules/{rule_id}").json["budgets"][0]["next_reset_at"]
    spend(api, rule_id, "10")
    with db.transaction() as c:
        c.execute(
            "UPDATE rule_budgets SET next_reset_at = next_reset_at - interval '62 days'"
            " WHERE organization_id = %s", (api.organization_id,),
        )
    (budget,) = api.get(f"/v1/rules/{rule_id}").json["budgets"]
    assert (budget["consumed"], budget["next_reset_at"]) == ("0", upcoming)


@pytest.mark.parametrize(("budget", "field"), [
    ({"limit": "0"}, "limit"),
    ({"limit": "1", "schedule_type": "CRON"}, "cron_expression"),
    ({"limit": "1", "cron_expression": "0 0 * * *"}, "cron_expression"),
    ({"limit": "1", "schedule_type": "INTERVAL", "interval": "1d"}, "interval"),
    ({"limit": "1", "schedule_type": "CRON", "cron_expression": "0 0 31 2 *"}, "cron_expression"),
    ({"limit": "1", "schedule_type": "CRON", "cron_expression": ""}, "cron_expression"),
    ({"limit": "1", "schedule_type": "CRON", "cron_expression": "0 0 1 * *" + " " * 247}, "cron_expression"),
    ({"limit": "1", "schedule_type": "WEEKLY"}, "schedule_type"),
])
def test_a_wrong_budget_is_named(
    api: Caller, program: str, points: str, budget: dict[str, str], field: str
) -> None:
    answer = api.post("/v1/rules", body(program, points, budgets=[{"asset_id": points, **budget}]))
    assert answer.status_code == 400
    assert list(answer.json["details"]) == [f"budgets[0].{field}"]


def test_a_wrong_budget_is_named_by_its_place_in_the_request(api: Caller, program: str) -> None:
    """Budgets are stored in the order of their assets; whoever sent them counts as they were sent."""
    assets = sorted((api.asset(program, "ONE"), api.asset(program, "TWO")), reverse=True)
    good = [{"asset_id": asset, "limit": "5"} for asset in assets]
    tag = [{"type": "TAG", "tag": "x"}]
    path = f"/v1/rules/{create(api, program, assets[0], actions=tag, budgets=good)['id']}"
    for change in ({"limit": "1.5"}, {"asset_id": ABSENT}, {"schedule_type": "INTERVAL", "interval": "1d"}):
        for place in (0, 1):
            budgets = [{**each, **change} if n == place else each for n, each in enumerate(good)]
            answers = [api.post("/v1/rules", body(program, assets[0], actions=tag, budgets=budgets)),
                       api.patch(path, {"budgets": budgets})]
            for answer in answers:
                assert answer.status_code == 400
                (named,) = answer.json["details"]
                assert named.startswith(f"budgets[{place}]."), (change, place)


def test_lists_filter_sort_and_page(api: Caller, program: str, points: str) -> None:
    other = api.program()
    names = ["delta", "Alpha", "charlie", "bravo"]
    made = [create(api, program, points, name=name) for name in names]
    api.patch(f"/v1/rules/{made[3]['id']}", {"status": "ARCHIVED"})
    api.patch(f"/v1/rules/{made[2]['id']}", {"status": "SUSPENDED"})

    def found(**query: Any) -> list[str]:
        return [each["name"] for each in walk(api, "/v1/rules", program_id=program, limit=1, **query)]

    assert found() == ["delta", "Alpha", "charlie"]
    assert found(include_archived="true") == ["delta", "Alpha", "charlie", "bravo"]
    assert found(status="ARCHIVED") == ["bravo"]
    assert found(status="SUSPENDED") == ["charlie"]
    assert found(search="LPH") == ["Alpha"]
    assert found(sort_by="created_at", sort_dir="desc") == ["charlie", "Alpha", "delta"]
    assert sorted(found(sort_by="name")) == sorted(found())
    assert walk(api, "/v1/rules", program_id=other) == []


def test_a_rule_is_refused_with_every_fault_named(api: Caller, program: str, points: str) -> None:
    details = error_of(api.post("/v1/rules", body(
        program, points, condition="event.amount >",
        actions=[
            {"type": "CREDIT", "asset_id": points, "amount": "event.amount *"},
            {"type": "CREDIT", "asset_id": ABSENT, "amount": "1"},
            {"type": "SET_TIER", "tier": "none", "level": "gold"},
            {"type": "TAG"},
        ],
    )), 400, "validation_error")
    assert details.keys() == {
        "condition", "actions[0].amount", "actions[1].asset_id", "actions[2].tier", "actions[3].tag",
    }
    assert "column" in details["actions[0].amount"]


@pytest.mark.parametrize(("action", "status", "code"), [
    ({"asset_id": ABSENT, "amount": "1"}, 400, "asset_not_linked"),
    ({"amount": "1", "expires_at": "24h"}, 400, "lot_asset_required"),
    ({"amount": "1.5"}, 400, "invalid_amount"),
])
def test_a_single_fault_has_its_own_code(
    api: Caller, program: str, points: str, action: dict[str, str], status: int, code: str
) -> None:
    credit = {"type": "CREDIT", "asset_id": points, **action}
    assert error_of(api.post("/v1/rules", body(program, points, actions=[credit])), status, code)


def test_programs_and_rules_of_others_do_not_exist(api: Caller, program: str, points: str) -> None:
    stranger = new_caller(api.http)
    rule_id = create(api, program, points)["id"]
    error_of(stranger.post("/v1/rules", body(program, points)), 404, "not_found")
    error_of(stranger.get(f"/v1/rules/{rule_id}"), 404, "not_found")
    error_of(stranger.patch(f"/v1/rules/{rule_id}", {"name": "x"}), 404, "not_found")
    error_of(stranger.get(f"/v1/rules/{rule_id}/history"), 404, "not_found")
    error_of(stranger.post(f"/v1/rules/{rule_id}/simulate", {"event": {}}), 404, "not_found")
    error_of(stranger.post(f"/v1/programs/{program}/simulate", {"event": {}}), 404, "not_found")
    assert walk(stranger, "/v1/rules") == []


def test_an_archived_program_takes_no_changes_of_rules(api: Caller, program: str, points: str) -> None:
    rule_id = create(api, program, points)["id"]
    api.patch(f"/v1/programs/{program}", {"status": "ARCHIVED"})
    error_of(api.post("/v1/rules", body(program, points)), 409, "program_archived")
    error_of(api.patch(f"/v1/rules/{rule_id}", {"name": "x"}), 409, "program_archived")


@pytest.mark.parametrize(("change", "field"), [
    ({"condition": "event.type = 1"}, "condition"), ({"actions": [{"type": "TAG"}]}, "actions[0].tag"),
    ({"actions": [{"type": "COUNTER", "key": "n", "value": "1 +"}]}, "actions[0].value"),
    ({"budgets": [{"asset_id": ABSENT, "limit": "1", "schedule_type": "INTERVAL", "interval": "1d"}]},
     "budgets[0].interval"),
    ({"active_from": "2026-01-02T00:00:00Z", "active_to": "2026-01-01T00:00:00Z"}, "active_to"),
])
def test_what_is_wrong_in_itself_is_told_before_what_is_not_there_or_archived(
    api: Caller, program: str, points: str, change: dict[str, Any], field: str
) -> None:
    archived = create(api, program, points)["id"]
    api.patch(f"/v1/rules/{archived}", {"status": "ARCHIVED"})
    for rule_id, refusal in ((ABSENT, (404, "not_found")), (archived, (409, "rule_archived"))):
        wrong = api.patch(f"/v1/rules/{rule_id}", change)
        assert list(error_of(wrong, 400, "validation_error")) == [field]
        error_of(api.patch(f"/v1/rules/{rule_id}", {"name": "x"}), *refusal)
    assert list(error_of(api.post("/v1/rules", {**body(ABSENT, points), **change}), 400,
                         "validation_error")) == [field]


def test_a_condition_is_validated_with_a_place(api: Caller) -> None:
    assert api.post("/v1/rules/validate", {"condition": CONDITION}).json == {
        "valid": True, "message": "CEL condition is valid",
        "note": "Validation checks syntax only. Field references are not verified against an event schema.",
    }
    refused = api.post("/v1/rules/validate", {"condition": "event.type = 1"})
    assert refused.status_code == 200
    assert refused.json.keys() == {"valid", "message"}
    assert not refused.json["valid"]
    assert "column 12" in refused.json["message"]
    error_of(api.post("/v1/rules/validate", {"condition": ""}), 400, "validation_error")


def test_a_rule_is_simulated_and_nothing_is_written(api: Caller, program: str, points: str) -> None:
    made = create(api, program, points)
    answer = api.post(f"/v1/rules/{made['id']}/simulate", {
        "event": {"type": "purchase", "amount": 75}, "participant_state": {"counters": {"x": 1.5}},
    }).json
    assert answer == {
        "rule": {name: made[name] for name in ("id", "name", "condition", "order", "stop_after_match")},
        "evaluation": {
            "matched": True, "status": "evaluated",
            "results": [{"action": made["actions"][0], "result": {
                "amount": "750", "asset_symbol": "PTS", "description": "Credit 750 PTS to participant",
            }}],
        },
    }
    assert walk(api, "/v1/participants") == []
