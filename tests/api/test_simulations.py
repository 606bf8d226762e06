"""The program's dry run: it decides as the worker does, and leaves no trace."""

from typing import Any
from uuid import UUID

import pytest

from app import db
from app.domain.events import SystemEvent
from app.domain.names import EvaluationStatus
from app.engine.evaluations import checked
from app.flows import drain, ingest
from tests.api.client import ABSENT, Caller, error_of, walk
from tests.events.scene import waiting, work

RULES = [
    {
        "name": "earn", "order": 10, "condition": 'event.type == "purchase"',
        "actions": lambda asset: [
            {"type": "CREDIT", "asset_id": asset, "amount": "event.amount", "expires_at": "24h"},
            {"type": "COUNTER", "key": "spend", "value": "event.amount"},
            {"type": "TAG", "tag": "Buyer"},
        ],
        "budgets": lambda asset: [{"asset_id": asset, "limit": "100"}],
    },
    {
        "name": "big", "order": 20, "condition": 'event.type == "purchase" && event.amount > 50',
        "stop_after_match": True,
        "actions": lambda asset: [{"type": "HOLD", "asset_id": asset, "amount": "10"}],
    },
    {
        "name": "broken", "order": 30, "condition": 'event.type == "purchase" && event.missing == 1',
        "actions": lambda asset: [{"type": "UNTAG", "tag": "buyer"}],
    },
]


@pytest.fixture
def program(api: Caller) -> str:
    return api.program()


@pytest.fixture
def asset(api: Caller, program: str) -> str:
    made = api.asset(program, inventory_mode="LOT", scale=2)
    for rule in RULES:
        fields = {name: value(made) if callable(value) else value for name, value in rule.items()}
        assert api.post("/v1/rules", {"program_id": program, **fields}).status_code == 201
    return made


def dry_run(api: Caller, program: str, event: dict[str, Any], **fields: Any) -> dict[str, Any]:
    answer = api.post(f"/v1/programs/{program}/simulate", {"event": event, **fields})
    assert answer.status_code == 200, answer.json
    return dict(answer.json)


def send(api: Caller, program: str, key: str, event: dict[str, Any]) -> None:
    """Send an event of Ada's and let a worker's code decide it."""
    assert api.post("/v1/events", {
        "program_id": program, "external_id": "ada", "idempotency_key": key,
        "event_timestamp": "2026-01-01T00:00:00Z", "event_data": event,
    }).status_code == 202
    drain.exhaust(waiting())


def last_decision(api: Caller) -> dict[str, Any]:
    with db.connection() as c:
        row = c.execute(
            "SELECT * FROM decisions WHERE organization_id = %s ORDER BY commit_order DESC LIMIT 1",
            (api.organization_id,),
        ).fetchone()
    assert row is not None
    return row


def resolved(actions: list[dict[str, Any]]) -> list[Any]:
    """Return what the actions of one rule came to."""
    return [action.get("amount") or action.get("new_value") for action in actions]


def rows_of_everything() -> dict[str, int]:
    """Count the rows of every table but those about requests, so that one more anywhere shows."""
    with db.connection() as c:
        tables = [row["tablename"] for row in c.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
            " AND tablename NOT IN ('request_logs', 'usage_days')"
        ).fetchall()]
        counts = {}
        for table in tables:
            row = c.execute(f'SELECT count(*) AS n FROM "{table}"').fetchone()
            assert row is not None
            counts[table] = row["n"]
    return counts


@pytest.mark.parametrize("amount", [20, 60, 100.01, -1, "text"])
def test_the_dry_run_of_an_event_is_what_the_worker_then_decides(
    api: Caller, program: str, asset: str, amount: Any
) -> None:
    send(api, program, "before", {"type": "purchase", "amount": 5})
    event = {"type": "purchase", "amount": amount}
    foretold = dry_run(api, program, event, external_id="ada", event_timestamp="2026-01-01T00:00:00Z")
    send(api, program, "real", event)

    decision = last_decision(api)
    assert foretold["status"] == decision["status"]
    assert foretold.get("error_code") == decision["error_code"]
    assert foretold.get("error_message") == decision["error_message"]
    real = [checked(each) for each in decision["evaluations"] or []]
    evaluations = foretold["rule_evaluations"]
    assert [(each["status"], each.get("reason"), each.get("error_message")) for each in evaluations] == [
        (each.status.value, each.reason, each.error) for each in real
    ]
    assert [resolved(each["actions"]) for each in evaluations] == [resolved(each.actions) for each in real]

    (ada,) = walk(api, "/v1/participants", external_id="ada")
    stored = api.get(f"/v1/participants/{ada['id']}").json
    have = {name: stored["balances"][0][name] for name in ("available", "held", "deferred")}
    for balance in foretold["balances"]:
        assert (balance["owner_id"], balance["after"]) == (ada["id"], have)
    for change in foretold["state_changes"]:
        if change["state_type"] == "counter":
            assert stored["counters"][change["key"]] == change["new_value"]


