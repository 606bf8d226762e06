"""Every kind of source explains a balance with the entry, the event and the rule that it came from."""

import json
from decimal import Decimal
from typing import Any

import pytest

from app import db
from app.book.due import DueKind
from app.flows import post_due_lots
from app.flows.due import STEPS
from app.flows.lanes import Lane
from tests.api.client import Caller, walk
from tests.api.conftest import api, application, http
from tests.events.scene import PURCHASE, Scene, credit, work

__all__ = ["api", "application", "http"]


@pytest.fixture(params=["SIMPLE", "LOT"])
def scene(api: Caller, request: pytest.FixtureRequest) -> Scene:
    """A program whose asset has lots or not, and Ann in it."""
    program = api.program()
    made = Scene(api, program, api.asset(program, "PTS", scale=2, inventory_mode=request.param))
    api.participant("ann", program_id=program)
    return made


def has_lots(scene: Scene) -> bool:
    return bool(scene.api.get(f"/v1/assets/{scene.asset}").json["inventory_mode"] == "LOT")


def sources(scene: Scene, who: str = "ann") -> list[dict[str, Any]]:
    """Return the sources, after checking that they add up to the balance that everybody else is told."""
    person = scene.person(who)
    path = f"/v1/participants/{person}/balances/explain"
    rows = walk(scene.api, path, asset_id=scene.asset, limit=2)
    told = Decimal(scene.api.get(path, asset_id=scene.asset).json["balance"])
    shown = scene.api.get(f"/v1/participants/{person}/balances", asset_id=scene.asset).json["data"]
    assert told == sum((Decimal(shown[0][name]) for name in ("available", "held", "deferred")), Decimal(0))
    assert sum((Decimal(row["remaining"]) for row in rows), Decimal(0)) == told
    for row in rows:
        entry = scene.api.get(f"/v1/journal-entries/{row['journal_entry_id']}").json
        assert entry["action_type"] == row["action_type"]
        assert entry.get("event_id") == row.get("event_id")
        assert entry.get("rule_id") == row.get("rule_id")
    return rows


def act(scene: Scene, operation: str, who: str = "ann", **fields: Any) -> dict[str, Any]:
    """Send an operation on a balance."""
    answer = scene.api.post(f"/v1/participants/{scene.person(who)}/balances/{operation}", {
        "program_id": scene.program, "asset_id": scene.asset, "description": operation, **fields,
    })
    assert answer.status_code == 200, answer.json
    return dict(answer.json)


def told(rows: list[dict[str, Any]], *names: str) -> list[tuple[Any, ...]]:
    return [tuple(row.get(name) for name in names) for row in rows]


def test_a_credit_by_a_rule_names_its_event_and_rule(scene: Scene) -> None:
    rule = scene.rule(PURCHASE, credit("event.amount", description="bought"), name="points")
    first = scene.run(data={"type": "purchase", "amount": 10})
    second = scene.run(data={"type": "purchase", "amount": 20})
    assert told(sources(scene), "event_id", "rule_id", "rule_name", "amount", "remaining", "description") == [
        (second["id"], rule, "points", "20.00", "20.00", "bought"),
        (first["id"], rule, "points", "10.00", "10.00", "bought"),
    ]


def test_two_rules_of_one_event_are_two_sources(scene: Scene) -> None:
    rules = {scene.rule(PURCHASE, credit("1")), scene.rule("true", credit("2"))}
    event = scene.run()
    rows = sources(scene)
    assert {(row["event_id"], row["rule_id"]) for row in rows} == {(event["id"], rule) for rule in rules}


def test_an_adjustment_has_neither(scene: Scene) -> None:
    entry = act(scene, "adjust", type="CREDIT", amount="7")["journal_entry_id"]
    [row] = sources(scene)
    assert (row["journal_entry_id"], row["action_type"]) == (entry, "ADJUST_CREDIT")
    assert not {"event_id", "rule_id", "rule_name"} & set(row)