def test_a_dry_run_leaves_no_trace(api: Caller, program: str, asset: str) -> None:
    send(api, program, "before", {"type": "purchase", "amount": 5})
    before = rows_of_everything()
    dry_run(api, program, {"type": "purchase", "amount": 60}, external_id="ada")
    dry_run(api, program, {"type": "purchase", "amount": 60}, external_id="nobody")
    assert rows_of_everything() == before
    (budget,) = walk(api, "/v1/rules", search="earn")[0]["budgets"]
    assert budget["consumed"] == "5.00"


def test_entries_balance_and_name_their_rule(api: Caller, program: str, asset: str) -> None:
    foretold = dry_run(api, program, {"type": "purchase", "amount": 60})
    assert [entry["action_type"] for entry in foretold["journal_entries"]] == ["CREDIT", "HOLD"]
    for entry in foretold["journal_entries"]:
        assert sum(float(posting["amount"]) for posting in entry["postings"]) == 0
        assert entry["rule_id"] in {each["rule_id"] for each in foretold["rule_evaluations"]}
    assert foretold["balances"][0]["before"] == {"available": "0.00", "held": "0.00", "deferred": "0.00"}
    assert foretold["balances"][0]["after"] == {"available": "50.00", "held": "10.00", "deferred": "0.00"}


def test_an_imagined_participant_brings_its_state(api: Caller, program: str, asset: str) -> None:
    state = {"counters": {"spend": 7}, "tags": ["BUYER"]}
    foretold = dry_run(api, program, {"type": "purchase", "amount": 1}, participant_state=state)
    changes = [(change["state_type"], change["new_value"]) for change in foretold["state_changes"]]
    assert changes == [("counter", "8")]


def test_candidates_take_the_place_of_the_rules_in_force(api: Caller, program: str, asset: str) -> None:
    candidate = {
        "name": "candidate", "condition": "event.amount > 1",
        "actions": [{"type": "CREDIT", "asset_id": asset, "amount": "2"}],
    }
    foretold = dry_run(api, program, {"type": "purchase", "amount": 60}, rules=[candidate])
    assert [each["rule_name"] for each in foretold["rule_evaluations"]] == ["candidate"]
    assert foretold["rule_evaluations"][0]["status"] == EvaluationStatus.SUCCESS
    assert dry_run(api, program, {"amount": 60}, rules=[])["rule_evaluations"] == []
    broken = {**candidate, "condition": "event.amount >"}
    details = error_of(
        api.post(f"/v1/programs/{program}/simulate", {"event": {}, "rules": [candidate, broken]}),
        400, "validation_error",
    )
    assert list(details) == ["rules[1].condition"]


def test_another_time_moves_windows_and_not_now(api: Caller, program: str, asset: str) -> None:
    window = {
        "name": "summer", "condition": "now < timestamp('2026-01-02T00:00:00Z')",
        "active_from": "2030-06-01T00:00:00Z", "active_to": "2030-09-01T00:00:00Z",
        "actions": [{"type": "TAG", "tag": "x"}],
    }
    now = {"event_timestamp": "2026-01-01T00:00:00Z"}
    outside = dry_run(api, program, {}, rules=[window], **now)
    assert outside["rule_evaluations"][0]["reason"] == "OUTSIDE_TIME_WINDOW"
    inside = dry_run(api, program, {}, rules=[window], at="2030-07-01T00:00:00Z", **now)
    assert inside["rule_evaluations"][0]["status"] == "SUCCESS"
    assert inside["decided_at"] == "2030-07-01T00:00:00Z"