def test_a_transfer_is_a_source_of_who_received_it(scene: Scene) -> None:
    act(scene, "adjust", type="CREDIT", amount="10")
    bea = scene.api.participant("bea", program_id=scene.program)
    sent = scene.api.post("/v1/transfers", {
        "program_id": scene.program, "asset_id": scene.asset, "source_external_id": "ann",
        "recipients": [{"participant_id": bea, "amount": "4"}], "description": "gift",
    })
    assert sent.status_code == 201, sent.json
    assert told(sources(scene), "action_type", "amount", "remaining") == [("ADJUST_CREDIT", "10.00", "6.00")]
    assert told(sources(scene, "bea"), "action_type", "amount", "remaining") == [("TRANSFER", "4.00", "4.00")]


def test_what_a_reversal_gives_back_is_explained_again(scene: Scene) -> None:
    scene.rule(PURCHASE, credit("10"))
    event = scene.run()
    spent = scene.api.post(f"/v1/participants/{scene.person()}/redemptions", {
        "program_id": scene.program, "asset_id": scene.asset, "amount": "8", "description": "mug",
    })
    assert spent.status_code == 201, spent.json
    assert told(sources(scene), "event_id", "remaining") == [(event["id"], "2.00")]
    back = scene.api.post(f"/v1/redemptions/{spent.json['id']}/reverse", {"amount": "5", "reason": "broken"})
    assert back.status_code == 201, back.json
    rows = sources(scene)
    if has_lots(scene):
        # Into the very lot that it came from.
        assert told(rows, "event_id", "amount", "remaining") == [(event["id"], "10.00", "7.00")]
    else:
        assert told(rows, "action_type", "remaining") == [("REDEMPTION_REVERSAL", "5.00"), ("CREDIT", "2.00")]


def test_a_hold_leaves_the_source_what_it_was(scene: Scene) -> None:
    scene.rule(PURCHASE, credit("10"))
    event = scene.run()
    act(scene, "hold", amount="4")
    rows = sources(scene)
    assert {row["event_id"] for row in rows} == {event["id"]}
    assert {row["action_type"] for row in rows} == {"CREDIT"}
    assert sorted(told(rows, "bucket", "remaining"), key=str) == (
        [("AVAILABLE", "6.00"), ("HELD", "4.00")] if has_lots(scene) else [(None, "10.00")]
    )
    act(scene, "forfeit", amount="1", bucket="HELD")
    assert sum(Decimal(row["remaining"]) for row in sources(scene)) == 9


def test_an_opening_balance_of_an_import_is_a_source(scene: Scene) -> None:
    line = {"external_id": "ann", "asset": "PTS", "amount": "12"}
    if has_lots(scene):
        line["created_at"] = "2024-02-03T00:00:00Z"
    sent = scene.api.send(
        "POST", f"/v1/imports?kind=balances&program_id={scene.program}", data=json.dumps(line),
        content_type="application/x-ndjson",
    )
    assert sent.status_code == 202, sent.json
    more = True
    while more:
        with db.transaction() as c:
            more = STEPS[Lane.IMPORTS](c).more
    [row] = sources(scene)
    assert (row["action_type"], row["remaining"]) == ("ADJUST_CREDIT", "12.00")
    if has_lots(scene):
        assert row["earned_at"] == "2024-02-03T00:00:00Z"


def test_what_expires_is_a_source_no_more(scene: Scene) -> None:
    if not has_lots(scene):
        pytest.skip("only lots expire")
    scene.rule(PURCHASE, credit("10", expires_at="24h"))
    scene.run()
    scene.rule('event.type == "gift"', credit("3"))
    gift = scene.run(data={"type": "gift"})
    assert len(sources(scene)) == 2
    assert "expires_at" in sources(scene)[1]
    with db.transaction() as c:
        c.execute("UPDATE clock SET ahead = ahead + interval '25 hours'")
    assert told(sources(scene), "event_id", "remaining") == [(gift["id"], "3.00")], "due, not posted yet"
    assert post_due_lots.post_batch(DueKind.EXPIRY) == 1
    work()
    assert told(sources(scene), "event_id", "remaining") == [(gift["id"], "3.00")]