def test_a_groups_event_is_decided_on_the_groups_state(api: Caller, program: str, asset: str) -> None:
    group = api.group(api.participant("ada"))
    assert api.post(f"/v1/groups/{group}/balances/adjust", {
        "program_id": program, "asset_id": asset, "type": "CREDIT", "amount": "7", "description": "before",
    }).status_code == 200
    own = {"type": "GROUP", "id": "{{ group.id }}"}
    rule = {
        "name": "group", "condition": "participant == null && group.balances['PTS'].available == 7",
        "actions": [
            {"type": "CREDIT", "asset_id": asset, "amount": "group.balances['PTS'].available", "target": own},
            {"type": "COUNTER", "key": "n", "value": "1", "target": own},
        ],
    }
    foretold = dry_run(api, program, {"type": "lot_expiration"}, group_id=group, rules=[rule])
    assert foretold["status"] == "COMPLETED"
    assert (foretold["participant_id"], foretold["group_id"]) == (None, group)
    assert [(each["owner_id"], each["before"]["available"], each["after"]["available"])
            for each in foretold["balances"]] == [(group, "7.00", "14.00")]
    assert [(each["owner_id"], each["new_value"]) for each in foretold["state_changes"]] == [(group, "1")]
    path = f"/v1/programs/{program}/simulate"
    error_of(api.post(path, {"event": {}, "group_id": ABSENT}), 404, "not_found")
    for other in ({"external_id": "ada"}, {"recipient_external_id": "ada"}, {"participant_state": {}}):
        details = error_of(
            api.post(path, {"event": {}, "group_id": group, **other}), 400, "validation_error"
        )
        assert list(details) == list(other)


def test_an_event_of_nobody_is_foretold_as_the_program_has_it(
    api: Caller, program: str, asset: str
) -> None:
    for body in ({"name": "count", "condition": 'event.type == "tick"', "actions": [
        {"type": "COUNTER", "key": "ticks", "value": "event.n", "target": {"type": "PROGRAM"}},
        {"type": "TAG", "tag": "ticked", "target": {"type": "PROGRAM"}},
    ]}, {"name": "pay", "condition": 'event.type == "pay"', "actions": [
        {"type": "CREDIT", "asset_id": asset, "amount": "1"},
    ]}):
        assert api.post("/v1/rules", {"program_id": program, **body}).status_code == 201
    for number, data in enumerate(({"type": "tick", "n": 2}, {"type": "tick", "n": 3}, {"type": "pay"})):
        foretold = dry_run(api, program, data, scope="program")
        assert (foretold["participant_id"], foretold["group_id"]) == (None, None)
        with db.transaction() as c:
            now = db.read_clock(c)
            ingest.insert_system_events(c, [
                SystemEvent(api.organization_id, UUID(program), f"tick:{number}", now, data)
            ], now)
        work()
        (real, *_) = api.get("/v1/events", program_id=program, event_type="SYSTEM").json["data"]
        assert (foretold["status"], foretold.get("error_code")) == (real["status"], real.get("error_code"))
        evaluations = api.get(f"/v1/events/{real['id']}").json["rule_evaluations"]
        assert [(one["rule_id"], one["status"], one["actions"]) for one in foretold["rule_evaluations"]] == [
            (one["rule_id"], one["status"], one["actions"]) for one in evaluations
        ]
    assert foretold["error_code"] == "no_participant"
    assert api.get(f"/v1/programs/{program}/state/counters/ticks").json["value"] == "5"


@pytest.mark.parametrize("other", [
    {"external_id": "ada"}, {"participant_id": ABSENT}, {"participant_state": {}}, {"group_id": ABSENT},
    {"recipient_id": ABSENT}, {"recipient_external_id": "ada"},
])
def test_an_event_of_nobody_has_nobody(api: Caller, program: str, other: dict[str, Any]) -> None:
    path = f"/v1/programs/{program}/simulate"
    answer = api.post(path, {"event": {}, "scope": "program", **other})
    assert list(error_of(answer, 400, "validation_error")) == list(other)
    assert list(error_of(api.post(path, {"event": {}, "scope": "x"}), 400, "validation_error")) == ["scope"]


def test_unknown_programs_and_participants_are_told(api: Caller, program: str) -> None:
    path = f"/v1/programs/{program}/simulate"
    error_of(api.post(f"/v1/programs/{ABSENT}/simulate", {"event": {}}), 404, "not_found")
    error_of(api.post(path, {"event": {}, "participant_id": ABSENT}), 422, "participant_not_found")
    details = error_of(
        api.post(path, {"event": {}, "participant_id": ABSENT, "external_id": "ada"}), 400, "validation_error"
    )
    assert list(details) == ["external_id"]
